"""Governance: GOV-01 stores of data say what class of data they hold, GOV-02 who owns it, what for and how long, GOV-05
whether somebody else's cloud holds data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.expectations import number
from policies.framework.resources import Resource, Settings, Stack
from policies.framework.unknowns import Unknown
from policies.law import ACCOUNTABILITY, CLASSIFICATION, UNSEEN
from policies.readers.data_stores import (
    CLASS,
    LABEL,
    NOT_PERSONAL,
    OWNER,
    PURPOSE,
    RETENTION_DAYS,
    STORES,
    TAG,
    is_personal,
    tag,
    tags_of,
)

CLASSES = ("personal", "sensitive", "payment", "internal", "public")
SAID = {
    OWNER: "who answers for the data",
    PURPOSE: "what it is processed for",
    RETENTION_DAYS: "a number of days",
}

# Providers whose resources the other controls judge, and those whose resources hold no data of anybody.
JUDGED = ("aws", "gcp", "kubernetes")
DATALESS = (
    "archive",
    "awsx",
    "docker",
    "docker-build",
    "eks",
    "null",
    "pulumi",
    "random",
    "std",
    "time",
    "tls",
)
_PROVIDER = "pulumi:providers:"


def data_classes(stack: Stack, settings: Settings) -> Iterator[tuple[str, Finding | Unknown]]:
    """GOV-01: a store carries the tag, itself or by its provider's default tags, with a value of the closed list."""
    classes = settings.get("classes", CLASSES)
    for store in stack.of(*STORES):
        where, value = tag(store.alone, CLASS)
        if isinstance(value, Unknown):
            yield store.urn, value
        elif value is None:
            what = _untagged(stack.spared(store.urn))
            yield store.urn, Finding(what, where, None, f"one of {', '.join(classes)}")
        elif value not in classes:
            what = "the data class is not in the list"
            yield store.urn, Finding(what, where, value, f"one of {', '.join(classes)}")


def _untagged(spared: int) -> str:
    """`spared` findings are there only because nobody says that the data are not personal."""
    if not spared:
        return "untagged, so judged as personal"
    go = "1 finding goes" if spared == 1 else f"{spared} findings go"
    return f"untagged, so judged as personal: tag it as {' or '.join(NOT_PERSONAL)}, if it is that, and {go}"


def accountability(resource: Resource, _settings: Settings) -> Iterator[Finding | Unknown]:
    """GOV-02: a store of personal data says who answers for it, what for, and for how many days it is kept."""
    if not is_personal(resource):
        return
    lacking: dict[str, Any] = {}
    for name in SAID:
        where, value = tag(resource, name)
        if isinstance(value, Unknown):
            yield value
        elif not _says(name, value):
            lacking[where] = value
    if lacking:
        said = {where: value for where, value in lacking.items() if value is not None}
        names = [name for name in SAID if tag(resource, name)[0] in lacking]
        yield Finding(
            f"the store does not say its {_listed(names)}",
            tags_of(resource),
            said or None,
            ", ".join(f"{where}: {SAID[name]}" for where, name in zip(lacking, names, strict=True)),
        )


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _says(name: str, value: Any) -> bool:
    if name == RETENTION_DAYS:
        return (number(value) or 0) > 0
    return isinstance(value, str) and bool(value.strip())


def unseen_providers(stack: Stack, settings: Settings) -> Iterator[tuple[str, Finding]]:
    """GOV-05: every provider of the stack is one whose resources are judged, or that holds no data.

    The provider is named once, and not each of its resources: types of components are anybody's names.
    """
    known = {*JUDGED, *DATALESS, *settings.get("known", ())}
    for resource in stack.under(_PROVIDER):
        name = resource.type.removeprefix(_PROVIDER)
        if name not in known:
            yield (
                resource.urn,
                Finding(
                    "this pack can't see where the provider keeps data, how, and for how long",
                    "the provider",
                    name,
                    f"one of {', '.join(JUDGED)}, or a provider named in the setting `known`",
                ),
            )


GOV_01 = Control(
    id="DPDP-GOV-01",
    title="Data stores carry a data class",
    law=CLASSIFICATION,
    severity=Severity.MEDIUM,
    level=EnforcementLevel.ADVISORY,
    types=(),
    remedy=f'tag it with "{TAG}"',
    remedies={"gcp:": f'label it with "{LABEL}"'},
    check=None,
    stack_check=data_classes,
    comes_last=True,
    settings={
        "classes": {
            "type": "array",
            "items": {"type": "string"},
            "default": list(CLASSES),
            "description": "the closed list of data classes",
        }
    },
)
GOV_02 = Control(
    id="DPDP-GOV-02",
    title="Personal stores name owner purpose and retention",
    law=ACCOUNTABILITY,
    severity=Severity.LOW,
    level=EnforcementLevel.ADVISORY,
    types=STORES,
    remedy='tag it with "dpdp:owner", "dpdp:purpose" and "dpdp:retention-days"',
    remedies={"gcp:": 'label it with "dpdp-owner", "dpdp-purpose" and "dpdp-retention-days"'},
    check=accountability,
)
GOV_05 = Control(
    id="DPDP-GOV-05",
    title="Every provider is judged or known",
    law=UNSEEN,
    severity=Severity.MEDIUM,
    level=EnforcementLevel.ADVISORY,
    types=(),
    remedy="keep personal data out of it; where none can be in it, name the provider in the setting `known`",
    check=None,
    stack_check=unseen_providers,
    settings={
        "known": {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "description": "further providers that hold no personal data",
        }
    },
)
CONTROLS: tuple[Control, ...] = (GOV_01, GOV_02, GOV_05)
