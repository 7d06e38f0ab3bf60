"""AWS policies, evaluated: whether identity, resource, key and endpoint policies together allow a request.

moto enforces identity policies without their conditions and no key policy at all, and the evaluators on PyPI are dead
or under the AGPL (iamspy 2022, principalmapper 2022). The rules are those of the IAM user guide, "Policy evaluation
logic" and "IAM JSON policy elements reference", read 2026-11; of the elements, those that this project's policies use.
Whatever is not one of these is refused: a policy that is not understood must not pass for one that allows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

Statement = Mapping[str, Any]

_ELEMENTS = {
    *("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction"),
    *("Resource", "NotResource", "Condition"),
}


class UnknownElementError(ValueError):
    """A policy has an element, operator or variable that this evaluator does not know."""


@dataclass(frozen=True)
class Request:
    """One action on one resource, as policies see it.

    `principal` is the ARN of the role, or a service principal (`pods.eks.amazonaws.com`). `context` are the condition
    keys of the request; a key that the request does not have is absent.
    """

    action: str
    resource: str
    principal: str
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """Whether a request is allowed, and which statement decided, or which policy has none."""

    allowed: bool
    why: str


@dataclass(frozen=True)
class Policies:
    """Every policy that a request meets. `identity` are the role's; `resource` is the bucket's, `key` the KMS key's,
    `endpoint` the VPC endpoint's: each None where the request meets none."""

    identity: Mapping[str, Sequence[Statement]]
    resource: Sequence[Statement] | None = None
    key: Sequence[Statement] | None = None
    endpoint: Sequence[Statement] | None = None


def statements(document: str | Mapping[str, Any]) -> list[Statement]:
    """The statements of a policy document.

    Raises:
        UnknownElementError: a statement has an element that is not known here.
    """
    policy = json.loads(document) if isinstance(document, str) else document
    if policy.get("Version") != "2012-10-17":
        raise UnknownElementError(f"policy version {policy.get('Version')}; known: 2012-10-17")
    found = _many(policy["Statement"])
    for statement in found:
        if unknown := sorted(set(statement) - _ELEMENTS):
            raise UnknownElementError(f"statement {statement.get('Sid', '')}: unknown {', '.join(unknown)}")
    return found


def judge(request: Request, policies: Policies) -> Verdict:
    """Whether `policies` together allow `request` within one account."""
    every = {
        **policies.identity,
        **{
            name: held
            for name, held in (
                ("resource policy", policies.resource),
                ("key policy", policies.key),
                ("endpoint policy", policies.endpoint),
            )
            if held is not None
        },
    }
    for name, held in every.items():
        if denied := _first(held, "Deny", request):
            return Verdict(False, f"{request.action}: denied by {_sid(denied)} of the {name}")
    if policies.endpoint is not None and not _first(policies.endpoint, "Allow", request):
        return _lacks(request, "endpoint policy")
    if policies.key is not None:
        return _by_key(request, policies)
    return _by_identity(request, policies, policies.resource)


def judge_trust(request: Request, trust: Sequence[Statement]) -> Verdict:
    """Whether a role's trust policy lets `request.principal` assume it. Such a policy names no resource."""
    if denied := _first(trust, "Deny", request):
        return Verdict(False, f"{request.action}: denied by {_sid(denied)} of the trust policy")
    allowed = _first(trust, "Allow", request)
    return Verdict(True, _sid(allowed)) if allowed else _lacks(request, "trust policy")


def allowing(request: Request, held: Iterable[Statement]) -> list[Statement]:
    """The statements that allow the request, whatever others deny."""
    return [statement for statement in held if statement["Effect"] == "Allow" and matches(statement, request)]


def _by_key(request: Request, policies: Policies) -> Verdict:
    """A key policy must allow a use itself; where it allows the account, the role's policy must allow it too."""
    assert policies.key is not None
    allowed = allowing(request, policies.key)
    if not allowed:
        return _lacks(request, "key policy")
    if any(_names_role(statement, request) for statement in allowed):
        return Verdict(True, _sid(allowed[0]))
    return _by_identity(request, policies, None)


def _by_identity(request: Request, policies: Policies, resource: Sequence[Statement] | None) -> Verdict:
    """In one account it is enough that one of the two allows; one that names the account only defers to the role's."""
    for held in policies.identity.values():
        if allowed := _first(held, "Allow", request):
            return Verdict(True, _sid(allowed))
    if any(_names_role(statement, request) for statement in allowing(request, resource or ())):
        return Verdict(True, "resource policy")
    of_resource = [] if resource is None else ["resource policy"]
    return _lacks(request, " or ".join([*policies.identity, *of_resource]) or "role, which has no policy")


def _lacks(request: Request, where: str) -> Verdict:
    seen = ", ".join(f"{key}={value}" for key, value in sorted(request.context.items()))
    return Verdict(
        False, f"{request.action} on {request.resource}: no statement of the {where} allows it ({seen})"
    )


def _names_role(statement: Statement, request: Request) -> bool:
    """Whether a principal names the role itself or everybody, and not only the role's account."""
    account = _account_of(request.principal)
    names = [name for name in _principals(statement) if name not in (account, f"arn:aws:iam::{account}:root")]
    return any(name in ("*", request.principal) for name in names)


def _first(held: Iterable[Statement], effect: str, request: Request) -> Statement | None:
    return next((found for found in held if found["Effect"] == effect and matches(found, request)), None)


def _sid(statement: Statement) -> str:
    return statement.get("Sid", "a statement without Sid")


def matches(statement: Statement, request: Request) -> bool:
    """Whether a statement is about the request: its principal, action, resource and all of its conditions."""
    return (
        _about(statement, "Action", lambda pattern: _like(pattern.lower(), request.action.lower()))
        and _about(statement, "Resource", lambda pattern: _like(pattern, request.resource))
        and _principal(statement, request)
        and _conditions(statement, request.context)
    )


def _about(statement: Statement, element: str, fits: Callable[[str], bool]) -> bool:
    """An element or its opposite (`NotAction`); a policy without either is about every one."""
    if f"Not{element}" in statement:
        return not any(fits(_plain(pattern)) for pattern in _many(statement[f"Not{element}"]))
    return element not in statement or any(fits(_plain(pattern)) for pattern in _many(statement[element]))


def _principal(statement: Statement, request: Request) -> bool:
    if "NotPrincipal" in statement:
        raise UnknownElementError(f"statement {_sid(statement)}: unknown NotPrincipal")
    if "Principal" not in statement:
        return True
    account = _account_of(request.principal)
    own = {"*", request.principal, *([account, f"arn:aws:iam::{account}:root"] if account else ())}
    return bool(own & set(_principals(statement)))


def _principals(statement: Statement) -> list[str]:
    said = statement.get("Principal", {})
    if said == "*":
        return ["*"]
    if unknown := sorted(set(said) - {"AWS", "Service"}):
        raise UnknownElementError(f"statement {_sid(statement)}: unknown principal {', '.join(unknown)}")
    return [name for kind in said.values() for name in _many(kind)]


def _account_of(principal: str) -> str:
    return principal.split(":")[4] if principal.startswith("arn:") else ""


def _conditions(statement: Statement, context: Mapping[str, str]) -> bool:
    given = {key.lower(): value for key, value in context.items()}
    return all(
        _condition(operator, given.get(key.lower()), [_plain(str(value)) for value in _many(values)])
        for operator, tests in statement.get("Condition", {}).items()
        for key, values in tests.items()
    )


def _condition(operator: str, given: str | None, values: list[str]) -> bool:
    if operator == "Null":
        return (given is None) == (values == ["true"])
    base, if_exists, rest = operator.partition("IfExists")
    if base not in _OPERATORS or rest:
        raise UnknownElementError(f"condition operator {operator}; known: Null, {', '.join(_OPERATORS)}")
    fits, negative = _OPERATORS[base]
    if given is None:
        # An absent key meets no test; one that asks for "not" is met by it.
        return bool(if_exists) or negative
    met = any(fits(value, given) for value in values)
    return not met if negative else met


def _arn_like(pattern: str, given: str) -> bool:
    """Each of the six parts by itself: a `*` in one does not reach into the next."""
    wanted, parts = pattern.split(":", 5), given.split(":", 5)
    return len(wanted) == len(parts) and all(map(_like, wanted, parts))


# An operator's test, and whether it is the opposite of it.
_OPERATORS: Mapping[str, tuple[Callable[[str, str], bool], bool]] = {
    "StringEquals": (str.__eq__, False),
    "StringNotEquals": (str.__eq__, True),
    "StringLike": (lambda pattern, given: _like(pattern, given), False),
    "StringNotLike": (lambda pattern, given: _like(pattern, given), True),
    "ArnEquals": (_arn_like, False),
    "ArnLike": (_arn_like, False),
    "ArnNotEquals": (_arn_like, True),
    "ArnNotLike": (_arn_like, True),
    "Bool": (lambda value, given: value.lower() == given.lower(), False),
    "NumericLessThan": (lambda limit, given: float(given) < float(limit), False),
}


def _like(pattern: str, text: str) -> bool:
    return _expression(pattern).fullmatch(text) is not None


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    """`*` is any number of characters, `?` is one, and all else is itself."""
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(letter) or re.escape(letter) for letter in pattern), re.DOTALL)


def _plain(value: str) -> str:
    if "${" in value:
        raise UnknownElementError(f"policy variable in {value}; none is known")
    return value


def _many(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
