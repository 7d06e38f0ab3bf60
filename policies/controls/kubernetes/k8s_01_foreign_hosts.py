"""Hosts: K8S-01 no service that keeps its data abroad, in the settings of pods, functions, jobs and documents."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import ANY_TYPE, Control, Finding
from policies.framework.resources import Resource, Settings
from policies.framework.unknowns import Unknown, each
from policies.law import RESIDENCY
from policies.readers.pod_environment import CRD, KUBERNETES, SECRET, hidden_addresses, resolved_elsewhere
from policies.readers.values.reading import Value, read

_COUNTRIES = {"GLOBAL": "any country", "MULTI": "several countries", "": "an unknown place"}


def foreign_hosts(resource: Resource, settings: Settings) -> Iterator[Finding | Unknown]:
    """K8S-01: no text names a host of a service that keeps data abroad; in Kubernetes, nor a host in a place abroad. No
    connector or log driver delivers to a host whose place nothing tells."""
    if resource.type.startswith(CRD):
        return
    if resource.type.startswith(KUBERNETES):
        yield from hidden_addresses(resource)
    allowed = [name for name in each(settings.get("allowedHosts")) if isinstance(name, str)]
    for value in read(resource).of("host"):
        if (wrong := _why_foreign(value, resource)) and not _is_under(value.word, allowed):
            host = "the host" if resource.type == SECRET else value.word
            yield Finding(
                f"{host} is {wrong}",
                value.where,
                "(secret)" if resource.type == SECRET else value.word,
                "a host in India, or one that the setting allowedHosts names",
            )


def _why_foreign(value: Value, resource: Resource) -> str:
    """Whose host it is, and where data are kept; empty for a host that is another control's."""
    if service := value.service:
        countries = " or ".join(_COUNTRIES.get(one, one) for one in service.country.split("|"))
        return f"of {service.name}, which keeps data in: {countries}"
    if value.is_abroad and value.place and resource.type.startswith(KUBERNETES):
        return f"of a place abroad: {value.place.word}"
    if value.is_sink and value.service is None and value.place is None:
        return "where records or logs are delivered, and nothing says where it is"
    return ""


def _is_under(host: str, suffixes: list[str]) -> bool:
    return any(host == suffix or host.endswith(f".{suffix}") for suffix in suffixes)


K8S_01 = Control(
    id="DPDP-K8S-01",
    title="No foreign SaaS endpoints",
    law=RESIDENCY,
    severity=Severity.CRITICAL,
    level=EnforcementLevel.MANDATORY,
    types=ANY_TYPE,
    remedy="run the service in India, or name the host in allowedHosts if your tenant is kept in India",
    check=foreign_hosts,
    resolves=resolved_elsewhere,
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
