"""Masking: ENC-08 logs that may hold personal data mask the two numbers by which India knows a person."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.provenance import resolved_by_own_parts
from policies.framework.resources import Resource, Settings, Stack, StackResource, document
from policies.framework.unknowns import Unknown, dig, each, leaves, plain
from policies.law import MASKING
from policies.readers.data_stores import TAG

GROUP = "aws:cloudwatch/logGroup:LogGroup"
POLICY = "aws:cloudwatch/logDataProtectionPolicy:LogDataProtectionPolicy"
ACCOUNT_POLICY = "aws:cloudwatch/logAccountPolicy:LogAccountPolicy"
_NOT_PERSONAL = ("internal", "public")
# Samples, no person's. CloudWatch's own identifiers have none for India (its list by country, read November 2026), so a
# policy brings patterns of its own, and what counts is what they find.
SAMPLES = {
    "Aadhaar": ("234123412346", "2341 2341 2346"),
    "PAN": ("ABCPE1234F",),
}
# AWS writes these itself, in a form of its own without a word of any application; a mask of twelve digits would hide
# account numbers there.
_OF_AWS = re.compile(r"/aws/(vpc|route53|vendedlogs/vpn)/.+|/aws/eks/[^/]+/cluster")
_LONGEST_PATTERN = 200  # CloudWatch's own limit


def policies_that_mask(resource: Resource, _settings: Settings) -> Iterator[Finding | Unknown]:
    """ENC-08 before a resource is made: a data protection policy masks, and finds both numbers."""
    if resource.type == ACCOUNT_POLICY:
        kind = resource.props.get("policyType")
        if isinstance(kind, Unknown):
            yield kind
            return
        if kind != "DATA_PROTECTION_POLICY":
            return
    given = resource.props.get("policyDocument")
    tree = document(given)
    if unknown := next((leaf.value for leaf in leaves(tree) if isinstance(leaf.value, Unknown)), None):
        yield unknown
        return
    masking = [one for one in each(dig(tree, "Statement")) if dig(one, "Operation", "Deidentify") is not None]
    if not masking:
        yield Finding("the policy masks nothing", "policyDocument", given, "a statement with Deidentify")
        return
    patterns = list(_patterns(tree, masking))
    for number, samples in SAMPLES.items():
        if not all(any(pattern.search(sample) for pattern in patterns) for sample in samples):
            expected = f"a custom identifier whose pattern finds {' and '.join(samples)}"
            yield Finding(f"the policy does not mask {number} numbers", "policyDocument", given, expected)


def groups(stack: Stack, _settings: Settings) -> Iterator[tuple[str, Finding]]:
    """ENC-08 over the stack: each log group that may hold personal data has such a policy, or the account does."""
    if any(
        one.props.get("policyType") == "DATA_PROTECTION_POLICY"
        and one.props.get("selectionCriteria") in (None, "")
        for one in stack.of(ACCOUNT_POLICY)
    ):
        return
    masked = list(stack.of(POLICY))
    for group in stack.of(GROUP):
        if _may_be_personal(group) and not any(_belongs(policy, group) for policy in masked):
            what = "no data protection policy belongs to this log group"
            expected = f"a LogDataProtectionPolicy, or {TAG} = internal where it holds no personal data"
            yield group.urn, Finding(what, "the stack", None, expected)


def _may_be_personal(group: StackResource) -> bool:
    """Its tag, or else its provider's; without one it may."""
    name = group.props.get("name")
    if isinstance(name, str) and _OF_AWS.fullmatch(name):
        return False
    provider = group.analyzed.provider
    default = document(plain(provider.props).get("defaultTags")) if provider else None
    own = dig(group.props, "tags", TAG)
    value = dig(default, "tags", TAG) if own is None else own
    return not (isinstance(value, str) and value in _NOT_PERSONAL)


def _belongs(policy: StackResource, group: StackResource) -> bool:
    name = policy.props.get("logGroupName")
    return any(source.urn == group.urn for source in policy.sources("logGroupName")) or (
        isinstance(name, str) and name == group.props.get("name")
    )


def _patterns(tree: Any, masking: list[Any]) -> Iterator[re.Pattern[str]]:
    """The document's own patterns that some masking statement names; one that can't be read finds nothing."""
    named = [name for statement in masking for name in each(dig(statement, "DataIdentifier"))]
    for custom in each(dig(tree, "Configuration", "CustomDataIdentifier")):
        pattern = dig(custom, "Regex")
        if dig(custom, "Name") not in named or not isinstance(pattern, str):
            continue
        try:
            yield re.compile(pattern[:_LONGEST_PATTERN])
        except re.error:
            continue


ENC_08 = Control(
    id="DPDP-ENC-08",
    title="Logs mask personal identifiers",
    law=MASKING,
    severity=Severity.MEDIUM,
    level=EnforcementLevel.ADVISORY,
    types=(POLICY, ACCOUNT_POLICY),
    remedy="give the log group a data protection policy that masks Aadhaar and PAN numbers",
    check=policies_that_mask,
    stack_check=groups,
    resolves=resolved_by_own_parts,
)
CONTROLS = (ENC_08,)
