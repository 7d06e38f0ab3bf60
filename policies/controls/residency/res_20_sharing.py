"""Shares: RES-20 nothing is shared with everybody, nor with accounts that are not declared as kept in India.

An account number says nothing about a country, so that outside accounts are declared (`indianAccounts`); so are the
projects that may connect to a service (`indianProjects`). The stack's own need not be (`readers/owners.py`), nor AWS's
own accounts, by which its services write (data/service_accounts.csv).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import ANY_TYPE, Control, Finding
from policies.framework.provenance import resolved_by_own_parts
from policies.framework.resources import Resource, Settings, Stack, StackResource, document
from policies.framework.unknowns import Leaf, Unknown, dotted, each, leaves
from policies.law import ACCESS, RESIDENCY_GUARD
from policies.readers import grants, locations, owners
from policies.readers.iam_documents import EVERYBODY, PUBLIC_MEMBERS, Statement, account, statements
from policies.readers.principals import Grant
from policies.readers.principals import grants as policy_grants
from policies.readers.values.reading import every_leaf, names_no_destination

_MEMBER_TYPES = ("iammember:", "iambinding:", "iampolicy:")
_ALL = (*EVERYBODY, "all", "everyone")
_PUBLIC_SETS = (*PUBLIC_MEMBERS, "principalSet://goog/public:all")
_SHUT_OUT = ("deniedPrincipals", "exclude", "excludedPrincipals")
# In the first preview of a stack nothing may tell its account: what its provider is allowed does.
_SHOW_THE_ACCOUNT = "; if it is this stack's own account, name it in the provider's allowedAccountIds"
_CANONICAL = re.compile(r"[0-9a-f]{64}")


def shares(resource: Resource, settings: Settings) -> Iterator[Finding | Unknown]:
    """RES-20: nothing is for everybody, or for whom nobody knows yet."""
    if resource.type.startswith("pulumi:"):
        return
    for row in grants.rows(resource.type):
        yield from _of_row(row, resource)
    for grant in policy_grants(resource):
        if isinstance(grant, Unknown):
            yield grant
        elif grant.is_open and not grants.grants_nothing(resource.type, grant.path):
            yield _public(grant.where, grant.written)
    yield from _members(resource, _domains(settings))


def outside_accounts(stack: Stack, settings: Settings) -> Iterator[tuple[str, Finding]]:
    """RES-20: whom policies, images, snapshots and services name is the stack's own account or project, or declared."""
    known = _Known.of(stack, settings)
    for resource in stack.all():
        if resource.type.startswith("pulumi:"):
            continue
        # What a policy is about has the number of the account that it is in.
        here = _own_accounts(resource)
        for where, named in _named(resource):
            if not known.account(named) and account(named) not in here:
                yield resource.urn, _undeclared("an account", where, named, "indianAccounts", known.fix)
        for where, named in _consumers(resource):
            if not known.project(named):
                yield resource.urn, _undeclared("a project", where, named, "indianProjects")


def _own_accounts(resource: StackResource) -> set[str]:
    """The account of what a resource or its own policy is about: such a policy speaks of that resource alone."""
    props = resource.props
    about = [props.get(name) for name in ("arn", "resourceArn", "function", "functionName")]
    # Nothing but an object is a policy, and a resource may have many texts.
    held = [one for one in props.values() if not isinstance(one, str) or one.lstrip().startswith("{")]
    for policy in map(document, held):
        for statement in each(policy.get("Statement")) if isinstance(policy, dict) else ():
            about += each(statement.get("Resource")) if isinstance(statement, dict) else []
    arns = [locations.arn(one) for one in about if isinstance(one, str)]
    return {one.account for one in arns if one and one.account.isdigit()}


@dataclass(frozen=True)
class _Known:
    """Who may have what the stack shares."""

    accounts: frozenset[str]
    projects: frozenset[str]
    fix: str = ""

    @classmethod
    def of(cls, stack: Stack, settings: Settings) -> _Known:
        own = owners.accounts(stack)
        return cls(
            frozenset({*_texts(settings, "indianAccounts"), *own, *owners.services(),
                       *owners.canonical_users(stack)}),
            frozenset({*_texts(settings, "indianProjects"), *owners.projects(stack)}),
            "" if own else _SHOW_THE_ACCOUNT,
        )  # fmt: skip

    def account(self, principal: str) -> bool:
        if principal in self.accounts:
            return True
        if ":organizations:" in principal or _CANONICAL.fullmatch(principal):
            return False
        number = account(principal)
        return number is None or number in self.accounts

    def project(self, text: str) -> bool:
        return owners.project_of(text) in self.projects


def _of_row(row: grants.Row, resource: Resource) -> Iterator[Finding | Unknown]:
    if row.reads == "none":
        return
    if row.reads == "made":
        yield Finding(row.why, "the resource", resource.type, "a store with named readers", law=ACCESS)
    elif row.reads == "policy":
        yield from _unread(row, resource)
    else:
        for where, value in row.given(resource.props):
            if isinstance(value, Unknown):
                yield value
            elif row.reads == "value" and grants.is_open(row, value):
                yield Finding(row.why, where, value, f"not {' or '.join(row.open)}", law=ACCESS)
            elif (
                row.reads == "account" and str(value).lower() in _ALL and not row.is_narrowed(resource.props)
            ):
                yield _public(where, value)


def _unread(row: grants.Row, resource: Resource) -> Iterator[Finding | Unknown]:
    """What can't be read or known in a property that holds a policy; the rest is judged wherever it is."""
    for where, value in grants.at(resource.props, row.path):
        if isinstance(value, Unknown):
            yield value
        elif value not in (None, "") and isinstance(document(value), dict | str):
            yield from (one for one in statements(value, where) if not isinstance(one, Statement | Unknown))


def _named(resource: StackResource) -> Iterator[tuple[str, str]]:
    for row in grants.rows(resource.type):
        if row.reads == "account" and not row.is_narrowed(resource.props):
            for where, value in row.given(resource.props):
                if isinstance(value, str):
                    yield from ((where, one.strip()) for one in value.split(","))
    for grant in policy_grants(resource.alone):
        if isinstance(grant, Grant) and not grants.grants_nothing(resource.type, grant.path):
            yield from ((grant.where, one) for one in grant.principals)


def _consumers(resource: StackResource) -> Iterator[tuple[str, str]]:
    for row in grants.rows(resource.type):
        if row.reads == "project":
            yield from (
                (where, value) for where, value in row.given(resource.props) if isinstance(value, str)
            )


def _members(resource: Resource, domains: list[str]) -> Iterator[Finding | Unknown]:
    """Google's words for everybody, in any property; members of other domains in those that name members."""
    listed = any(part in resource.type.lower() for part in _MEMBER_TYPES)
    for leaf in _opened(resource, listed):
        if isinstance(leaf.value, Unknown):
            if listed and leaf.path[0] in ("member", "members", "policyData"):
                yield leaf.value
        elif isinstance(leaf.value, str):
            if _is_public(leaf, resource):
                yield _public(dotted(leaf.path), leaf.value)
            elif domains and leaf.name in _MEMBER_NAMES and _is_stranger(leaf, domains):
                yield Finding(
                    "the member is of another domain",
                    dotted(leaf.path),
                    leaf.value,
                    f"members of {', '.join(domains)}",
                )


_MEMBER_NAMES = (
    "member",
    "members",
    "iamMember",
    "grantees",
    "entity",
    "domain",
    "userByEmail",
    "groupByEmail",
)


def _opened(resource: Resource, listed: bool) -> Iterable[Leaf]:
    if listed:
        return leaves({**resource.props, "policyData": document(resource.props.get("policyData"))})
    return every_leaf(resource)


def _is_public(leaf: Leaf, resource: Resource) -> bool:
    word = leaf.value.rpartition(":")[2] if leaf.name == "roleEntities" else leaf.value
    if word not in _PUBLIC_SETS or leaf.name in _SHUT_OUT:
        return False
    return not any(
        isinstance(part, str) and names_no_destination(resource.type, leaf.path[: index + 1])
        for index, part in enumerate(leaf.path)
    )


def _is_stranger(leaf: Leaf, domains: list[str]) -> bool:
    kind, _, who = leaf.value.partition(":")
    if leaf.name in ("domain", "userByEmail", "groupByEmail"):
        return leaf.value.rpartition("@")[2] not in domains and not leaf.value.endswith(
            ".gserviceaccount.com"
        )
    if leaf.name == "entity":
        kind, _, who = leaf.value.partition("-")
    return kind in ("user", "group", "domain") and who.rpartition("@")[2] not in domains


def _domains(settings: Settings) -> list[str]:
    return list(_texts(settings, "ownDomains"))


def _texts(settings: Settings, name: str) -> Iterator[str]:
    return (one for one in each(settings.get(name)) if isinstance(one, str))


def _undeclared(whom: str, where: str, value: str, setting: str, hint: str = "") -> Finding:
    return Finding(
        f"it is shared with {whom} that nobody has declared",
        where,
        value,
        f"this stack's own, or one of the setting {setting}",
        fix=f"name who may have it, and declare those in the policy's setting {setting}{hint}",
    )


def _public(where: str, value: Any) -> Finding:
    return Finding("it is shared with everybody", where, value, "named accounts or members", law=ACCESS)


def _list_of(description: str) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "string"}, "default": [], "description": description}


RES_20 = Control(
    id="DPDP-RES-20",
    title="Nothing shared with strangers",
    law=RESIDENCY_GUARD,
    other_laws=(ACCESS,),
    severity=Severity.CRITICAL,
    level=EnforcementLevel.MANDATORY,
    types=ANY_TYPE,
    remedy="name the accounts that may have it, and declare those in the policy's setting indianAccounts",
    check=shares,
    stack_check=outside_accounts,
    resolves=resolved_by_own_parts,
    settings={
        "indianAccounts": _list_of(
            "AWS accounts, canonical users and organisation ARNs that keep what they are given in India"
        ),
        "indianProjects": _list_of("Google projects that keep what they are given in India"),
        "ownDomains": _list_of("domains of your people; named, every user and group of another is a finding"),
    },
)
CONTROLS = (RES_20,)
