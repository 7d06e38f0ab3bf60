"""Databases on RDS: which only the cluster reaches, under the stack's key, and that pods check the certificate of."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.aws.database import CERTIFICATES, Databases, DatabasesArgs, instance_name
from infra.aws.existing_network import ExistingNetwork, NetworkFacts, Subnet, Vpc
from infra.contracts.database import VARIABLES
from infra.geography import regions_of
from infra.settings.database import AwsDatabase
from tests.examples import examples

KEY, LOGS_KEY, TOPIC = "arn:aws:kms:…:key/database", "arn:aws:kms:…:key/logs", "arn:aws:sns:…:alerts"
SUBNETS = tuple(
    Subnet(f"subnet-{n}", "vpc-1", f"aps1-az{n}", "", 100, "rtb-1", True, {}, f"10.0.{n}.0/24")
    for n in (1, 2)
)


@pytest.fixture(scope="module")
def build(deploy, account, personal):
    def run(**more):
        def program():
            network = ExistingNetwork(
                "network", account, NetworkFacts(Vpc("vpc-1", ("10.0.0.0/16",), True), SUBNETS, SUBNETS)
            )
            given = {"name": "unit", "workloads": ["tracking"], "asked": AwsDatabase(), **more}
            args = DatabasesArgs(
                account,
                personal,
                network=network,
                clients=["sg-cluster"],
                key_arn=KEY,
                logs_key_arn=LOGS_KEY,
                topic_arn=TOPIC,
                **given,
            )
            made = Databases("databases", args).by_workload
            return {name: {**database.secret, "cidrs": database.cidrs} for name, database in made.items()}

        outputs = {"aws:rds/instance:Instance": {"address": "unit-tracking.abc.ap-south-1.rds.amazonaws.com"}}
        return deploy(program, outputs=outputs)

    return run


@pytest.fixture(scope="module")
def made(build):
    return build()


def test_pods_get_what_libpq_reads_and_check_the_servers_name(made):
    secret = dict(made.result["tracking"])
    certificate, cidrs = secret.pop("ca.pem"), secret.pop("cidrs")
    assert tuple(secret) == VARIABLES
    assert secret["PGHOST"] == "unit-tracking.abc.ap-south-1.rds.amazonaws.com"
    assert (secret["PGPORT"], secret["PGDATABASE"], secret["PGUSER"]) == ("5432", "tracking", "tracking")
    assert secret["PGSSLMODE"] == "verify-full"
    assert secret["PGSSLROOTCERT"] == "/var/run/database/ca.pem"
    assert "Amazon RDS ap-south-1 Root CA RSA2048 G1" in certificate
    assert cidrs == ["10.0.1.0/24", "10.0.2.0/24"]


@pytest.mark.parametrize("region", regions_of("aws"))
def test_each_region_has_the_root_that_signs_its_servers(region):
    (root,) = x509.load_pem_x509_certificates((CERTIFICATES / f"{region}.pem").read_bytes())
    (name,) = root.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    assert name.value == f"Amazon RDS {region} Root CA RSA2048 G1"
    root.verify_directly_issued_by(root)
    assert root.not_valid_after_utc > datetime.now(UTC) + timedelta(days=3650)


def test_the_database_is_private_encrypted_and_backed_up(made):
    database = made.one("rds/instance:Instance").inputs
    assert database["publiclyAccessible"] is False
    assert (database["storageEncrypted"], database["kmsKeyId"]) == (True, KEY)
    assert database["caCertIdentifier"] == "rds-ca-rsa2048-g1", "the root that pods have is of this one"
    assert database["backupRetentionPeriod"] == 7
    assert (database["allocatedStorage"], database["maxAllocatedStorage"]) == (20, 100)
    assert made.one("rds/subnetGroup:SubnetGroup").inputs["subnetIds"] == ["subnet-1", "subnet-2"]
    parameters = made.one("rds/parameterGroup:ParameterGroup").inputs
    assert parameters["family"] == "postgres17"
    assert {"name": "rds.force_ssl", "value": "1"} in parameters["parameters"]


def test_only_the_cluster_reaches_it(made):
    group = made.one("ec2/securityGroup:SecurityGroup").inputs
    assert "ingress" not in group
    assert "egress" not in group
    rule = made.one("vpc/securityGroupIngressRule:SecurityGroupIngressRule").inputs
    assert rule["referencedSecurityGroupId"] == "sg-cluster"
    assert (rule["ipProtocol"], rule["fromPort"], rule["toPort"]) == ("tcp", 5432, 5432)


def test_its_logs_are_in_groups_of_ours_before_rds_would_make_them(made):
    groups = made.of("cloudwatch/logGroup:LogGroup")
    names = {group.inputs["name"] for group in groups.values()}
    assert names == {f"/aws/rds/instance/unit-tracking/{log}" for log in ("postgresql", "upgrade")}
    assert {group.inputs["kmsKeyId"] for group in groups.values()} == {LOGS_KEY}
    database = made.one("rds/instance:Instance")
    assert set(database.inputs["enabledCloudwatchLogsExports"]) == {"postgresql", "upgrade"}
    assert {group.urn for group in groups.values()} <= database.depends_on


def test_somebody_hears_of_a_disk_that_fills(made):
    rule = made.one("cloudwatch/eventRule:EventRule").inputs
    assert '"low storage"' in rule["eventPattern"]
    assert made.one("cloudwatch/eventTarget:EventTarget").inputs["arn"] == TOPIC


@pytest.mark.parametrize("protect", [True, False])
def test_a_protected_one_survives_a_destroy_and_leaves_a_snapshot(build, protect):
    database = build(protect=protect).one("rds/instance:Instance")
    assert database.protect is protect
    assert database.inputs["deletionProtection"] is protect
    assert database.inputs["skipFinalSnapshot"] is not protect
    assert database.inputs["finalSnapshotIdentifier"] == "unit-tracking-a1b2c3"


def test_each_workload_has_its_own(build):
    made = build(workloads=["tracking", "features"])
    databases = {one.inputs["dbName"]: one for one in made.of("rds/instance:Instance").values()}
    assert set(databases) == {"tracking", "features"}
    assert len(made.of("random:index/randomPassword:RandomPassword")) == 2
    assert len({one.inputs["identifier"] for one in databases.values()}) == 2


# RDS API, CreateDBInstance: "1 to 63 letters, numbers, or hyphens", "First character must be a letter", "Can't end
# with a hyphen or contain two consecutive hyphens".
@given(st.from_regex(r"[a-z][A-Za-z0-9_-]{0,36}", fullmatch=True), st.sampled_from(["tracking", "features"]))
@settings(max_examples=examples(50))
def test_its_name_is_one_that_rds_takes(stack, workload):
    name = instance_name(f"india-ai-infra-{stack}", workload)
    assert re.fullmatch(r"[a-z](-?[a-z0-9]+)*", name)
    assert len(name) <= 63
