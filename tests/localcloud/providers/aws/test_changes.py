"""What an update writes, a refresh reads: every property that our stacks give, and what makes a new resource.

The rows of `steps` are made once, against a moto of their own; each change is made, read back and undone.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localcloud.providers.aws import table as aws_table
from localcloud.providers.protocol import UNKNOWN, ResourceError, Values
from tests.localcloud.providers.aws.steps import STEPS
from tests.localcloud.providers.aws.test_table import sdk
from tests.localcloud.providers.aws.world import DEFAULT_TAGS, TRUST, Step, World, allow, own
from tests.program import test_hybrid, test_program

pytestmark = pytest.mark.slow

KEY, VPC, ROLE = "aws:kms/key:Key", "aws:ec2/vpc:Vpc", "aws:iam/role:Role"

# What a change needs beside what is there.
OTHERS: list[Step] = [
    (KEY, "other-key", {"deletionWindowInDays": 7}, None),
    (VPC, "other-vpc", {"cidrBlock": "10.9.0.0/16"}, None),
    (ROLE, "other-role", {"assumeRolePolicy": TRUST}, None),
    ("aws:s3/bucket:Bucket", "other-bucket", {"forceDestroy": True}, None),
    ("aws:ec2/routeTable:RouteTable", "other-routes", lambda made: {"vpcId": made["vpc"].id}, None),
    ("aws:ec2/customerGateway:CustomerGateway", "other-site",
     {"type": "ipsec.1", "ipAddress": "203.0.113.8", "bgpAsn": "65011"}, None),
    ("aws:ec2/vpnGateway:VpnGateway", "other-vgw", {}, None),
    ("aws:s3/bucketPolicy:BucketPolicy", "other-log-delivery", lambda made: {
        "bucket": made["other-bucket"].id,
        "policy": allow("s3:PutObject", f"{made['other-bucket'].arn}/*",
                        Principal={"Service": "logging.s3.amazonaws.com"}),
    }, None),
    # Rules inside a group and apart from it exclude each other.
    ("aws:ec2/securityGroup:SecurityGroup", "inline-rules", lambda made: {
        "name": "inline-rules",
        "description": "Rules inside",
        "vpcId": made["vpc"].id,
        "egress": [{"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["0.0.0.0/0"]}],
    }, None),
]  # fmt: skip

# By resource: values that its properties change to, of every property that a program of ours gives (a test holds it).
CHANGES: dict[str, Any] = {
    "key": {"enableKeyRotation": False},
    "alias": lambda made: {"targetKeyId": made["other-key"].arn},
    "vpc": {"enableDnsSupport": False},
    "closed": {
        "ingress": [{"protocol": "tcp", "fromPort": 22, "toPort": 22, "cidrBlocks": ["10.0.0.0/8"]}],
        "egress": [{"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["10.0.0.0/8"]}],
    },
    "igw": lambda made: {"vpcId": made["other-vpc"].id},
    "inline-rules": {"egress": [{"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["10.0.0.0/8"]}]},
    "https": {"description": "from there", "fromPort": 8080, "toPort": 8081, "ipProtocol": "udp"},
    "peers": {"description": "to peers", "fromPort": 50, "ipProtocol": "udp"},
    "s3": lambda made: {"routeTableIds": [made["routes"].id, made["other-routes"].id]},
    "ecr": lambda made: {"securityGroupIds": [made["endpoints"].id], "privateDnsEnabled": False},
    "template": lambda made: {
        "description": "of a pool",
        "blockDeviceMappings": [{"deviceName": "/dev/xvda", "ebs": {"volumeSize": 300}}],
        "metadataOptions": {"httpTokens": "required", "httpPutResponseHopLimit": 2},
        "tagSpecifications": [{"resourceType": "instance", "tags": {"Name": "serve"}}],
        "networkInterfaces": [{"deviceIndex": 0, "securityGroups": [made["endpoints"].id]}],
        "userData": "I2Nsb3VkLWNvbmZpZw==",
        "placement": {"groupName": "another"},
        "updateDefaultVersion": False,
    },
    "jump-host": lambda made: {
        "instanceType": "t4g.micro",
        "vpcSecurityGroupIds": [made["group"].id],
        "iamInstanceProfile": made["profile"].id,
        "rootBlockDevice": {**made["jump-host"].inputs["rootBlockDevice"], "volumeSize": 16},
    },
    "private": {"ignorePublicAcls": True, "blockPublicAcls": False, "blockPublicPolicy": True},
    "log-delivery": lambda made: {
        "policy": allow("s3:GetObject", f"{made['audit'].arn}/*", Principal={"AWS": "*"})
    },
    "logging": lambda made: {"targetBucket": made["other-bucket"].id, "targetObjectKeyFormat": {"simplePrefix": {}}},
    "role": {"assumeRolePolicy": TRUST.replace("eks.", "ec2.")},
    "profile": lambda made: {"role": made["other-role"].id},
    "logs": lambda made: {"kmsKeyId": made["other-key"].arn},
    "cluster": lambda made: {
        "vpcConfig": {**made["cluster"].inputs["vpcConfig"], "endpointPublicAccess": True},
        "accessConfig": {
            "authenticationMode": "API_AND_CONFIG_MAP",
            "bootstrapClusterCreatorAdminPermissions": False,
        },
        "upgradePolicy": {"supportType": "EXTENDED"},
        "zonalShiftConfig": {"enabled": True},
        "remoteNetworkConfig": {"remoteNodeNetworks": {"cidrs": ["192.168.10.0/24"]}},
        "deletionProtection": True,
    },
    "train": lambda made: {
        "releaseVersion": "1.35.7-20260903",
        "version": "1.35",
        "updateConfig": {"maxUnavailable": 2},
        "launchTemplate": {"id": made["template"].id, "version": "2"},
        "taints": [{"key": "nvidia.com/gpu", "value": "yes", "effect": "NO_EXECUTE"}],
        "nodeRepairConfig": {"enabled": True},
    },
    "cni": lambda made: {
        "configurationValues": json.dumps({"env": {"ENABLE_PREFIX_DELEGATION": "false"}}),
        "podIdentityAssociations": [{"roleArn": made["other-role"].arn, "serviceAccount": "aws-node"}],
    },
    "images": lambda made: {
        "encryptionConfigurations": [{"encryptionType": "KMS", "kmsKey": made["other-key"].arn}],
        "description": "Images of others",
        "customRoleArn": made["other-role"].arn,
        "lifecyclePolicy": json.dumps({"rules": [1]}),
        "appliedFors": ["PULL_THROUGH_CACHE"],
    },
    "identity": lambda made: {"roleArn": made["other-role"].arn},
    "spot": {"eventPattern": json.dumps({"source": ["aws.health"]})},
    "queue": {"sqsManagedSseEnabled": False},
    "queue-policy": lambda made: {"policy": allow("sqs:*", made["queue"].arn, Principal={"AWS": "*"})},
    "to-queue": lambda made: {"arn": made["topic"].arn},
    "topic": lambda made: {"kmsMasterKeyId": made["other-key"].id},
    "topic-policy": lambda made: {"policy": allow("sns:*", made["topic"].arn, Principal={"AWS": "*"})},
    "trail": lambda made: {
        "enableLogFileValidation": False,
        "includeGlobalServiceEvents": False,
        "isMultiRegionTrail": False,
        "s3BucketName": made["other-bucket"].id,
        "kmsKeyId": made["other-key"].arn,
        "enableLogging": False,
        "advancedEventSelectors": [
            {"name": "all", "fieldSelectors": [{"field": "eventCategory", "equals": ["Management"]}]}
        ],
    },
    "detector": {"enable": False},
    "runtime": {"additionalConfigurations": [{"name": "EKS_ADDON_MANAGEMENT", "status": "DISABLED"}]},
    "vgw": lambda made: {"vpcId": made["other-vpc"].id},
    "vpn": lambda made: {
        "customerGatewayId": made["other-site"].id,
        "vpnGatewayId": made["other-vgw"].id,
        "presharedKeyStorage": "Standard",
        **{
            f"tunnel{n}{option}": value
            for n in (1, 2)
            for option, value in {
                "DpdTimeoutAction": "restart",
                "EnableTunnelLifecycleControl": True,
                "IkeVersions": ["ikev1", "ikev2"],
                "LogOptions": {"cloudwatchLogOptions": {"logEnabled": False}},
                "Phase1DhGroupNumbers": [21],
                "Phase1EncryptionAlgorithms": ["AES256"],
                "Phase1IntegrityAlgorithms": ["SHA2-512"],
                "Phase2DhGroupNumbers": [24],
                "Phase2EncryptionAlgorithms": ["AES128"],
                "Phase2IntegrityAlgorithms": ["SHA2-384"],
                "StartupAction": "start",
            }.items()
        },
    },
    "anchor": {
        "name": "hall",
        "source": {"sourceType": "CERTIFICATE_BUNDLE", "sourceData": {"x509CertificateData": "OTHER"}},
    },
    "site-profile": lambda made: {
        "name": "hall",
        "enabled": False,
        "roleArns": [made["other-role"].arn],
        "acceptRoleSessionName": False,
    },
    "parameter": {"description": "plainer", "type": "StringList"},
    "spend": {
        "budgetType": "USAGE",
        "timeUnit": "QUARTERLY",
        "limitUnit": "GB",
        "costFilters": [{"name": "TagKeyValue", "values": ["user:stack$prod"]}],
        "costTypes": {"includeTax": True, "includeCredit": True},
    },
}  # fmt: skip


# What AWS takes in one direction only, and how it refuses the other.
ONE_WAY = {
    ("cluster", "version"): "Unsupported Kubernetes minor version update",
    ("database", "allocatedStorage"): "Invalid storage size for engine name postgres",
}


@pytest.fixture(scope="module")
def full(world: World) -> World:
    """A world with one of everything, and what changes need besides."""
    for token, name, inputs, _ in [*STEPS, *OTHERS]:
        world.make(token, name, inputs)
    return world


def as_written(world: World, name: str) -> None:
    made, found = world.made[name], world.refresh(name)
    assert found is not None
    assert found[0] == made.inputs
    assert found[1] == made.outputs
    assert world.aws.diff(made.resource, found[0], found[1], made.inputs).changed == []


def each_change() -> list[tuple[str, str]]:
    """Names of resources, with each of the properties that they change."""
    anything: Any = _Anything()
    steps = {name: change for _, name, _, change in STEPS if change is not None}
    found = []
    for changes in (steps, CHANGES):
        for name, change in changes.items():
            wanted: Any = change(anything) if callable(change) else change
            found += [(name, key) for key in wanted]
    return found


class _Anything(dict[str, Any]):
    """Stands for the resources made, where only the names of a change are asked for."""

    def __missing__(self, key: str) -> Any:
        return _Anything()

    def __getattr__(self, name: str) -> Any:
        return _Anything()


@pytest.mark.parametrize(("name", "key"), each_change())
def test_what_was_written_is_read_back_and_so_is_the_way_back(full: World, name: str, key: str) -> None:
    before = own(full.made[name].inputs)
    step = next(step[3] for step in (*STEPS, *OTHERS) if step[1] == name)
    for source in (step, CHANGES.get(name)):
        change: Any = source(full.made) if callable(source) else source
        if change and key in change and change[key] != before.get(key):
            # A route has one target.
            full.change(name, change if name == "out" else {key: change[key]})
            as_written(full, name)
            back = {other: before.get(other) for other in (change if name == "out" else (key,))}
            if (name, key) in ONE_WAY:
                with pytest.raises(ResourceError, match=ONE_WAY[name, key]):
                    full.change(name, back)
            else:
                full.change(name, back)
            as_written(full, name)
            return
    raise AssertionError(f"{name}.{key} changes nothing")


TAGS = st.dictionaries(
    st.text("abcdefghijklmnop:-/", min_size=1, max_size=12).filter(lambda key: not key.startswith("aws:")),
    st.text("abcdefghijklmnop0123456789 .:/=+-@", min_size=1, max_size=12).map(
        lambda value: value.strip() or "x"
    ),
    max_size=4,
)


@pytest.mark.parametrize("name", [step[1] for step in STEPS if aws_table.row(step[0]).taggable])
@settings(
    max_examples=4,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(tags=TAGS)
def test_any_tags_are_read_back_as_they_were_written(full: World, name: str, tags: dict[str, str]) -> None:
    made = full.made[name]
    if {**DEFAULT_TAGS, **tags} != made.inputs["tags"]:
        checked = full.aws.check(made.resource, made.inputs, {**own(made.inputs), "tags": tags})
        diff = full.aws.diff(made.resource, made.inputs, made.outputs, checked)
        assert (diff.changed, diff.replaces) == (["tags"], [])
        made.outputs = full.aws.update(made.resource, made.inputs, made.outputs, checked)
        made.inputs = checked
    assert made.outputs["tagsAll"] == {**DEFAULT_TAGS, **tags}
    as_written(full, name)


def test_a_program_without_default_tags_takes_the_last_tag_away(full: World) -> None:
    full.aws._default_tags = {}
    try:
        for name in ("train", "template", "cni", "vpc", "topic"):
            made = full.made[name]
            bare = {key: value for key, value in made.inputs.items() if key != "tags"}
            made.outputs = full.aws.update(made.resource, made.inputs, made.outputs, bare)
            found = full.refresh(name)
            assert found is not None
            seen = full.aws.read(made.resource, {**bare, "tags": {}}, made.outputs)
            assert seen is not None
            assert seen[0].get("tags") in (None, {}), name
            made.outputs = full.aws.update(made.resource, bare, made.outputs, made.inputs)
            as_written(full, name)
    finally:
        full.aws._default_tags = DEFAULT_TAGS


# ── What makes a new resource ─────────────────────────────────────────────────────────────────────────────────────────


def lines() -> list[dict[str, str]]:
    with aws_table.REPLACED.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_type_has_its_lines_and_every_line_a_property_of_the_type() -> None:
    assert {line["type"] for line in lines()} >= set(aws_table.tokens())
    for line in lines():
        assert line["how"] in ("always", "some", "never")
        inputs, _ = sdk(line["type"])
        assert (line["how"] == "never") == (line["property"] == "")
        assert line["property"].split(".")[0] in inputs | {""}, line


def paths(token: str, how: str) -> set[str]:
    return {line["property"] for line in lines() if (line["type"], line["how"]) == (token, how)}


@pytest.mark.parametrize("token", aws_table.tokens())
def test_the_local_cloud_replaces_what_the_real_provider_replaces(token: str) -> None:
    row, (inputs, _) = aws_table.row(token), sdk(token)
    always = paths(token, "always")
    for name in sorted(inputs - {"region", "tagsAll"}):
        replaced = row.replaced_by([name], {name: "one"}, {name: "two"})
        wanted = name in always or name in row.differs
        if name not in row.replaced_when:
            assert bool(replaced) is wanted, name
    for path in (path for path in always if "." in path):
        old, new = nested(path, "one"), nested(path, "two")
        name = path.split(".")[0]
        assert row.replaced_by([name], old, new) == [name]
        assert row.replaced_by([name], old, old) == []
        assert row.replaced_by([name], old, {name: UNKNOWN}) == [name]


def nested(path: str, value: Any) -> Values:
    name, _, rest = path.partition(".")
    return {name: nested(rest, value) if rest else value}


@pytest.mark.parametrize("token", aws_table.tokens())
def test_a_row_decides_only_what_the_provider_leaves_open(token: str) -> None:
    row = aws_table.row(token)
    assert set(row.replaced_when) <= paths(token, "some")
    assert not set(row.differs) & paths(token, "always")
    assert all(len(reason) > 20 for reason in row.differs.values())


def test_what_a_rule_admits_may_change_but_not_the_kind_of_it() -> None:
    row = aws_table.row("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
    net, peer = {"cidrIpv4": "10.0.0.0/8"}, {"referencedSecurityGroupId": "sg-1"}
    assert row.replaced_by(["cidrIpv4"], net, {"cidrIpv4": "10.0.0.0/9"}) == []
    assert row.replaced_by(["cidrIpv4", "referencedSecurityGroupId"], net, peer) == [
        "cidrIpv4",
        "referencedSecurityGroupId",
    ]


def test_encryption_of_a_cluster_comes_and_never_goes() -> None:
    row = aws_table.row("aws:eks/cluster:Cluster")
    on: Values = {"encryptionConfig": {"resources": ["secrets"]}}
    assert row.replaced_by(["encryptionConfig"], {}, on) == []
    assert row.replaced_by(["encryptionConfig"], on, {}) == ["encryptionConfig"]


def test_a_change_that_no_call_makes_is_refused_and_not_played_as_another(full: World) -> None:
    made = full.made["nat"]
    wanted = {**made.inputs, "secondaryAllocationIds": ["eipalloc-1"]}
    with pytest.raises(ResourceError, match=r"changes secondaryAllocationIds in place.*complete it"):
        full.aws.diff(made.resource, made.inputs, made.outputs, wanted)


# ── What our programs give ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def given_by_programs(deploy: Callable[..., Any]) -> dict[str, set[str]]:
    """The properties that our largest stack and one with a site on premises give, by type."""
    properties: dict[str, set[str]] = {}
    for recorded in (test_program._deployed(deploy, "prod"), test_hybrid.run(deploy)):
        for resource in recorded.resources:
            if resource.type.startswith("aws:"):
                properties.setdefault(resource.type, set()).update(resource.inputs)
    return properties


def test_each_property_that_programs_give_is_replaced_or_has_a_call(
    given_by_programs: dict[str, set[str]],
) -> None:
    lost = {
        token: unknown
        for token, properties in given_by_programs.items()
        if (
            unknown := aws_table.row(token).unknown_updates(
                sorted(properties - aws_table.row(token).replaced)
            )
        )
    }
    assert lost == {}


def test_each_property_that_programs_give_is_changed_here(given_by_programs: dict[str, set[str]]) -> None:
    tokens = {name: token for token, name, _, _ in (*STEPS, *OTHERS)}
    changed: dict[str, set[str]] = {}
    for name, key in each_change():
        changed.setdefault(tokens[name], set()).add(key)
    lacking = {}
    for token, properties in given_by_programs.items():
        row = aws_table.row(token)
        stays = row.replaced | row.local | row.differs.keys() | row.replaced_when.keys() | {"tags", "region"}
        if missing := properties - stays - changed.get(token, set()):
            lacking[token] = sorted(missing)
    assert lacking == {}
