"""Services that are reached by a key alone: K8S-02 no implicit SaaS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.resources import Resource, Settings, Stack, StackResource
from policies.framework.unknowns import Unknown, dotted, each
from policies.law import RESIDENCY
from policies.readers.pod_environment import (
    KUBERNETES,
    Environment,
    Variable,
    environments,
    hidden,
    keys_of,
    settled_by_own_resources,
)
from policies.readers.tables import several, table


@dataclass(frozen=True)
class Implicit:
    """A service that is reached by setting a key and nothing else."""

    keys: tuple[str, ...]
    addresses: tuple[str, ...]
    offline: tuple[str, ...]
    service: str
    host: str


IMPLICIT = tuple(
    Implicit(
        several(row["keys"]), several(row["addresses"]), several(row["offline"]), row["service"], row["host"]
    )
    for row in table("implicit_saas.csv")
)


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


def _without_address(environment: Environment) -> Iterator[tuple[Variable, Implicit]]:
    for implicit in IMPLICIT:
        key = next(filter(None, map(environment.get, implicit.keys)), None)
        if key is None or any(environment.get(name) for name in implicit.addresses):
            continue
        if not any(environment.says(setting) for setting in implicit.offline):
            yield key, implicit


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
CONTROLS = (K8S_02,)
