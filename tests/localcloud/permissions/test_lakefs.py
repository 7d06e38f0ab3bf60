"""What lakeFS asks of the store, by its source, is allowed on both clouds, and goes no further; its database is in the
month's bill, and the policies have nothing to say of it.

Nothing here runs lakeFS. Its calls: pkg/block/s3/adapter.go and pkg/block/gs/adapter.go at v1.84.0; a new repository
first reads an object that is not there (ensureStorageNamespace in pkg/api/controller.go).
"""

from __future__ import annotations

from typing import Any

import pytest

from infra.pricing.estimate import estimate
from infra.pricing.resources import Resource
from infra.settings.stack import Usage
from localcloud.permissions import gcs_calls
from localcloud.permissions.aws_account import Account
from localcloud.permissions.google_policies import refusals
from localcloud.permissions.network import Connection, End
from localcloud.permissions.s3_calls import Call
from tests.localcloud.permissions import rendered
from tests.localcloud.permissions.ways import pod, ways
from tests.policies.harness import Shown, run

pytestmark = pytest.mark.slow

NAMESPACE = "lakefs"
BLOCK, NEW = "lakefs/fraud/data/g1/c1", "lakefs/fraud/_lakefs/dummy"


def test_its_calls_of_s3_are_allowed(account: Account, buckets: dict[str, str]) -> None:
    bucket = buckets["curated"]
    operations = ("PutObject", "GetObject", "HeadObject", "CreateMultipartUpload", "UploadPart")
    calls = [
        Call(each, bucket, (BLOCK,))
        for each in (*operations, "CompleteMultipartUpload", "AbortMultipartUpload")
    ]
    copy = Call("CopyObject", bucket, (BLOCK,), source=(bucket, BLOCK))
    # An import refers to objects of the bucket that are not its own.
    imported = [Call("ListObjectsV2", bucket, (), "tokens/"), Call("GetObject", bucket, ("tokens/0.bin",))]
    for call in (*calls, copy, *imported):
        assert _refused(account, call) == [], call.operation
    assert _refused(account, Call("GetObject", bucket, (NEW,)), missing=True) == []
    elsewhere = [("PutObject", bucket, "tokens/0.bin"), ("DeleteObject", bucket, "tokens/0.bin")]
    others = [("GetObject", buckets[role], "x") for role in ("raw", "models", "features", "checkpoints")]
    for operation, of, key in (*elsewhere, *others):
        assert _refused(account, Call(operation, of, (key,))), (operation, of)


def _refused(account: Account, call: Call, *, missing: bool = False) -> list[str]:
    verdicts = account.may(account.roles[NAMESPACE], call, missing=missing)
    return [verdict.why for verdict in verdicts if not verdict.allowed]


def test_its_calls_of_cloud_storage_are_allowed(prod: Any, google_buckets: dict[str, str]) -> None:
    held, bucket = rendered.google_bindings(prod), google_buckets["curated"]
    who = rendered.google_member(rendered.Container(NAMESPACE, NAMESPACE, {}, []))

    def refused(operation: str, key: str, of: str = bucket, **more: Any) -> list[str]:
        return refusals(held, who, gcs_calls.Call(operation, of, key), **more)

    # The parts of an upload, and its marker, are objects that are deleted at its end.
    for operation in ("objects.insert", "objects.get", "objects.delete"):
        assert refused(operation, BLOCK) == [], operation
    copy = gcs_calls.Call("objects.rewrite", bucket, BLOCK, source=(bucket, BLOCK))
    assert refusals(held, who, copy) == []
    assert refused("objects.get", NEW, missing=True) == []
    assert refused("objects.insert", "tokens/0.bin")
    assert refused("objects.delete", "tokens/0.bin")
    for role in ("raw", "models", "features", "checkpoints"):
        assert refused("objects.get", "x", google_buckets[role]), role


@pytest.mark.parametrize("cloud", ["aws", "gcp"])
def test_its_pods_reach_the_store_and_their_database_alone(prod: Any, cloud: str) -> None:
    network = rendered.network(prod, cloud)
    release = prod.one("helm.sh/v3:Release", "lakefs").inputs["values"]
    given = {each["name"]: each.get("value", "") for each in release["extraEnvVars"]}
    container = rendered.Container(NAMESPACE, NAMESPACE, given, [])
    for way in ways(prod, cloud, container):
        assert (verdict := network.judge(way)).allowed, verdict.why
    own, abroad = pod(container), End("203.0.113.200")
    databases = End("10.20.240.9")
    # `prod` asks for it on AWS.
    assert network.judge(Connection(own, databases, 5432)).allowed is (cloud == "aws")
    assert not network.judge(Connection(own, abroad, 443)).allowed, "stats.lakefs.io, say"
    assert not network.judge(Connection(own, End(namespace="training"), 8000)).allowed


def test_a_month_has_its_database(prod: Any) -> None:
    every = [
        Resource(each.type, each.urn, each.inputs, each.parent, each.provider.rpartition("::")[0])
        for each in prod.resources
    ]
    (database,) = (one for one in every if str(one.inputs.get("identifier")).endswith("-lakefs"))
    with_it, without = (
        estimate(found, Usage()) for found in (every, [one for one in every if one is not database])
    )
    dollars = with_it.total.expected - without.total.expected
    assert dollars > 10, "a machine and 20 GiB"


def test_the_policies_have_nothing_to_say_of_it(prod: Any, buckets: dict[str, str]) -> None:
    own = [
        Shown(one.type, one.inputs, one.name)
        for one in prod.resources
        if "lakefs" in one.name and one.type.startswith("kubernetes:")
    ]
    kinds = {one.type.rpartition(":")[2] for one in own}
    assert {"Release", "Secret", "NetworkPolicy", "PodDisruptionBudget", "PodMonitor"} <= kinds
    lake = Shown("aws:s3/bucket:Bucket", {"bucket": buckets["curated"]}, "curated", {"region": "ap-south-1"})
    about = {one.urn for one in own}
    assert [each.message for each in run(*own, lake) if each.urn in about] == []
