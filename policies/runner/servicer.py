"""The SDK's servicer, reading each resource once.

pulumi_policy 1.21.0 reads a resource's properties again for every policy, and the whole stack again for every stack
policy: with this pack's some ninety, that was most of its cost (docs/policies.md has the figures). What it answers is
the SDK's; the tests of the pack run through it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from google.protobuf import empty_pb2, json_format
from pulumi.runtime.proto import analyzer_pb2 as proto
from pulumi_policy import (
    EnforcementLevel,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.deserialize import SPECIAL_SECRET_SIG, SPECIAL_SIG_KEY, deserialize_properties
from pulumi_policy.policy import _NotApplicableError, _PolicyAnalyzerServicer
from pulumi_policy.proxy import unknown_checking_proxy

from policies.framework.record import Record
from policies.framework.unknowns import Path, dotted
from policies.pack import UNRESOLVED, Run

# What a Kubernetes Secret holds is a secret, whether or not the program marks it as one.
SECRET, _KEPT = "kubernetes:core/v1:Secret", ("data", "stringData", "binaryData")
P = TypeVar("P", ResourceValidationPolicy, StackValidationPolicy)


class Servicer(_PolicyAnalyzerServicer):
    """Serves one run of the pack, described as the SDK's is by `about`. `on_end` is given the record of the run when
    the stack has been looked at."""

    def __init__(self, run: Run, on_end: Callable[[Record], None], *about: Any) -> None:
        super().__init__(*about)
        self._run, self._on_end = run, on_end

    def Configure(self, request: proto.ConfigureAnalyzerRequest, context: Any) -> empty_pb2.Empty:
        """Take the levels and settings of the policies, for the record too."""
        answer = super().Configure(request, context)
        self._run.run_state.levels = {
            policy.name: self._get_enforcement_level(policy).value for policy in self._run.policies
        }
        self._run.run_state.settings = {
            policy.name: self._get_policy_config(policy.name) or {} for policy in self._run.policies
        }
        return answer

    def Analyze(self, request: proto.AnalyzeRequest, _context: Any) -> proto.AnalyzeResponse:
        """Run the resource policies on one resource."""
        response = proto.AnalyzeResponse()
        props, opts, provider = self._seen(request)
        about = (request.type, props, request.urn, request.name, opts, provider)
        for policy, report in self._on(ResourceValidationPolicy, response):
            args = ResourceValidationArgs(*about, self._get_policy_config(policy.name), {})
            _validate(policy, args, report, response)
        return response

    def AnalyzeStack(self, request: proto.AnalyzeStackRequest, _context: Any) -> proto.AnalyzeResponse:
        """Run the stack policies on all resources, and hand on the record of the run."""
        response = proto.AnalyzeResponse()
        resources = self._stack(request)
        for policy, report in self._on(StackValidationPolicy, response):
            args = StackValidationArgs(resources, self._get_policy_config(policy.name), {})
            before = len(response.diagnostics)
            _validate(policy, args, report, response)
            if policy.name == UNRESOLVED:
                self._lower(response.diagnostics[before:])
        self._on_end(self._run.record([one.urn for one in request.resources]))
        return response

    def _lower(self, diagnostics: Sequence[proto.AnalyzeDiagnostic]) -> None:
        """Give each unresolved value the level of the control that needed it, where that is only advice."""
        for diagnostic, finding in zip(diagnostics, self._run.run_state.open(UNRESOLVED, ""), strict=True):
            if self._run.run_state.level(finding) == EnforcementLevel.ADVISORY.value:
                diagnostic.enforcementLevel = self._map_enforcement_level(EnforcementLevel.ADVISORY)

    def _on(self, kind: type[P], response: proto.AnalyzeResponse) -> Iterator[tuple[P, ReportViolation]]:
        """The policies of a kind that are not disabled, with what takes their findings."""
        for policy in self._run.policies:
            level = self._get_enforcement_level(policy)
            if isinstance(policy, kind) and level != EnforcementLevel.DISABLED:
                reported = EnforcementLevel.MANDATORY if level == EnforcementLevel.REMEDIATE else level
                about = (policy.name, policy.description, reported, policy.severity)
                yield policy, self._create_report_violation(response, *about)

    def _seen(self, resource: proto.AnalyzeRequest | proto.AnalyzerResource) -> tuple[Any, Any, Any]:
        given = json_format.MessageToDict(resource.properties)
        kept = _KEPT if resource.type == SECRET else ()
        self._run.run_state.hide(resource.urn, [*_secrets(given), *kept])
        props = unknown_checking_proxy(deserialize_properties(given))
        return props, self._get_resource_options(resource), self._get_provider_resource(resource)

    def _stack(self, request: proto.AnalyzeStackRequest) -> list[PolicyResource]:
        by_urn = {}
        for one in request.resources:
            props, opts, provider = self._seen(one)
            by_urn[one.urn] = PolicyResource(one.type, props, one.urn, one.name, opts, provider, None, [], {})
        for one in request.resources:
            resource = by_urn[one.urn]
            resource.parent = by_urn.get(one.parent)
            resource.dependencies = _those(by_urn, one.dependencies)
            resource.property_dependencies = {
                prop: _those(by_urn, on.urns) for prop, on in one.propertyDependencies.items()
            }
        return list(by_urn.values())


def _secrets(given: Any, path: Path = ()) -> Iterator[str]:
    """Where the engine sent a secret."""
    if isinstance(given, list):
        for index, value in enumerate(given):
            if isinstance(value, dict | list):
                yield from _secrets(value, (*path, index))
    elif isinstance(given, dict):
        if given.get(SPECIAL_SIG_KEY) == SPECIAL_SECRET_SIG:
            yield dotted(path)
        for name, value in given.items():
            if isinstance(value, dict | list):
                yield from _secrets(value, (*path, name))


def _those(by_urn: dict[str, PolicyResource], urns: Any) -> list[PolicyResource]:
    return [by_urn[urn] for urn in urns if urn in by_urn]


def _validate(policy: Any, args: Any, report: ReportViolation, response: proto.AnalyzeResponse) -> None:
    try:
        policy.validate(args, report)
    except _NotApplicableError as error:
        response.not_applicable.append(
            proto.PolicyNotApplicable(policy_name=policy.name, reason=error.reason or "")
        )
