"""Analyses resources with the pack as the engine would, without an engine: for audits of a state, and for tests.

It is the real servicer that answers. Inputs are what each resource is asked by, outputs what the stack is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf import struct_pb2
from pulumi.runtime.proto import analyzer_pb2 as proto
from pulumi_policy import EnforcementLevel
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE as UNKNOWN

from policies import pack
from policies.framework.control import Control
from policies.framework.record import Record
from policies.runner.servicer import Servicer

Config = Mapping[str, str | Mapping[str, Any]]


@dataclass(frozen=True)
class Provider:
    """The provider that a resource is made with: its URN and inputs."""

    urn: str
    inputs: Mapping[str, Any]


@dataclass(frozen=True)
class AnalyzedResource:
    """One resource. `sources` are the URNs that each property is made from. What is not known is `UNKNOWN`."""

    type: str
    urn: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any] = field(default_factory=dict)
    provider: Provider | None = None
    sources: Mapping[str, Sequence[str]] = field(default_factory=dict)


def analyse(
    resources: Sequence[AnalyzedResource],
    config: Config | None = None,
    on_step: Callable[[int], None] = lambda done: None,
    controls: Sequence[Control] = pack.CONTROLS,
) -> tuple[list[proto.AnalyzeDiagnostic], Record]:
    """Each resource, then the stack, as one preview does: every diagnostic with its URN, and the record.

    `config` is a policy config: levels and settings by the names of policies.
    """
    records = list[Record]()
    served = _served(config, records.append, controls)
    diagnostics = []
    for done, resource in enumerate(resources, start=1):
        for diagnostic in served.Analyze(_request(resource), None).diagnostics:
            diagnostic.urn = resource.urn
            diagnostics.append(diagnostic)
        on_step(done)
    diagnostics += served.AnalyzeStack(_stack(resources), None).diagnostics
    (record,) = records
    return diagnostics, record


def remediate(resource: AnalyzedResource, config: Config | None = None) -> proto.RemediateResponse:
    """What the pack would make of a resource before it looks at it: each remediation with the properties after it."""
    return _served(config, lambda _record: None).Remediate(_request(resource), None)


def _served(
    config: Config | None,
    on_end: Callable[[Record], None],
    controls: Sequence[Control] = pack.CONTROLS,
) -> Servicer:
    fresh = pack.run(controls)
    served = Servicer(fresh, on_end, pack.NAME, pack.version(), fresh.policies, EnforcementLevel.ADVISORY)
    served.Configure(_configuration(fresh, config or {}), None)
    return served


def _struct(values: Mapping[str, Any]) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    struct.update(values)
    return struct


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]


def _provider(provider: Provider | None) -> proto.AnalyzerProviderResource | None:
    if provider is None:
        return None
    return proto.AnalyzerProviderResource(
        type=provider.urn.split("::")[2].rpartition("$")[2],
        urn=provider.urn,
        name=_name(provider.urn),
        properties=_struct(provider.inputs),
    )


def _request(resource: AnalyzedResource) -> proto.AnalyzeRequest:
    return proto.AnalyzeRequest(
        type=resource.type,
        urn=resource.urn,
        name=_name(resource.urn),
        properties=_struct(resource.inputs),
        provider=_provider(resource.provider),
    )


def _stack(resources: Sequence[AnalyzedResource]) -> proto.AnalyzeStackRequest:
    return proto.AnalyzeStackRequest(
        resources=[
            proto.AnalyzerResource(
                type=one.type,
                urn=one.urn,
                name=_name(one.urn),
                properties=_struct({**one.inputs, **one.outputs}),
                provider=_provider(one.provider),
                propertyDependencies={
                    prop: proto.AnalyzerPropertyDependencies(urns=urns) for prop, urns in one.sources.items()
                },
            )
            for one in resources
        ]
    )


def _configuration(run: pack.Run, config: Config) -> proto.ConfigureAnalyzerRequest:
    request = proto.ConfigureAnalyzerRequest()
    declared = {policy.name: policy.enforcement_level for policy in run.policies}
    for policy, given in config.items():
        settings = {"enforcementLevel": given} if isinstance(given, str) else dict(given)
        own = declared[policy] or EnforcementLevel.ADVISORY
        level = str(settings.pop("enforcementLevel", own.value)).upper()
        request.policyConfig[policy].enforcementLevel = proto.EnforcementLevel.Value(level)
        request.policyConfig[policy].properties.update(settings)
    return request


__all__ = ["UNKNOWN", "AnalyzedResource", "Config", "Provider", "analyse", "remediate"]
