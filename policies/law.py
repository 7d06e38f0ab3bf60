"""The law each control rests on: which provisions bind, beside which others it stands, and for whom that turns.

The DPDP Act does not ask that personal data stay in India: s.16(1) lets it go anywhere that the Government has not
restricted by notification, and by November 2026 it had restricted no country. So a residency control names its basis
honestly: a rule of this house (posture), which keeps a later notification from ever biting, and law that binds
(statutory) only for those whom a regulator binds: the setting `regulatedAs`, which a profile gives.

What each provision requires, of whom, from which day and by which source is a row of `data/provisions.yaml`; a test
holds every citation against it. Engineering facts, not legal advice.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter
from pydantic.alias_generators import to_camel

Basis = Literal["statutory", "conditional", "posture"]
# Whom a regulator binds to more than everybody: the values of the setting `regulatedAs`.
Entity = Literal["sebi-re", "rbi-payments", "rbi-digital-lending", "irdai"]
ENTITIES: tuple[Entity, ...] = get_args(Entity)
Status = Literal["in force", "from its day", "in abeyance", "carried over", "replaced", "no law"]
# What binds somebody: a text that was carried over goes on in its successor, which is cited beside it.
BINDS: tuple[Status, ...] = ("in force", "from its day", "carried over")

TABLE = Path(__file__).parent / "data/provisions.yaml"


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class Instrument(_Row):
    """An act, a set of rules, a circular. `cited` is how a provision of it is quoted; `read` the day of its source."""

    short: str
    name: str
    reference: str
    source: str
    read: date
    cited: str = "{short} {provision}"


class Provision(_Row):
    """A row of the table. `in_force` is the day from which it binds; `deferred` says for whom it binds later."""

    instrument: str
    provision: str
    requires: str
    binds: str
    in_force: date | None
    status: Status
    deferred: str = ""

    @property
    def of(self) -> Instrument:
        """The Act, Rules or directions that it is part of."""
        return instruments()[self.instrument]

    @property
    def cited(self) -> str:
        """The provision as messages and pages quote it: `DPDP Act s.8(5)`."""
        of = self.of
        return of.cited.format(short=of.short, provision=self.provision, reference=of.reference)

    @property
    def binding(self) -> bool:
        """Whether its status is one that binds, now or from a day on."""
        return self.status in BINDS

    def when(self, configured: str = "") -> str:
        """Since when it binds, in words; `configured` is another day for what was still to come when it was read."""
        day = configured if configured and self.status == "from its day" else self.in_force
        since = f"in force from {day}" if day else self.status
        if self.status in ("in abeyance", "carried over", "replaced"):
            since += f", {self.status}"
        if self.status == "no law":
            since = f"no law, of {self.in_force}" if self.in_force else "no law"
        return f"{since}, {self.deferred}" if self.deferred else since


@functools.cache
def _table() -> dict[str, Any]:
    # With libyaml, where it is, in a tenth of the time.
    return yaml.load(TABLE.read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))


@functools.cache
def instruments() -> Mapping[str, Instrument]:
    """The acts, rules and circulars, by id."""
    return TypeAdapter(dict[str, Instrument]).validate_python(_table()["instruments"])


@functools.cache
def provisions() -> Mapping[str, Provision]:
    """Every provision that may be cited, by id."""
    return TypeAdapter(dict[str, Provision]).validate_python(_table()["provisions"])


@dataclass(frozen=True)
class Stated:
    """A law's basis and text, for the regulated entity that a run is configured for."""

    basis: Basis
    text: str


@dataclass(frozen=True)
class Law:
    """What a control rests on. The tuples are ids of provisions.

    `says` is what it comes to, in a few words. `binding` are the provisions that ask for what the control asks for
    (none for a posture), `beside` those that are near and do not. `regulated` are provisions that bind some entities
    to it, and make it statutory for them.
    """

    basis: Basis
    says: str
    binding: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    regulated: Mapping[Entity, tuple[str, ...]] = field(default_factory=dict, hash=False)

    def stated(self, settings: Mapping[str, Any]) -> Stated:
        """The law that applies under a policy's settings: `regulatedAs` and `inForceFrom`."""
        day = str(settings.get("inForceFrom") or "")
        binds = [
            one for entity in settings.get("regulatedAs") or () for one in self.regulated.get(entity, ())
        ]
        if binds and self.basis != "statutory":
            return Stated("statutory", _quoted_in_full(dict.fromkeys(binds), day))
        parts = [self._headed(day)]
        if binds:
            parts.append(_quoted_in_full(dict.fromkeys(binds), day))
        elif self.beside:
            parts.append(f"beside {quoted(self.beside, day)}")
        if self.regulated and not binds:
            parts.append(f"binding for {', '.join(self.regulated)} (setting regulatedAs)")
        return Stated(self.basis, "; ".join(parts))

    @property
    def cited(self) -> str:
        """The provisions as they apply to everybody."""
        return self.stated({}).text

    @property
    def ids(self) -> tuple[str, ...]:
        """Every provision that it names."""
        of_entities = (one for ids in self.regulated.values() for one in ids)
        return tuple(dict.fromkeys((*self.binding, *self.beside, *of_entities)))

    @property
    def pending(self) -> tuple[str, ...]:
        """Provisions that it names and whose day was still to come when they were read."""
        return tuple(one for one in self.ids if provisions()[one].status == "from its day")

    def _headed(self, day: str) -> str:
        return f"{quoted(self.binding, day)}: {self.says}" if self.binding else f"house rule: {self.says}"


@functools.cache
def quoted(ids: tuple[str, ...], configured: str = "") -> str:
    """Provisions with the day of each; neighbours of the same day share it."""
    rows = [provisions()[one] for one in ids]
    return "; ".join(
        f"{', '.join(row.cited for row in group)} ({when})" for when, group in _grouped(rows, configured)
    )


def _grouped(rows: Sequence[Provision], configured: str) -> Iterator[tuple[str, list[Provision]]]:
    for when, group in groupby(rows, key=lambda row: row.when(configured)):
        yield when, list(group)


def _quoted_in_full(ids: Iterable[str], configured: str) -> str:
    rows = [provisions()[one] for one in ids]
    return "; ".join(
        f"{row.cited} ({row.when(configured)}): {row.requires.rstrip('.').replace('; ', ', ')}"
        for row in rows
    )


_SAFEGUARDS = "act-8-5"
_SEBI = ("sebi-cloud-3",)
_STORED_IN_INDIA: Mapping[Entity, tuple[str, ...]] = {
    "sebi-re": _SEBI,
    "rbi-payments": ("rbi-payments-2", "rbi-payments-faq"),
    "rbi-digital-lending": ("rbi-lending-13", "rbi-credit-banks", "rbi-credit-nbfcs"),
    "irdai": ("irdai-2025",),
}
_TRANSFER = ("act-16-1", "rules-15")

# Where data lies.
RESIDENCY = Law(
    "posture",
    "data stays in India, so that no later notification or order can bite",
    beside=_TRANSFER,
    regulated=_STORED_IN_INDIA,
)
# Means to that end, which no provision asks for: pins, guardrails, paths, grants, lists.
RESIDENCY_GUARD = Law(
    "posture",
    "a guard that keeps data in India; where a regulator asks for data in India, it leaves the means open",
    beside=_TRANSFER,
)
KEY_RESIDENCY = Law(
    "posture",
    "keys and secrets stay in India; no provision speaks of their place, and SEBI's framework only of whose keys are",
    beside=(_SAFEGUARDS, "sebi-cloud-3"),
)
# RBI and IRDAI speak of where data is stored, and RBI lets it be processed abroad for a day.
INFERENCE = Law(
    "posture",
    "models are asked in India, so that no later notification or order can bite",
    beside=(*_TRANSFER, "rules-13-4"),
    regulated={"sebi-re": _SEBI},
)

# Encryption and keys.
ENCRYPTION = Law(
    "statutory",
    "appropriate data security measures, such as encryption, which is one of several means",
    binding=(_SAFEGUARDS, "rules-6-1-a"),
)
CUSTOMER_KEY = Law(
    "posture",
    "a key of one's own; under a key of the cloud's data is encrypted as well, and the rule leaves open whose it is",
    beside=("rules-6-1-a",),
    regulated={"sebi-re": ("sebi-cloud-6",)},
)
KEY_COST = Law("posture", "a bucket key saves calls to KMS: a matter of cost", beside=("rules-6-1-a",))
KEY_CARE = Law(
    "posture",
    "keys rotate and are slow to delete; the rule names encryption and is silent on the life of keys",
    beside=(_SAFEGUARDS, "rules-6-1-a"),
)
MASKING = Law(
    "posture",
    "logs mask numbers that identify people; the rule names masking as one of several means",
    beside=(_SAFEGUARDS, "rules-6-1-a"),
)

# Access.
ACCESS = Law(
    "statutory",
    "appropriate measures to control access to computer resources",
    binding=(_SAFEGUARDS, "rules-6-1-b"),
)
CONFINEMENT = Law(
    "posture",
    "nodes and pods are confined; the rule asks for control of access and leaves its means open",
    beside=(_SAFEGUARDS, "rules-6-1-b"),
)
EGRESS = Law(
    "posture",
    "what may leave is named; the rule asks for control of access and leaves its means open",
    beside=(_SAFEGUARDS, "rules-6-1-b"),
)

# Logs.
VISIBILITY = Law(
    "statutory",
    "visibility on who reads personal data, by appropriate logs, monitoring and review",
    binding=(_SAFEGUARDS, "rules-6-1-c"),
)
LOG_RETENTION = Law(
    "statutory",
    "logs of processing are kept for one year, logs of every system for 180 days",
    binding=(_SAFEGUARDS, "rules-6-1-e", "rules-8-3", "cert-in-iv"),
)
LOG_SAFETY = Law(
    "posture",
    "logs that can be altered show nothing; the rules ask for logs and a year of them, and leave the way open",
    beside=("rules-6-1-c", "rules-6-1-e"),
)
TRAFFIC_LOGS = Law(
    "statutory",
    "visibility, traffic data kept for one year, and logs of all systems",
    binding=("rules-6-1-c", "rules-8-3", "cert-in-iv"),
)
INFERENCE_LOGS = Law(
    "posture",
    "logs of inference lie in a store of the stack, under its key; the rule asks for logs, not for a place or key",
    beside=("rules-6-1-c",),
)
LOGS_IN_INDIA = Law(
    "statutory",
    "180 days of logs within the Indian jurisdiction, unless another copy of them lies there",
    binding=("cert-in-iv",),
    beside=("cert-in-faq-35", _SAFEGUARDS),
    regulated={"sebi-re": _SEBI},
)
LOG_COPIES = Law(
    "posture",
    "copies of logs stay in India too; their source keeps its own, which is what the Directions ask for",
    beside=("cert-in-iv", "cert-in-faq-35"),
    regulated={"sebi-re": _SEBI},
)
CLOCKS = Law("statutory", "clocks traceable to NIC or NPL", binding=("cert-in-i",))

# Retention and continuity.
ERASURE = Law(
    "statutory",
    "personal data, and logs of its processing, are erased when their purpose and their year are over",
    binding=("act-8-7", "rules-8-3"),
    beside=("act-12",),
)
RETENTION_FLOOR = Law(
    "statutory",
    "personal data, traffic data and logs are kept for one year, also when somebody asks for erasure",
    binding=("rules-8-3", "rules-6-1-e"),
)
CONTINUITY = Law(
    "statutory",
    "reasonable measures for continued processing, such as backups",
    binding=(_SAFEGUARDS, "rules-6-1-d"),
)
SECOND_COPY = Law(
    "posture",
    "a second copy in the other Indian region; the rule asks for continuity and names no place",
    beside=("rules-6-1-d",),
)

# Breach.
BREACH = Law(
    "statutory",
    "detection of unauthorised access, its investigation and remediation, on which notices of a breach depend",
    binding=(_SAFEGUARDS, "rules-6-1-c"),
    beside=("act-8-6", "rules-7", "cert-in-ii"),
)

# Governance.
CLASSIFICATION = Law(
    "posture",
    "stores say what class of data they hold; neither the Act nor the Rules ask for tags or classes",
    beside=("act-8-4", "rules-6-1-g"),
)
ACCOUNTABILITY = Law(
    "posture",
    "stores say owner, purpose and days; neither the Act nor the Rules ask for tags",
    beside=("act-8-4", "act-8-7"),
)
EXEMPTIONS = Law("posture", "what is let through is answered for, to a day", beside=("act-8-4",))
UNSEEN = Law("posture", "what holds data is judged or named", beside=("act-8-1", "act-8-4"))
BUDGET = Law("posture", "a stack keeps to the budget that it states itself")
SPECIFIED_DATA = Law(
    "conditional",
    "specified data, and traffic data about its flow, stays; once the Government specifies any",
    binding=("act-10", "rules-13-4"),
)

# What is no personal data.
TELEMETRY = Law(
    "posture",
    "no usage statistics abroad, which by their makers' word are no personal data",
    beside=("act-8-4",),
)
IMAGE_SOURCE = Law(
    "posture",
    "images come from here, for continuity: they are programs, not personal data",
    beside=("rules-6-1-d",),
)
