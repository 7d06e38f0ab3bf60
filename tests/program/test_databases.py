"""The whole program with a workload that needs a database: each cloud makes one, and the policies have nothing to say
of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pulumi
import pytest

import program
from infra.settings import reading
from infra.sites.databases import with_database
from tests.mock_engine import Registered
from tests.policies.harness import Shown, run
from tests.program import whole_stacks
from workloads.registry import WORKLOADS

pytestmark = pytest.mark.slow
# The proofs run on every pool of both clouds, and so name none.
(PROOF,) = (each for each in WORKLOADS if each.needs.name == "proof")
ASKING = [
    replace(each, needs=replace(each.needs, database=True)) if each is PROOF else each for each in WORKLOADS
]


@pytest.fixture(scope="module")
def made(deploy: Callable[..., Any]) -> Any:
    texts = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in whole_stacks.config_of("prod").items()
    }
    before = dict(pulumi.runtime.config.CONFIG.get())
    pulumi.runtime.set_all_config(texts, [])
    try:
        return deploy(lambda: program.run(ASKING), outputs=whole_stacks.ANSWERED)
    finally:
        pulumi.runtime.set_all_config(before)


def of_databases(made: Any) -> list[Registered]:
    return [one for one in made.resources if "Databases$" in one.urn]


def test_each_cloud_makes_a_database_a_key_and_a_secret(made: Any) -> None:
    rds, sql = made.one("rds/instance:Instance"), made.one("sql/databaseInstance:DatabaseInstance")
    assert rds.inputs["identifier"] == "india-ai-infra-unit-proof"
    assert "keys-database" in made.of("kms/key:Key")
    (secrets,) = {
        one.inputs["encryptionConfig"]["provider"]["keyArn"]
        for one in made.of("eks/cluster:Cluster").values()
    }
    assert rds.inputs["kmsKeyId"] != secrets, "a key of their own"
    assert "/cryptoKeys/keys-database" in sql.inputs["encryptionKeyName"]
    hosts = {
        one.inputs["stringData"]["value"]["PGHOST"]
        for one in made.resources
        if one.type == "kubernetes:core/v1:Secret" and one.name == "proof-database"
    }
    assert hosts == {"db.example.in", "10.64.0.9"}
    assert rds.protect and sql.protect


def test_pods_of_the_workload_reach_their_own_database_and_no_other_namespace_does(made: Any) -> None:
    policies = [one for one in made.resources if one.name.endswith("-allow-database")]
    assert {one.name for one in policies} == {"proof-allow-database"}
    cidrs = {
        peer["ipBlock"]["cidr"]
        for one in policies
        for rule in one.inputs["spec"]["egress"]
        for peer in rule["to"]
    }
    assert "10.64.0.9/32" in cidrs
    assert len(cidrs - {"10.64.0.9/32"}) == 3, "the subnets without a way out, one a zone"


def test_the_policies_have_nothing_to_say_of_them(made: Any) -> None:
    regions = {"aws": "ap-south-1", "gcp": "asia-south1"}
    found = of_databases(made)
    urns = {one.name: Shown(one.type, {}, one.name).urn for one in found if "parameterGroup" in one.type}
    shown = [
        Shown(
            one.type,
            one.inputs,
            one.name,
            {"region": regions.get(one.type.split(":")[0], "")},
            {"parameterGroupName": list(urns.values())} if one.type.endswith(":Instance") else {},
        )
        for one in found
    ]
    assert {one.type.split(":")[1] for one in found} >= {"rds/instance", "sql/databaseInstance"}
    about = {one.urn for one in shown}
    told = [each.message for each in run(*shown) if each.urn in about]
    # Advice that docs/database.md answers: backups are in the stack's region, and PostgreSQL's log is not masked.
    advice = ("DPDP-BCK-02", "DPDP-ENC-08")
    assert [message for message in told if not message.startswith(advice)] == []


def test_a_stack_that_asks_for_none_makes_nothing_of_it(deploy: Callable[..., Any]) -> None:
    plain = whole_stacks.run(deploy, whole_stacks.config_of("prod"))
    assert of_databases(plain) == []
    assert not [one for one in plain.resources if "-database" in one.name]


def test_a_workload_on_a_pool_of_one_cloud_has_its_database_there() -> None:
    config = whole_stacks.config_of("prod")
    asked = {
        key.partition(":")[2]: value for key, value in config.items() if key.startswith("india-ai-infra:")
    }
    asked["workloads"] |= {"tracking": {"cloud": "gcp", "image": "registry.example.in/tracking:1"}}
    settings = reading.parse(asked)
    by_name = {each.needs.name: each.needs for each in WORKLOADS}
    training, tracking = by_name["training"], by_name["tracking"]
    needs = [replace(training, database=True), training, tracking, ASKING[0].needs]
    assert with_database(settings, "aws", needs) == ["training", "proof"]
    assert with_database(settings, "gcp", needs) == ["tracking", "proof"]
