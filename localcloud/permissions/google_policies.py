"""Bindings on buckets, evaluated: whether a member's roles, with their conditions, hold a permission.

Conditions are in the Common Expression Language, evaluated by cel-python; of the attributes, those that ours use
("Attribute reference for IAM Conditions", read 2026-11): `resource.name`, and the prefix that a list asks for.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import celpy
from celpy import celtypes
from celpy.evaluation import CELEvalError

from localcloud.permissions.gcs_calls import Call, Need, needs

LIST_PREFIX = "storage.googleapis.com/objectListPrefix"


class UnknownRoleError(LookupError):
    """A role that is not in `gcs_roles.csv`."""


@dataclass(frozen=True)
class Binding:
    """A role on a bucket, for a member, where a condition holds; `name` is the resource's in the stack."""

    name: str
    bucket: str
    member: str
    role: str
    condition: str | None


def bindings(granted: Mapping[str, Mapping[str, Any]]) -> list[Binding]:
    """Bindings on buckets, from the inputs of `gcp:storage/bucketIAMMember:BucketIAMMember` by the resource's name."""
    return [
        Binding(
            name,
            inputs["bucket"],
            inputs["member"],
            inputs["role"],
            (inputs.get("condition") or {}).get("expression"),
        )
        for name, inputs in granted.items()
    ]


def refusals(
    held: Sequence[Binding], member: str, call: Call, *, missing: bool = False, exists: bool = False
) -> list[str]:
    """What `call` needs and `member` does not hold, in the words of the store."""
    return [
        f"{need.permission} on {need.resource} (prefix {need.prefix!r}): no binding of {member} holds it"
        for need in needs(call, missing=missing, exists=exists)
        if not allowing(held, member, need)
    ]


def allowing(held: Sequence[Binding], member: str, need: Need) -> list[Binding]:
    """The bindings that hold a permission."""
    return [
        binding
        for binding in held
        if binding.member == member
        and binding.bucket == need.bucket
        and need.permission in roles(binding.role)
        and (binding.condition is None or holds(binding.condition, need.resource, need.prefix))
    ]


def roles(role: str) -> list[str]:
    """A role's permissions.

    Raises:
        UnknownRoleError: the table does not have it.
    """
    if role not in _roles():
        raise UnknownRoleError(f"{role} is not in gcs_roles.csv")
    return _roles()[role]


@cache
def _roles() -> Mapping[str, list[str]]:
    with Path(__file__).with_name("gcs_roles.csv").open(newline="") as file:
        return {row["role"]: row["permissions"].split() for row in csv.DictReader(file)}


def holds(expression: str, resource: str, prefix: str) -> bool:
    """Whether a condition holds for a resource, by its name, and a list's prefix (empty for what is no list)."""
    attributes = celtypes.MapType(
        {celtypes.StringType(LIST_PREFIX): celtypes.StringType(prefix)} if prefix else {}
    )
    return bool(
        _program(expression).evaluate(
            {
                "resource": celtypes.MapType({celtypes.StringType("name"): celtypes.StringType(resource)}),
                "api": attributes,
            }
        )
    )


def _attribute(api: Any, name: Any, otherwise: Any) -> Any:
    if name != LIST_PREFIX:
        raise CELEvalError(f"unknown attribute {name}")
    return api.get(name, otherwise)


@cache
def _program(expression: str) -> Any:
    environment = celpy.Environment()
    return environment.program(environment.compile(expression), functions={"getAttribute": _attribute})
