"""Hosts in Kubernetes resources: K8S-01 no foreign SaaS endpoints, K8S-02 no implicit SaaS."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.resources import Resource, Settings, Stack, StackResource
from policies.framework.unknowns import Leaf, Unknown, dotted, each
from policies.law import RESIDENCY
from policies.readers import locations
from policies.readers.pod_environment import (
    BLOCKS,
    CRD,
    KUBERNETES,
    SECRET,
    Environment,
    Variable,
    environments,
    hidden,
    keys_of,
    settled_by_own_resources,
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


@dataclass(frozen=True)
class Implicit:
    """A service that is reached by setting a key and nothing else."""

    keys: tuple[str, ...]
    addresses: tuple[str, ...]
    offline: tuple[str, ...]
    service: str
    host: str


HOSTS = tuple(Host(row["host"], row["service"], row["stores_in"]) for row in table("saas_hosts.csv"))
IMPLICIT = tuple(
    Implicit(
        several(row["keys"]), several(row["addresses"]), several(row["offline"]), row["service"], row["host"]
    )
    for row in table("implicit_saas.csv")
)
ADDRESSES = frozenset(name for implicit in IMPLICIT for name in implicit.addresses)


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


def implicit_saas(resource: Resource, settings: Settings) -> Iterator[Finding | Unknown]:
    """K8S-02: no container has the key of a service without its address, which then is the service's default."""
    yield from hidden(resource.props)
    allowed = each(settings.get("allowedServices"))
    for environment in environments(resource.props):
        if environment.path[:1] in (("data",), ("stringData",)):
            continue  # a Secret of keys is no program yet
        for key, implicit in _without_address(environment):
            if implicit.service in allowed:
                continue
            if environment.elsewhere:
                yield Unknown(environment.elsewhere[0])
            else:
                yield Finding(
                    f"{implicit.service} gets its key and no address, so it goes to {implicit.host}",
                    dotted(key.named),
                    key.name,
                    f"{' or '.join(implicit.addresses)} set to a host in India",
                )


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


def settled_by_addresses(unknown: Unknown, resource: StackResource, stack: Stack) -> bool:
    """A key without its address is settled where `envFrom` names a ConfigMap of the stack that has it."""
    environment = next(
        (one for one in environments(resource.props) if one.elsewhere and one.elsewhere[0] == unknown.path),
        None,
    )
    if environment is None or environment.elsewhere is None:
        return settled_by_own_resources(unknown, resource, stack)
    found = {key for reference in each(environment.elsewhere[1]) for key in keys_of(reference, stack)}
    return all(found.intersection(implicit.addresses) for _, implicit in _without_address(environment))


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


def _without_address(environment: Environment) -> Iterator[tuple[Variable, Implicit]]:
    for implicit in IMPLICIT:
        key = next(filter(None, map(environment.get, implicit.keys)), None)
        if key is None or any(environment.get(name) for name in implicit.addresses):
            continue
        if not any(environment.says(setting) for setting in implicit.offline):
            yield key, implicit


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
K8S_02 = Control(
    id="DPDP-K8S-02",
    title="No implicit SaaS",
    law=RESIDENCY,
    severity=Severity.HIGH,
    level=EnforcementLevel.MANDATORY,
    types=KUBERNETES,
    remedy="set the address variable beside the key, or take the key away",
    check=implicit_saas,
    settles=settled_by_addresses,
    settings={
        "allowedServices": {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "description": "services that you accept, as data/implicit_saas.csv names them",
        }
    },
)
CONTROLS = (K8S_01, K8S_02)
