"""What an AWS account says about a stack's needs. Nothing here changes the account: every call reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from commands.preflight.needs import Need, Placed, ServiceRoleRow
from infra.pricing.resources import ResourceGraph

# A client of a service in a region. IAM and its quotas are answered in us-east-1 alone, wherever they are asked from.
Aws = Callable[[str, str], Any]
Verdict = Literal["ok", "tight", "missing", "unknown"]
IAM_REGION = "us-east-1"
UNSAID = (
    ClientError,
    BotoCoreError,
    ResponseParserError,
)  # refused, unreachable, or an answer that can't be read
DETECTOR = "aws:guardduty/detector:Detector"
ACTIONS_A_CALL = 100
# How many an account has already, for the quotas that are small: operation and the list in its answer. What runs of
# other quotas counts too, and is not subtracted.
USED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "type aws:ec2/eip:Eip": ("describe_addresses", "Addresses"),
        "type aws:ec2/vpc:Vpc": ("describe_vpcs", "Vpcs"),
        "type aws:ec2/internetGateway:InternetGateway": ("describe_internet_gateways", "InternetGateways"),
    }
)


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `fix` is a command, a page or a setting; empty where nothing is to do."""

    kind: str
    what: str
    needed: str
    actual: str
    verdict: Verdict
    fix: str = ""


def quota(need: Need, tags: Mapping[str, str], aws: Aws) -> Finding:
    """A quota as it is today, against what the stack needs with its pools at their maximum.

    `tags` are those of the stack itself: what carries them is not counted as used by others.
    """
    row, region = need.quota, IAM_REGION if need.quota.service == "iam" else need.region
    what = f"{row.name} ({', '.join(row.codes)}{', unverified' if row.basis == 'unverified' else ''})"
    wanted = f"{need.amount:g}" + (f", up to {need.at_most:g}" if need.at_most > need.amount else "")
    try:
        code, value, note = _value(row.service, row.codes, aws("service-quotas", region))
        used = _used(row.counts, tags, aws("ec2", need.region))
    except UNSAID as error:
        return _unsaid(need, what, wanted, error)
    there = f"{value:g}{note}" + (f", {used} used" if used else "")
    if value < need.amount + used:
        return Finding(
            "quota", what, wanted, there, "missing", _raise(row.service, code, need.amount + used, region)
        )
    if value < need.at_most + used:
        fix = (
            f"enough for the cheapest machines only: {_raise(row.service, code, need.at_most + used, region)}"
        )
        return Finding("quota", what, wanted, there, "tight", fix)
    return Finding("quota", what, wanted, there, "ok")


def region_enabled(region: str, aws: Aws) -> Finding:
    """Whether an opt-in region was enabled for the account."""
    try:
        found = aws("ec2", IAM_REGION).describe_regions(AllRegions=True, RegionNames=[region])["Regions"]
    except UNSAID as error:
        return Finding("region", region, "enabled", f"not said: {code_of(error)}", "unknown")
    status = found[0].get("OptInStatus", "opt-in-not-required") if found else "not known to the account"
    if status in ("opt-in-not-required", "opted-in"):
        return Finding("region", region, "enabled", status, "ok")
    return Finding(
        "region", region, "enabled", status, "missing", f"aws account enable-region --region-name {region}"
    )


def offered(pool: Placed, aws: Aws) -> Finding:
    """Whether the account's zones offer a pool's machine types."""
    what, wanted = f"pool {pool.pool}", f"{' or '.join(pool.types)} in {', '.join(pool.zones)}"
    filters = [{"Name": "instance-type", "Values": list(pool.types)}]
    try:
        pages = aws("ec2", pool.region).get_paginator("describe_instance_type_offerings")
        answers = pages.paginate(LocationType="availability-zone-id", Filters=filters)
        offers = [offer for page in answers for offer in page["InstanceTypeOfferings"]]
    except UNSAID as error:
        return Finding("zones", what, wanted, f"not said: {code_of(error)}", "unknown")
    zones = {offer["Location"] for offer in offers}
    without = [zone for zone in pool.zones if zone not in zones]
    if not without:
        return Finding("zones", what, wanted, "offered", "ok")
    there = f"not in {', '.join(without)}" + (f"; in {', '.join(sorted(zones))}" if zones else "")
    fix = "`make catalog` with this login, then choose again; or another gpu for the pool"
    some = not pool.exact and any(zone in zones for zone in pool.zones)
    return Finding("zones", what, wanted, there, "tight" if some else "missing", fix)


def rights(caller_arn: str, wanted: Sequence[str], aws: Aws) -> list[Finding]:
    """Actions that the user's own policies do not allow. Service control policies and conditions may deny more."""
    iam = aws("iam", IAM_REGION)
    what = "to make, read, change and delete the stack's resources"
    many = f"{len(wanted)} actions"
    if caller_arn.endswith(":root"):
        there = "the account's root user, whom nothing is denied"
        return [Finding("rights", what, many, there, "tight", "use a role: the root user has no limits")]
    try:
        source = _policy_source(caller_arn, iam)
        denied = list(_denied(source, wanted, iam))
    except UNSAID as error:
        fix = "allow iam:SimulatePrincipalPolicy and iam:GetRole, or ask who holds them to run this"
        return [Finding("rights", what, many, f"not said: {code_of(error)}", "unknown", fix)]
    if not denied:
        return [Finding("rights", what, many, "all allowed", "ok")]
    return [
        Finding("rights", action, "allowed", "denied", "missing", f"allow {action} to {source}")
        for action in denied
    ]


def detector(stack: ResourceGraph, region: str, aws: Aws) -> Finding | None:
    """A GuardDuty detector that is there already: an account has one in a region, and a second is refused."""
    wanted = [one for one in stack.of(DETECTOR) if stack.region(one) == region]
    if not wanted:
        return None
    what = f"GuardDuty detector in {region}"
    try:
        ids = aws("guardduty", region).list_detectors()["DetectorIds"]
    except UNSAID as error:
        return Finding("leftover", what, "none yet", f"not said: {code_of(error)}", "unknown")
    if not ids:
        return Finding("leftover", what, "none yet", "none", "ok")
    fix = f"pulumi import {DETECTOR} {wanted[0].name} {ids[0]}, or `audit: {{guardduty: false}}` if another owns it"
    return Finding("leftover", what, "none yet, or this stack's", ids[0], "tight", fix)


def service_role(role: ServiceRoleRow, aws: Aws) -> Finding:
    """Whether a service-linked role exists, and what makes it otherwise."""
    try:
        aws("iam", IAM_REGION).get_role(RoleName=role.role)
    except UNSAID as error:
        if code_of(error) != "NoSuchEntity":
            return Finding("role", role.role, "there", f"not said: {code_of(error)}", "unknown")
        return Finding("role", role.role, "there", f"made {role.made}", "ok")
    return Finding("role", role.role, "there", "there", "ok")


def _value(service: str, codes: Sequence[str], client: Any) -> tuple[str, float, str]:
    """The first code that the account knows, its value, and a note where that is only the default of new accounts."""
    asked = {"": client.get_service_quota, " (AWS's default)": client.get_aws_default_service_quota}
    unknown: ClientError | None = None
    for code in codes:
        for note, ask in asked.items():
            try:
                return code, ask(ServiceCode=service, QuotaCode=code)["Quota"]["Value"], note
            except ClientError as error:
                if code_of(error) != "NoSuchResourceException":
                    raise
                unknown = error
    assert unknown, "a row has at least one code"
    raise unknown


def _used(counts: str, tags: Mapping[str, str], ec2: Any) -> int:
    """How many of a quota others than this stack have taken."""
    if counts not in USED:
        return 0
    operation, within = USED[counts]
    found = getattr(ec2, operation)()[within]
    own = [tags.items() <= {tag["Key"]: tag["Value"] for tag in one.get("Tags", ())}.items() for one in found]
    return own.count(False)


def _unsaid(need: Need, what: str, wanted: str, error: Exception) -> Finding:
    """A finding for what the account did not answer, with a new account's value beside it and no verdict."""
    default = f"; a new account has {need.quota.default:g}" if isinstance(need.quota.default, float) else ""
    fix = _page(need.quota.service, need.quota.codes[0], need.region)
    return Finding("quota", what, wanted, f"not said: {code_of(error)}{default}", "unknown", f"look at {fix}")


def _raise(service: str, code: str, amount: float, region: str) -> str:
    command = "aws service-quotas request-service-quota-increase"
    return (
        f"{command} --service-code {service} --quota-code {code} --desired-value {amount:g} --region {region}, "
        f"or {_page(service, code, region)}"
    )


def _page(service: str, code: str, region: str) -> str:
    return f"https://{region}.console.aws.amazon.com/servicequotas/home/services/{service}/quotas/{code}"


def _policy_source(caller_arn: str, iam: Any) -> str:
    """The user or role whose policies count: a session's role has a path that the session's ARN leaves out."""
    if ":assumed-role/" not in caller_arn:
        return caller_arn
    return iam.get_role(RoleName=caller_arn.split("/")[1])["Role"]["Arn"]


def _denied(source: str, wanted: Sequence[str], iam: Any) -> Iterator[str]:
    for start in range(0, len(wanted), ACTIONS_A_CALL):
        some = list(wanted[start : start + ACTIONS_A_CALL])
        marker: dict[str, str] = {}
        while True:
            answer = iam.simulate_principal_policy(PolicySourceArn=source, ActionNames=some, **marker)
            for result in answer["EvaluationResults"]:
                if result["EvalDecision"] != "allowed":
                    yield result["EvalActionName"]
            if not answer.get("IsTruncated"):
                break
            marker = {"Marker": answer["Marker"]}


def code_of(error: Exception) -> str:
    """The code of what AWS answered, or the kind of what went wrong before it did."""
    return error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
