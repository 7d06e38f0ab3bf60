"""Places abroad that are no transfer: what exists in one place only, what comes to India, countries of people."""

from __future__ import annotations

from typing import Any

import pytest

from policies.readers.exceptions import TABLES, lets_through, only_at_home
from policies.readers.tables import table
from tests.policies.harness import UNKNOWN, Shown, failures, of, run

VIRGINIA = {"region": "us-east-1"}
PROVIDER = "pulumi:providers:aws"


def residency(shown: Shown) -> list[str]:
    return [
        line for control in ("DPDP-RES-01", "DPDP-RES-06", "DPDP-RES-22") for line in of(run(shown), control)
    ]


QUIET: list[tuple[str, dict[str, Any]]] = [
    ("aws:cloudwatch/metricAlarm:MetricAlarm", {**VIRGINIA, "namespace": "AWS/Billing"}),
    ("aws:cloudwatch/metricAlarm:MetricAlarm", {**VIRGINIA, "namespace": "AWS/Route53"}),
    ("aws:acm/certificate:Certificate", {**VIRGINIA, "domainName": "shop.example.in"}),
    ("aws:kms/key:Key", {**VIRGINIA, "keyUsage": "SIGN_VERIFY", "customerMasterKeySpec": "ECC_NIST_P256"}),
    ("aws:securityhub/findingAggregator:FindingAggregator", {"specifiedRegions": ["us-east-1", "eu-west-1"]}),
    (
        "aws:cfg/configurationAggregator:ConfigurationAggregator",
        {"accountAggregationSource": {"regions": ["us-east-1"]}},
    ),
    ("aws:ec2/amiCopy:AmiCopy", {"sourceAmiRegion": "us-east-1", "sourceAmiId": "ami-1", "encrypted": True}),
    ("aws:ebs/snapshotCopy:SnapshotCopy", {"sourceRegion": "eu-west-1", "encrypted": True}),
    ("aws:route53/healthCheck:HealthCheck", {"regions": ["us-east-1", "eu-west-1", "ap-southeast-1"]}),
    (
        "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig",
        {"selectedRegions": ["USA_OREGON", "EUROPE", "ASIA_PACIFIC"]},
    ),
    (
        "gcp:compute/healthCheck:HealthCheck",
        {"sourceRegions": ["us-central1", "europe-west1", "asia-south1"]},
    ),
    ("gcp:accesscontextmanager/accessLevel:AccessLevel", {"basic": {"conditions": [{"regions": ["IN"]}]}}),
    (
        "gcp:accesscontextmanager/accessLevel:AccessLevel",
        {"basic": {"conditions": [{"regions": ["US", "GB"]}]}},
    ),
    (
        "gcp:compute/securityPolicy:SecurityPolicy",
        {"rules": [{"match": {"expr": {"expression": "origin.region_code == 'US'"}}}]},
    ),
    (
        "gcp:compute/networkFirewallPolicyRule:NetworkFirewallPolicyRule",
        {"match": {"srcRegionCodes": ["US"]}},
    ),
    (
        "aws:cloudfront/distribution:Distribution",
        {
            "tags": {"dpdp:data-class": "public"},
            "restrictions": {"geoRestriction": {"restrictionType": "whitelist", "locations": ["IN", "US"]}},
        },
    ),
    ("aws:cloudfront/cachePolicy:CachePolicy", {"name": "c"}),
    ("gcp:networksecurity/serverTlsPolicy:ServerTlsPolicy", {"location": "global"}),
    ("gcp:privilegedaccessmanager/entitlement:entitlement", {"location": "global"}),
    ("gcp:networkconnectivity/spoke:Spoke", {"location": "global"}),
    ("gcp:iam/oauthClient:OauthClient", {"location": "global"}),
    (
        "gcp:identityplatform/config:Config",
        {"smsRegionConfig": {"allowlistOnly": {"allowedRegions": ["IN", "US"]}}},
    ),
]


@pytest.mark.parametrize(("type_", "props"), QUIET)
def test_is_let_through(type_: str, props: dict[str, Any]) -> None:
    assert residency(Shown(type_, props)) == []


LOUD: list[tuple[str, dict[str, Any]]] = [
    ("aws:cloudwatch/metricAlarm:MetricAlarm", {**VIRGINIA, "namespace": "Shop/Orders"}),
    ("aws:cloudwatch/metricAlarm:MetricAlarm", {**VIRGINIA}),
    ("aws:cloudwatch/metricAlarm:MetricAlarm", {**VIRGINIA, "namespace": UNKNOWN}),
    ("aws:cloudwatch/metricAlarm:MetricAlarm", {"region": "eu-west-1", "namespace": "AWS/Billing"}),
    ("aws:acm/certificate:Certificate", {"region": "eu-west-1"}),
    ("aws:kms/key:Key", {**VIRGINIA, "keyUsage": "ENCRYPT_DECRYPT"}),
    ("aws:securityhub/findingAggregator:FindingAggregator", {"region": "us-east-1"}),
    ("aws:ec2/amiCopy:AmiCopy", {"sourceAmiRegion": "us-east-1", "region": "eu-west-1"}),
    ("gcp:networksecurity/serverTlsPolicy:ServerTlsPolicy", {"location": "us-central1"}),
    ("gcp:dataproc/cluster:Cluster", {"region": "global"}),
    ("gcp:discoveryengine/dataStore:DataStore", {"location": "global"}),
    ("gcp:cloudbuild/trigger:Trigger", {"location": "global"}),
    ("gcp:logging/projectBucketConfig:ProjectBucketConfig", {"location": "global"}),
    ("gcp:kms/never:Seen", {"regions": ["us-central1"]}),
    ("aws:cloudfront/distribution:Distribution", {"restrictions": {"geoRestriction": {"locations": ["IN"]}}}),
    ("aws:cloudfront/distribution:Distribution", {"tags": {"dpdp:data-class": "personal"}}),
    (
        "aws:cloudfront/distribution:Distribution",
        {
            "tags": {"dpdp:data-class": "public"},
            "origins": [{"originShield": {"originShieldRegion": "us-east-1"}}],
        },
    ),
]


@pytest.mark.parametrize(("type_", "props"), LOUD)
def test_is_not_let_through(type_: str, props: dict[str, Any]) -> None:
    assert residency(Shown(type_, props))


def of_virginia(*types: str) -> list[Shown]:
    """A provider of us-east-1, and what it makes."""
    provider = Shown(PROVIDER, VIRGINIA, "p")
    props = {"namespace": "AWS/Billing", "tags": {"dpdp:data-class": "internal"}}
    return [provider, *(Shown(type_, props, str(at), provider=VIRGINIA) for at, type_ in enumerate(types))]


CERTIFICATE, ALARM = "aws:acm/certificate:Certificate", "aws:cloudwatch/metricAlarm:MetricAlarm"


@pytest.mark.parametrize(
    "types", [(CERTIFICATE,), (ALARM, "aws:wafv2/webAcl:WebAcl"), (CERTIFICATE, "aws:iam/role:Role")]
)
def test_a_provider_of_what_is_in_one_region_only(types: tuple[str, ...]) -> None:
    assert not failures(run(*of_virginia(*types)), "DPDP-RES-02")


@pytest.mark.parametrize("types", [(), ("aws:sqs/queue:Queue",), (CERTIFICATE, "aws:s3/bucket:Bucket")])
def test_a_provider_that_makes_anything_else(types: tuple[str, ...]) -> None:
    (line,) = failures(run(*of_virginia(*types)), "DPDP-RES-02")
    assert (types[-1] if types else "nothing yet") in line
    assert CERTIFICATE not in line


def test_a_provider_of_another_region_abroad_may_make_nothing() -> None:
    abroad = Shown(PROVIDER, {"region": "eu-west-1"}, "p")
    assert failures(run(abroad, Shown(CERTIFICATE, {}, provider={"region": "eu-west-1"})), "DPDP-RES-02")


@pytest.mark.parametrize("file", TABLES)
def test_every_exception_has_a_reason_a_source_and_a_day(file: str) -> None:
    rows = table(file)
    assert rows
    for row in rows:
        assert row["types"].count(":") >= 1, row
        assert row["reason"] and row["source"] and row["as_of"], row
        assert row["property"] or row["values"], "an exception of everything is none"


def test_exceptions_are_of_their_own_types_only() -> None:
    assert lets_through("gcp:iam/oauthClient:OauthClient", ("location",), "global")
    assert not lets_through("gcp:iam/oauthClient:OauthClient", ("location",), "us")
    assert not lets_through("gcp:storage/bucket:Bucket", ("location",), "global")
    assert not only_at_home("aws:s3/bucket:Bucket", {})
