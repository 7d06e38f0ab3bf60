"""Policy documents of AWS, read for a control: statements that allow, whom, and under which condition."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from policies import locations
from policies.resource import document
from policies.unknowns import Unknown, dig, each, leaves

_ACCOUNT = re.compile(r"\d{12}")


@dataclass(frozen=True)
class Statement:
    """One statement of a document, and where it stands."""

    at: str
    body: dict[str, Any]

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


def statements(where: str, policy: Any) -> Iterator[Statement | Unknown]:
    """The statements that allow; an `Unknown` for a document, or a statement, that can't be known."""
    yield from (
        one
        for one in every_statement(where, policy)
        if isinstance(one, Unknown) or one.body.get("Effect") == "Allow"
    )


def every_statement(where: str, policy: Any) -> Iterator[Statement | Unknown]:
    """All statements; a document that is no JSON has none, and another control or the cloud refuses it."""
    if isinstance(policy, Unknown):
        yield policy
        return
    for index, body in enumerate(each(dig(document(policy), "Statement"))):
        unknown = next((leaf.value for leaf in leaves(body) if isinstance(leaf.value, Unknown)), None)
        if unknown:
            yield unknown
        elif isinstance(body, dict):
            yield Statement(f"{where}.Statement[{index}]", body)


def account(principal: str) -> str | None:
    """The account of a principal: its number alone, or inside an ARN; None for all others."""
    if _ACCOUNT.fullmatch(principal):
        return principal
    arn = locations.arn(principal)
    return arn.account if arn and _ACCOUNT.fullmatch(arn.account) else None
