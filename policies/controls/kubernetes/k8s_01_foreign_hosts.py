"""Hosts: K8S-01 no foreign SaaS endpoints."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.resources import Resource, Settings
from policies.framework.unknowns import Leaf, Unknown, dotted, each
from policies.law import RESIDENCY
from policies.readers import locations
from policies.readers.pod_environment import (
    BLOCKS,
    CRD,
    KUBERNETES,
    SECRET,
    environments,
    settled_elsewhere,
    told,
)
from policies.readers.tables import several, table

_HOST = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+", re.IGNORECASE)
_CLOUDS = (".amazonaws.com", ".googleapis.com")
# A property or variable of such a name may hold an address.
_ADDRESS = re.compile(
    r"ur[il]s?$|hosts?$|endpoints?$|address(es)?$|server|dsn$|site$|proxy$|externalname$", re.IGNORECASE
)
# `values` are a chart's, whose blocks have any name.
_HELD = frozenset({"env", "args", "command", "data", "stringData", "values"})


@dataclass(frozen=True)
class Host:
    """A suffix of host names, whose service it is, and where that keeps what it is sent."""

    suffix: str
    service: str
    stores_in: str

    def covers(self, host: str) -> bool:
        return host == self.suffix or host.endswith(f".{self.suffix}")


HOSTS = tuple(Host(row["host"], row["service"], row["stores_in"]) for row in table("saas_hosts.csv"))
ADDRESSES = frozenset(name for row in table("implicit_saas.csv") for name in several(row["addresses"]))


def foreign_hosts(resource: Resource, settings: Settings) -> Iterator[Finding | Unknown]:
    """K8S-01: no text in a Kubernetes resource names a host of a service that keeps its data abroad."""
    if resource.type.startswith(CRD):
        return
    allowed = each(settings.get("allowedHosts"))
    for leaf in told(resource.props):
        if isinstance(leaf.value, Unknown):
            if _may_be_an_address(leaf):
                yield leaf.value
        elif isinstance(leaf.value, str) and leaf.name != "image":
            text = _decoded(leaf.value) if resource.type == SECRET and leaf.path[0] == "data" else leaf.value
            yield from _named(leaf, text, allowed)
    yield from _kept_elsewhere(resource)


def host_abroad(host: str) -> tuple[str, str] | None:
    """(whose, where) for a host that keeps data abroad, None for all others."""
    host = host.lower()
    known = max((one for one in HOSTS if one.covers(host)), key=lambda one: len(one.suffix), default=None)
    if known:
        return None if known.stores_in == "India" else (known.service, known.stores_in)
    if host.endswith(_CLOUDS):
        abroad = [name for name in _places(host) if not locations.place(name)]
        return ("a cloud's regional endpoint", abroad[0]) if abroad else None
    return None


def _may_be_an_address(leaf: Leaf) -> bool:
    return (
        bool(_HELD.intersection(map(str, leaf.path)))
        or leaf.name in BLOCKS
        or bool(_ADDRESS.search(leaf.name))
    )


def _named(leaf: Leaf, text: str, allowed: Sequence[str]) -> Iterator[Finding]:
    for host in dict.fromkeys(found[0].lower() for found in _HOST.finditer(text)):
        abroad = host_abroad(host)
        if abroad and not any(isinstance(one, str) and Host(one, "", "").covers(host) for one in allowed):
            yield Finding(
                f"{host} is of {abroad[0]}, which keeps data in: {abroad[1]}",
                dotted(leaf.path),
                host,
                "a host in India, or one that the setting allowedHosts names",
            )


def _kept_elsewhere(resource: Resource) -> Iterator[Unknown]:
    """Addresses of known services that come from a ConfigMap or Secret: the answer depends on what is in it."""
    for environment in environments(resource.props):
        for variable in environment.variables:
            if variable.source is not None and variable.name in ADDRESSES:
                yield Unknown(variable.path)


def _places(host: str) -> Iterator[str]:
    """Regions in a host's name: `s3.us-east-1.amazonaws.com`, `us-central1-aiplatform.googleapis.com`."""
    for label in host.split("."):
        for name in (label, label.rsplit("-", 1)[0], label.partition("-")[2]):
            if locations.looks_like_a_place(name):
                yield name
                break


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode(errors="replace")
    except (binascii.Error, ValueError):
        return text


K8S_01 = Control(
    id="DPDP-K8S-01",
    title="No foreign SaaS endpoints",
    law=RESIDENCY,
    severity=Severity.CRITICAL,
    level=EnforcementLevel.MANDATORY,
    types=KUBERNETES,
    remedy="run the service in India, or name the host in allowedHosts if your tenant is kept in India",
    check=foreign_hosts,
    settles=settled_elsewhere,
    settings={
        "allowedHosts": {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "description": "suffixes of hosts that you accept",
        }
    },
)
CONTROLS = (K8S_01,)
