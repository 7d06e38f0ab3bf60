"""Services that are reached without an address: K8S-02 no implicit SaaS."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import ANY_TYPE, Control, Finding
from policies.framework.provenance import resolved_by_own_parts
from policies.framework.resources import Resource, Settings, Stack, StackResource
from policies.framework.unknowns import Unknown, each
from policies.law import RESIDENCY
from policies.readers.charts import Chart, charts
from policies.readers.environments import (
    Block,
    Environment,
    Text,
    Variable,
    environments,
    holds_programs,
    is_variables,
    join,
    parts,
)
from policies.readers.exporters import Exporter, exporters
from policies.readers.pod_environment import KUBERNETES, hidden, keys_of, resolved_by_own_resources
from policies.readers.services import (
    OutsideService,
    by_chart,
    by_exporter,
    by_image,
    by_key,
    by_layer,
    chooses_india,
    is_choice,
    outside_services,
)
from policies.readers.values.texts import tokens

_WORD = re.compile(r"\w{3,}")
# Settings of charts and exporters that say where data go, and parts of charts that never do.
_ADDRESS = re.compile(
    r"(?:site|endpoint|endpoints|host|hosts|hostname|ur[il]|base_?ur[il]|domain|address|server|servers|dsn|listener"
    r"|collector|collector_?ur[il]|ingest_?ur[il]|dd_?ur[il]|backend_?ur[il]|control_?plane|manager)$",
    re.IGNORECASE,
)
_NO_ADDRESS = re.compile(
    r"(?:^|\.)(?:ingress|image|images|registry|repository|service|serviceMonitor|serviceAccount|annotations|labels"
    r"|nodeSelector|tolerations|affinity|proxy|httpProxy|httpsProxy|kubelet|prometheus|resources|probes?)(?:\.|$)",
    re.IGNORECASE,
)
# Blocks and documents that, unknown, may hide the environment of a program.
_HIDES = frozenset(
    {
        "container", "containers", "containerDefinitions", "containerProperties", "ecsProperties", "eksProperties",
        "nodeProperties", "primaryContainer", "userData", "userDataBase64", "metadataStartupScript", "startupScript",
        "startup-script", "user-data", "gce-container-declaration", "buildspec", "onCreate", "onStart", "layers",
        "serviceConfig", "sourceConfiguration", "imageRepository", "imageConfiguration", "codeConfiguration",
        "codeConfigurationValues", "deploymentSpec", "softwareConfig", "workerPoolSpecs", "containerSpec", "taskGroups",
        "taskSpec", "runnables", "steps", "configurationValues",
    }
)  # fmt: skip


def implicit_saas(resource: Resource, settings: Settings) -> Iterator[Finding | Unknown]:
    """K8S-02: no program, function, script, chart, agent or exporter, in a resource of any type, has a key of a service
    abroad, or is one that sends to it, without saying where to."""
    if resource.type.startswith(KUBERNETES):
        yield from hidden(resource)
    if not holds_programs(resource.type):
        return
    accepted = _Accepted(tuple(one for one in each(settings.get("allowedServices")) if isinstance(one, str)))
    found = [*parts(resource.type, resource.props, _is_worth_opening)]
    installed = [one for one in _charts(resource) if not accepted.has(one[1])]
    yield from _of_charts(installed, found, resource.type)
    accepted = _Accepted((*accepted.names, *(service.name for _, service in installed)))
    reported = (one for part in found for one in _of_part(resource.type, part))
    # Two exporters of one text are one finding.
    yield from dict.fromkeys(
        one.what for one in reported if one.service is None or not accepted.has(one.service)
    )


@dataclass(frozen=True)
class _Reported:
    """What is wrong, or can't be known, of one service."""

    service: OutsideService | None
    what: Finding | Unknown


@dataclass(frozen=True)
class _Accepted:
    """Names of services that are accepted: `Langfuse` is `Langfuse Cloud` too."""

    names: tuple[str, ...]

    def has(self, service: OutsideService) -> bool:
        return any(one and (service.name == one or service.name.startswith(f"{one} ")) for one in self.names)


def _of_part(type_: str, part: Block | Text | Unknown) -> Iterator[_Reported]:
    if isinstance(part, Unknown):
        if not type_.startswith(KUBERNETES) and _may_hide(part):
            yield _Reported(None, part)
        return
    for environment in environments(type_, part):
        yield from _of_environment(environment)
    for exporter in exporters(part):
        yield from _of_exporter(exporter)


def resolved_by_addresses(unknown: Unknown, resource: StackResource, stack: Stack) -> bool:
    """A key without its address is settled where `envFrom` names a ConfigMap of the stack that has it, and what a task
    or machine is told where it lacks only what the stack's own resources are called."""
    environment = next(
        (one for one in _all(resource.alone) if one.elsewhere and one.elsewhere[0] == unknown.path), None
    )
    if environment is None or environment.elsewhere is None:
        if resource.type.startswith(KUBERNETES):
            return resolved_by_own_resources(unknown, resource, stack)
        return resolved_by_own_parts(unknown, resource, stack)
    found = {key for reference in each(environment.elsewhere[1]) for key in keys_of(reference, stack)}
    return all(found.intersection(service.addresses) for _, service, _ in _unsaid(environment))


def _all(resource: Resource) -> Iterator[Environment]:
    for part in parts(resource.type, resource.props, _is_worth_opening):
        if not isinstance(part, Unknown):
            yield from environments(resource.type, part)


@functools.cache
def _names() -> frozenset[str]:
    """Words without which no text can name any of the services: variables, exporters, parts of names of images."""
    words = set[str]()
    for service in outside_services():
        words.update(service.keys)
        words.update(exporter.partition(":")[2] for exporter in service.exporters)
        words.update(word for image in service.images for word in _maker(image))
    return frozenset(words)


def _maker(image: str) -> list[str]:
    """The words of an image that are its maker's: `datadoghq` of `gcr.io/datadoghq/agent`."""
    *before, last = image.removesuffix("/").split("/")
    maker = last if image.endswith("/") or not before else before[-1]
    return [
        word for word in _WORD.findall(maker) if word not in ("com", "net", "azurecr", "registry", "public")
    ]


def _is_worth_opening(text: str) -> bool:
    return not _names().isdisjoint(_WORD.findall(text))


def _may_hide(unknown: Unknown) -> bool:
    names = [part for part in unknown.path if isinstance(part, str)]
    if not names:
        return True
    named = names[-1] == "name" and any(map(is_variables, names[:-1]))
    return named or names[-1] in _HIDES or (is_variables(names[-1]) and names[-1] != "secrets")


def _of_environment(environment: Environment) -> Iterator[_Reported]:
    for what, service, where in _unsaid(environment):
        yield _Reported(service, _judged(environment, what, service, where))


def _judged(
    environment: Environment, what: str, service: OutsideService, where: tuple[str, str]
) -> Finding | Unknown:
    if environment.elsewhere:
        return Unknown(environment.elsewhere[0])
    chosen = _foreign_choice(environment, service)
    if isinstance(chosen, Unknown):
        return chosen
    if isinstance(chosen, Variable):
        no_place = f"{service.name} gets {what}, and {chosen.name} is no place in India"
        return Finding(no_place, chosen.where, chosen.value, _expected(service))
    return _finding(service, f"gets {what}", where[0], where[1])


def _unsaid(environment: Environment) -> Iterator[tuple[str, OutsideService, tuple[str, str]]]:
    """(what it has, service, (where, value)) for each service that a program uses without an address of its own."""
    seen = set[str]()
    for what, service, where in _told_of(environment):
        if service.name not in seen and not _is_said(environment, service):
            seen.add(service.name)
            yield what, service, where


def _told_of(environment: Environment) -> Iterator[tuple[str, OutsideService, tuple[str, str]]]:
    """Keys are those of the program itself: what it shares with others is judged where it is set."""
    for variable in environment.variables:
        for service in by_key().get(variable.name, ()) if variable.is_set else ():
            yield "its key and no address", service, (variable.where, variable.name)
    image = environment.image
    agent = by_image(image[0]) if image else None
    if image and agent and not _is_addressed(environment):
        yield "what its agent reads, without an address", agent, (image[1], image[0])
    for layer in each(environment.block.get("layers")):
        service = by_layer(layer) if isinstance(layer, str) else None
        if service:
            yield (
                "what its layer reads, without an address",
                service,
                (join(environment.where, "layers"), layer),
            )


def _is_said(environment: Environment, service: OutsideService) -> bool:
    """Whether the settings name an address, or switch sending off: K8S-01 judges the address."""
    if any(environment.says(setting) for setting in service.settings):
        return True
    if _foreign_choice(environment, service) is not None:
        return False
    return any(environment.get(name) for name in service.addresses)


def _foreign_choice(environment: Environment, service: OutsideService) -> Variable | Unknown | None:
    """A word for a place that is none of India, where no host says otherwise."""
    set_ = [found for name in service.addresses if (found := environment.get(name))]
    if any(not is_choice(one.name) for one in set_):
        return None
    for one in set_:
        if isinstance(one.value, Unknown):
            return one.value
        if isinstance(one.value, str) and not chooses_india(service, one.name, one.value):
            return one
    return None


def _is_addressed(environment: Environment) -> bool:
    """Whether the arguments of an agent name a host."""
    words = [
        word
        for name in ("args", "command")
        for one in each(environment.block.get(name))
        for word in tokens(str(one))
    ]
    return any("://" in word or re.search(r"[\w-]\.[a-z]{2,}(?::\d+)?$", word) for word in words)


def _charts(resource: Resource) -> Iterator[tuple[Chart, OutsideService]]:
    for chart in charts(resource.type, resource.props):
        if service := by_chart(chart.name, chart.repository):
            yield chart, service


def _of_charts(
    installed: Iterable[tuple[Chart, OutsideService]], found: list[Block | Text | Unknown], type_: str
) -> Iterator[Finding | Unknown]:
    for chart, service in installed:
        if _has_address(service, chart.values):
            continue
        told = [one for part in found if not isinstance(part, Unknown) for one in environments(type_, part)]
        if any(_is_said(one, service) for one in told):
            continue
        if chart.elsewhere:
            yield Unknown(chart.elsewhere)
        else:
            yield _finding(
                service, "is sent to by its chart, whose values name no address", chart.where, chart.name
            )


def _of_exporter(exporter: Exporter) -> Iterator[_Reported]:
    service = by_exporter().get(exporter.name)
    if service and not _has_address(service, exporter.settings):
        name = exporter.name.partition(":")[2]
        what = _finding(service, "is sent to by an exporter that names no address", exporter.where, name)
        yield _Reported(service, what)


def _has_address(service: OutsideService, settings: Iterable[tuple[str, str]]) -> bool:
    """Whether settings of a chart or an exporter say where to: a host of any kind, or a word for a place in India."""
    for name, value in settings:
        if _NO_ADDRESS.search(name):
            continue
        if is_choice(name) and chooses_india(service, name, value):
            return True
        if _ADDRESS.search(name) and ("." in value or ":" in value or "$" in value or "{" in value):
            return True
    return False


def _finding(service: OutsideService, what: str, where: str, value: str) -> Finding:
    return Finding(
        f"{service.name} {what}, so it goes to {service.goes_to}", where, value, _expected(service)
    )


def _expected(service: OutsideService) -> str:
    if not service.addresses:
        return f"no data for {service.name}, or {service.name} in allowedServices"
    return f"{' or '.join(service.addresses)} set to a host in India"


K8S_02 = Control(
    id="DPDP-K8S-02",
    title="No implicit SaaS",
    law=RESIDENCY,
    severity=Severity.HIGH,
    level=EnforcementLevel.MANDATORY,
    types=ANY_TYPE,
    remedy="set the address beside the key, chart, agent or exporter, or take that away",
    check=implicit_saas,
    resolves=resolved_by_addresses,
    settings={
        "allowedServices": {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "description": "services that you accept, as data/services.csv names them",
        }
    },
)
CONTROLS = (K8S_02,)
