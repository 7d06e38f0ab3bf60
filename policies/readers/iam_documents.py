"""Policy documents of AWS, read for a control: their statements, whom each names, and under which condition."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
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
        return self.body.get("Effect") == "Allow"

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
# Conditions on these make a statement for everybody non-public, by S3's own definition of "public".
_NARROWING_KEYS = frozenset(
    {
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceorgid",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:userid",
        "s3:dataaccesspointaccount",
        "s3:dataaccesspointarn",
    }
)
_NARROWING_OPERATORS = frozenset({"stringequals", "stringlike", "arnequals", "arnlike"})


def is_narrowed(statement: dict[str, Any]) -> bool:
    conditions = statement.get("Condition")
    if not isinstance(conditions, dict):
        return False
    return any(
        operator.lower() in _NARROWING_OPERATORS and key.lower() in _NARROWING_KEYS and _fixed(values)
        for operator, tests in conditions.items()
        if isinstance(tests, dict)
        for key, values in tests.items()
    )


def _fixed(values: Any) -> bool:
    """No value that starts with a wildcard, which would match everybody again."""
    return bool(each(values)) and all(
        isinstance(value, str) and value[:1] not in ("*", "?", "") for value in each(values)
    )
