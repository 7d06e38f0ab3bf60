"""Updates that fail on the real engine: what a person reads of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from localcloud import cloud
from localcloud.engine import OUR_PACK, POLICIES, PolicyPack, Stack
from localcloud.faults import lost

pytestmark = pytest.mark.e2e

PROGRAM = """
import pulumi
import pulumi_aws as aws

said = pulumi.Config()
mumbai = aws.Provider("mumbai", region="ap-south-1")
opts = pulumi.ResourceOptions(provider=mumbai, protect=said.get_bool("protect"))
aws.ec2.Vpc("network", cidr_block=said.require("cidr"), opts=pulumi.ResourceOptions(provider=mumbai))
for name in ("raw", "curated"):
    aws.s3.Bucket(name, bucket=f"{name}-{said.require('suffix')}", opts=opts)
    aws.kms.Key(f"key-{name}", opts=pulumi.ResourceOptions(provider=mumbai))
if said.get_bool("broken"):
    status = {"status": "Enabled"}
    aws.s3.BucketVersioning(
        "broken", bucket="nobody-has-it", versioning_configuration=status, opts=pulumi.ResourceOptions(provider=mumbai)
    )
"""
SAID = {"cidr": "10.9.0.0/16", "suffix": "faults-a", "protect": "true"}
Change = Callable[..., Stack]


@pytest.fixture(scope="module")
def change(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Change]:
    """A stack that is up, with other settings."""
    folder = tmp_path_factory.mktemp("faults")
    (folder / "Pulumi.yaml").write_text("name: faults\nruntime: python\n")
    (folder / "__main__.py").write_text(PROGRAM)
    env = cloud.environment(environment["INDIA_AI_INFRA_AWS_ENDPOINT"])

    def changed(pack: PolicyPack = OUR_PACK, **settings: str) -> Stack:
        config = {f"faults:{key}": value for key, value in {**SAID, **settings}.items()}
        (folder / "Pulumi.faults.yaml").write_text(yaml.safe_dump({"config": config}))
        return Stack("faults", env, folder, pack=pack)

    made = changed().up(policies=False)
    assert not made.failed, made.errors
    yield changed
    stack = changed()
    stack.unprotect()
    ended = stack.destroy()
    assert not ended.failed, ended.errors


def test_protected_data_that_would_be_replaced_is_one_message(change: Change) -> None:
    outcome = change(suffix="faults-b").preview(policies=False)
    assert outcome.failed
    (only,) = outcome.errors
    assert only.startswith("2 resources that are protected would be replaced"), only
    assert "aws:s3/bucket:Bucket raw: bucket changed" in only
    assert "aws:s3/bucket:Bucket curated: bucket changed" in only
    assert lost(outcome.replaced) is None


def test_a_network_that_would_be_replaced_is_known_before_anything_is_done(change: Change) -> None:
    outcome = change(cidr="10.10.0.0/16").preview(policies=False)
    assert not outcome.failed, outcome.errors
    assert "aws:ec2/vpc:Vpc network: cidrBlock changed" in (lost(outcome.replaced) or "")
    assert lost(change().preview(policies=False).replaced) is None


def test_the_first_cause_is_alone_though_the_policies_were_at_work(change: Change, tmp_path: Path) -> None:
    config = tmp_path / "filled.json"
    config.write_text(
        json.dumps({"all": "disabled", "dpdp-enc-05-keys-rotate-and-are-protected": "remediate"})
    )
    outcome = change(PolicyPack(POLICIES, config), broken="true").up()
    assert outcome.failed
    assert outcome.errors
    assert all("BucketVersioning broken" in error for error in outcome.errors), outcome.errors


def test_what_the_policies_refuse_is_said_without_the_engines_pages(change: Change) -> None:
    outcome = change(protect="false").preview()
    assert outcome.failed
    mandatory = [found for found in outcome.policies if found.enforcement_level == "mandatory"]
    assert outcome.errors == [f"the policies refuse it: {len(mandatory)} mandatory findings"]
