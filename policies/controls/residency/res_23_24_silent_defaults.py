"""Silence: RES-23 what a cloud does abroad where nothing is said, RES-24 the same of edges and of what is unsure."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

from pulumi_policy import EnforcementLevel, Severity

from policies.controls.residency import (
    res_01_02_regions,
    res_03_07_global_tables,
    res_04_05_replication,
    res_06_09_10_copies,
    res_11_log_places,
    res_12_streams,
    res_13_inference,
    res_17_edge_caches,
    res_18_19_21_data_transfer,
    res_22_global_services,
)
from policies.framework.control import ANY_TYPE, Control, Finding
from policies.framework.provenance import resolved_by_own_parts
from policies.framework.resources import Resource, Settings
from policies.framework.unknowns import Unknown
from policies.law import RESIDENCY
from policies.readers.silent_defaults import Condition, SilentDefault, defaults_of, every_default

_OTHERS: tuple[Control, ...] = tuple(
    control
    for module in (
        res_01_02_regions,
        res_03_07_global_tables,
        res_04_05_replication,
        res_06_09_10_copies,
        res_11_log_places,
        res_12_streams,
        res_13_inference,
        res_17_edge_caches,
        res_18_19_21_data_transfer,
        res_22_global_services,
    )
    for control in module.CONTROLS
)
_INDIAN = {"aws": "ap-south-1", "gcp": "asia-south1"}


def silent_defaults(resource: Resource, _settings: Settings) -> Iterator[Finding | Unknown]:
    """RES-23: no property that is left out, or left at what the cloud takes anyway, sends data abroad."""
    yield from _occurrences(resource, is_soft=False)


def unclear_defaults(resource: Resource, _settings: Settings) -> Iterator[Finding | Unknown]:
    """RES-24: no default lets data pass through edges abroad, or to a place that the cloud does not name."""
    yield from _occurrences(resource, is_soft=True)


def _occurrences(resource: Resource, *, is_soft: bool) -> Iterator[Finding | Unknown]:
    for row in defaults_of(resource.type):
        if row.is_soft != is_soft or is_claimed(row):
            continue
        for found in row.occurrences(resource.props):
            if isinstance(found, Unknown):
                yield found
            else:
                where, value = found
                yield Finding(row.does, where, value, row.expected, _fix(row))


def _fix(row: SilentDefault) -> str:
    """Where the table names what settles the matter elsewhere, that is an answer too."""
    say = f"set {row.property}: {row.expected}" if row.property else f"use {row.expected}"
    return f"{say}; or exempt it, if {row.unless}" if row.unless else say


@functools.cache
def is_claimed(row: SilentDefault) -> bool:
    """Whether another control of residency, of the same level, reports the same.

    It does where it finds something at that property, or something that it does not find once the default no longer
    applies. A type as such has no other case: whatever a control finds in a resource of it counts, but for one that
    looks at every type.
    """
    such = _such(row)
    settled = _otherwise(row, such)
    # Each is made once, so that what is read of it is read once for all controls.
    applies = Resource(row.type, "", such)
    otherwise = None if settled is None else Resource(row.type, "", settled)
    for control in _OTHERS:
        is_weaker = not row.is_soft and control.level != EnforcementLevel.MANDATORY
        if (
            is_weaker
            or not row.type.startswith(control.types)
            or (row.when is None and control.types == ANY_TYPE)
        ):
            continue
        found = _findings(control, applies)
        if otherwise is not None and row.property not in {where for where, _ in found}:
            found -= _findings(control, otherwise)
        if found:
            return True
    return False


def _findings(control: Control, resource: Resource) -> set[tuple[str, str]]:
    found = control.check(resource, {}) if control.check else ()
    return {(one.where, one.what) for one in found if isinstance(one, Finding)}


def _such(row: SilentDefault) -> dict[str, Any]:
    """A resource to which a row applies, and which says nothing else."""
    props: dict[str, Any] = {}
    for condition in (*row.only_if, *filter(None, (row.when,))):
        _put(props, condition.path, _satisfying(condition))
    return props


def _satisfying(condition: Condition) -> Any:
    values: dict[str, Callable[[], Any]] = {
        "absent": lambda: None,
        "present": dict,
        "equals": lambda: True if condition.values[0] == "true" else condition.values[0],
        "lacks": lambda: "other",
        "differs": lambda: "other",
    }
    return values[condition.is_]()


def _otherwise(row: SilentDefault, applies: dict[str, Any]) -> dict[str, Any] | None:
    """The same resource, where it says what the row expects; None where it can't."""
    if row.when is None:
        return None
    props = _copied(applies)
    indian = _INDIAN.get(row.type.partition(":")[0], "ap-south-1")
    _put(props, row.when.path, indian if row.when.is_ == "absent" else None)
    return props


def _copied(tree: Any) -> Any:
    return {key: _copied(value) for key, value in tree.items()} if isinstance(tree, dict) else tree


def _put(props: dict[str, Any], path: str, value: Any) -> None:
    *above, name = path.split(".") if '"' not in path else [path]
    for part in above:
        inner = props.setdefault(part, {})
        if not isinstance(inner, dict):
            inner = props[part] = {}
        props = inner
    if value is None:
        props.pop(name, None)
    else:
        props[name] = value


def _types(*, is_soft: bool) -> tuple[str, ...]:
    """The types that have rows of their own; of Kubernetes the groups, whose versions change."""
    judged = {row.type for row in every_default() if row.is_soft == is_soft and not is_claimed(row)}
    return tuple(
        sorted({one[: one.index("/") + 1] if one.startswith("kubernetes:") else one for one in judged})
    )


RES_23 = Control(
    id="DPDP-RES-23",
    title="No silent default abroad",
    law=RESIDENCY,
    severity=Severity.HIGH,
    level=EnforcementLevel.MANDATORY,
    types=_types(is_soft=False),
    remedy="write the property out, with a place in India",
    check=silent_defaults,
    resolves=resolved_by_own_parts,
)
RES_24 = Control(
    id="DPDP-RES-24",
    title="Unclear defaults are looked at",
    law=RESIDENCY,
    severity=Severity.LOW,
    level=EnforcementLevel.ADVISORY,
    types=_types(is_soft=True),
    remedy="write the property out, or make sure that no personal data pass through",
    check=unclear_defaults,
    resolves=resolved_by_own_parts,
)
CONTROLS = (RES_23, RES_24)
