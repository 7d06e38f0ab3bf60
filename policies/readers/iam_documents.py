"""Policy documents of AWS, read for a control: their statements, whom each names, and under which condition."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from policies.framework.control import Finding
from policies.framework.resources import document
from policies.framework.unknowns import Unknown, each, leaves
from policies.readers import locations

_ACCOUNT = re.compile(r"\d{12}")


@dataclass(frozen=True)
class Statement:
    """One statement of a document, and where it stands."""

    at: str
    body: dict[str, Any]

    @property
    def allows(self) -> bool:
        """Whether its `Effect` is `Allow`."""
        return self.body.get("Effect") == "Allow"

    @property
    def is_for_everybody(self) -> bool:
        """Whether its principal is anybody at all, under its conditions. `NotPrincipal` leaves all others in."""
        return "NotPrincipal" in self.body or any(one in EVERYBODY for one in self.principals())

    @property
    def is_narrowed(self) -> bool:
        """Whether a condition names who may ask, or from where: accounts, organisations, endpoints, networks."""
        return any(_narrows(*condition) for condition in self.conditions())

    def texts(self, name: str) -> list[str]:
        """The values of `Action`, `Resource` and the like, of which one may stand alone."""
        return [value for value in each(self.body.get(name)) if isinstance(value, str)]

    def principals(self) -> list[str]:
        """Accounts, ARNs, users and `*`; not the clouds' services, nor whoever an identity provider names."""
        principal = self.body.get("Principal")
        found = (
            principal
            if not isinstance(principal, dict)
            else [one for kind in ("AWS", "CanonicalUser") for one in each(principal.get(kind))]
        )
        return [one for one in each(found) if isinstance(one, str)]

    def conditions(self) -> Iterator[tuple[str, str, list[Any]]]:
        """(operator, key, values), names in lower case."""
        conditions = self.body.get("Condition")
        for operator, tests in conditions.items() if isinstance(conditions, dict) else ():
            for key, values in tests.items() if isinstance(tests, dict) else ():
                yield str(operator).lower(), str(key).lower(), each(values)


def statements(policy: Any, where: str) -> Iterator[Statement | Finding | Unknown]:
    """Every statement; an `Unknown` for a document, or a statement, that can't be known, a finding for what is none."""
    if isinstance(policy, Unknown):
        yield policy
        return
    tree = document(policy)
    if not isinstance(tree, dict):
        yield Finding("the policy can't be read", where, policy, "a policy document in JSON")
        return
    many = isinstance(tree.get("Statement"), list)
    for index, body in enumerate(each(tree.get("Statement"))):
        at = f"{where}.Statement[{index}]" if many else f"{where}.Statement"
        if unknown := next((leaf.value for leaf in leaves(body) if isinstance(leaf.value, Unknown)), None):
            yield unknown
        elif isinstance(body, dict):
            yield Statement(at, body)
        else:
            yield Finding("the statement can't be read", at, body, "a statement")


def account(principal: str) -> str | None:
    """The account of a principal: its number alone, or inside an ARN; None for all others."""
    if _ACCOUNT.fullmatch(principal):
        return principal
    arn = locations.arn(principal)
    return arn.account if arn and _ACCOUNT.fullmatch(arn.account) else None


PUBLIC_MEMBERS = ("allUsers", "allAuthenticatedUsers")
EVERYBODY = ("*", "arn:aws:iam::*:root")
# Conditions on these make a statement for everybody non-public. The first are S3's own definition of "public"; the
# others are those by which services write their default policies (SNS, KMS, EFS, Lambda).
_NAMING_KEYS = frozenset(
    {
        "aws:principalaccount",
        "aws:principalarn",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceowner",
        "kms:calleraccount",
        "s3:dataaccesspointaccount",
        "s3:dataaccesspointarn",
    }
)
_NARROWING_KEYS = _NAMING_KEYS | frozenset(
    {
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:sourceorgid",
        "aws:sourceorgpaths",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:userid",
        "elasticfilesystem:accesspointarn",
    }
)
_NARROWING_OPERATORS = frozenset(
    {"stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike"}
)
_EXCEPTING_OPERATORS = frozenset(
    {"stringnotequals", "stringnotequalsignorecase", "stringnotlike", "arnnotequals", "arnnotlike"}
)
# A Deny beside these keeps the clouds' own services out of it, and nobody else.
_OF_SERVICES = ("aws:principalisawsservice", "aws:viaawsservice")
# Wider networks than these count as everybody (S3 guide, "The meaning of public").
_WIDEST = {4: 8, 6: 32}


def is_narrowed(statement: dict[str, Any]) -> bool:
    """As `Statement.is_narrowed`, of a statement's body."""
    return Statement("", statement).is_narrowed


def named_by_conditions(statement: Statement) -> Iterator[str]:
    """The accounts and ARNs that the conditions of a statement for everybody name instead of its principal."""
    for operator, key, values in statement.conditions():
        if key in _NAMING_KEYS and operator.removeprefix("foranyvalue:") in _NARROWING_OPERATORS:
            yield from (value for value in values if isinstance(value, str))


def shuts_out(deny: Statement, allowed: Statement) -> bool:
    """Whether a Deny of the same document takes back what a statement allows from all but named callers or networks."""
    if deny.body.get("Effect") != "Deny" or not deny.is_for_everybody or "NotPrincipal" in deny.body:
        return False
    if not (_covers(deny, allowed, "Action") and _covers(deny, allowed, "Resource")):
        return False
    conditions = [one for one in deny.conditions() if one[1] not in _OF_SERVICES]
    return bool(conditions) and all(_excepts(*one) for one in conditions)


def _covers(deny: Statement, allowed: Statement, name: str) -> bool:
    patterns = [one.lower() for one in deny.texts(name)]
    return all(
        any(fnmatchcase(one.lower(), pattern) for pattern in patterns) for one in allowed.texts(name) or ["*"]
    )


def _narrows(operator: str, key: str, values: list[Any]) -> bool:
    operator = operator.removeprefix("foranyvalue:")
    if operator == "ipaddress" and key in ("aws:sourceip", "aws:vpcsourceip"):
        return bool(values) and all(map(_is_small_network, values))
    if operator == "bool" and key == "elasticfilesystem:accessedviamounttarget":
        return all(str(value).lower() == "true" for value in values)
    return operator in _NARROWING_OPERATORS and key in _NARROWING_KEYS and _fixed(values)


def _excepts(operator: str, key: str, values: list[Any]) -> bool:
    operator = operator.removeprefix("forallvalues:").removesuffix("ifexists")
    if operator == "notipaddress" and key in ("aws:sourceip", "aws:vpcsourceip"):
        return bool(values) and all(map(_is_small_network, values))
    return operator in _EXCEPTING_OPERATORS and key in _NARROWING_KEYS and _fixed(values)


def _is_small_network(value: Any) -> bool:
    try:
        network = ipaddress.ip_network(str(value), strict=False)
    except ValueError:
        return False
    return network.prefixlen >= _WIDEST[network.version]


def _fixed(values: list[Any]) -> bool:
    """No value that starts with a wildcard, or is an ARN of any account: those would match everybody again."""
    return bool(values) and all(isinstance(value, str) and _is_fixed(value) for value in values)


def _is_fixed(value: str) -> bool:
    if value[:1] in ("*", "?", ""):
        return False
    arn = locations.arn(value)
    if arn is None:
        return True
    # S3's ARNs have no account, or any: the bucket's name says whose it is.
    decides = arn.resource if arn.service == "s3" else arn.account
    return decides[:1] not in ("*", "?", "")
