"""Serve a provider written over plain Python values to the Pulumi engine.

A local provider is a `Provider`: ordinary blocking methods that take and return dicts. This module speaks the
engine's protocol for it: one thread a call, values that are not known yet as `UNKNOWN`, errors as one clean message.
Secrets arrive unwrapped; the engine marks them again in the state file.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback as tracebacks
from concurrent import futures
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime import proto
from pulumi.runtime.proto import ResourceProviderServicer, provider_pb2_grpc, status_pb2
from pulumi.runtime.rpc import UNKNOWN as UNKNOWN_WIRE
from pulumi.runtime.rpc import _special_secret_sig, _special_sig_key

Values = dict[str, Any]


class _Unknown:
    """A value that only `up` will know, seen during a preview."""

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __bool__(self) -> bool:
        return False


UNKNOWN = _Unknown()


class InvalidInputsError(Exception):
    """Inputs that the cloud would refuse: (property path, reason) pairs, all of them at once."""

    def __init__(self, failures: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{path}: {reason}" for path, reason in failures))
        self.failures = failures


class ResourceError(Exception):
    """The cloud refused an operation; its words are the message."""


class NotReadyError(Exception):
    """The resource exists but did not become ready: the engine keeps it in the state and fails the update."""

    def __init__(self, resource_id: str, outputs: Values, reasons: list[str]) -> None:
        super().__init__("; ".join(reasons))
        self.resource_id = resource_id
        self.outputs = outputs
        self.reasons = reasons


@dataclass(frozen=True)
class Resource:
    """What a call is about. `type` is the Pulumi token, `name` the logical name."""

    urn: str
    id: str = ""
    timeout: float = 0
    preview: bool = False

    @property
    def type(self) -> str:
        """Its Pulumi type."""
        return self.urn.split("::")[2].split("$")[-1]

    @property
    def name(self) -> str:
        """Its logical name."""
        return self.urn.split("::")[3]

    @property
    def stack(self) -> str:
        """The name of its stack."""
        return self.urn.split("::")[0].removeprefix("urn:pulumi:")


@dataclass(frozen=True)
class Diff:
    """Top-level property names that differ, and those that can only change by replacement."""

    changed: list[str] = field(default_factory=list)
    replaces: list[str] = field(default_factory=list)
    delete_first: bool = False


def changed_keys(old: Values, new: Values) -> list[str]:
    """Names of the top-level properties whose values differ; an unknown differs from everything."""
    keys = (old.keys() | new.keys()) - {"__defaults"}
    return sorted(k for k in keys if differs(old.get(k), new.get(k)))


def differs(old: Any, new: Any) -> bool:
    """Whether two values differ; an unknown differs from everything."""
    if new is UNKNOWN or old is UNKNOWN:
        return True
    if isinstance(old, dict) and isinstance(new, dict):
        keys = (old.keys() | new.keys()) - {"__defaults"}
        return any(differs(old.get(k), new.get(k)) for k in keys)
    if isinstance(old, list) and isinstance(new, list):
        return len(old) != len(new) or any(map(differs, old, new))
    return old != new


class Provider:
    """The operations of a provider, over plain values. A subclass answers those that its cloud has."""

    def configure(self, config: Values) -> None:
        """Take the provider's configuration; a value may be UNKNOWN during a preview."""

    def check(self, resource: Resource, old_inputs: Values, inputs: Values) -> Values:
        """The inputs with defaults filled, or InvalidInputsError."""
        return inputs

    def diff(self, resource: Resource, old_inputs: Values, old_outputs: Values, inputs: Values) -> Diff:
        """What an update would change, and what only a new resource can."""
        return Diff(changed=changed_keys(old_inputs, inputs))

    def create(self, resource: Resource, inputs: Values) -> tuple[str, Values]:
        """Make the resource; returns its id and outputs, with UNKNOWN for what a preview can't know."""
        raise NotImplementedError(f"{resource.type}: create")

    def read(self, resource: Resource, inputs: Values, outputs: Values) -> tuple[Values, Values] | None:
        """(inputs, outputs) as the cloud has them now, or None when the resource is gone."""
        return inputs, outputs

    def update(self, resource: Resource, old_inputs: Values, old_outputs: Values, inputs: Values) -> Values:
        """Change the resource in place; returns its outputs."""
        raise NotImplementedError(f"{resource.type}: update")

    def delete(self, resource: Resource, inputs: Values, outputs: Values) -> None:
        """Remove the resource; one that is gone already is no error. Nothing to do unless the cloud keeps it."""

    def invoke(self, token: str, args: Values) -> Values:
        """Answer a function of the package, such as `aws:eks/getCluster:getCluster`."""
        raise ResourceError(f"{token} is not one of the functions that the local cloud answers")

    def close(self) -> None:
        """The engine is done with this provider."""


def to_python(struct: struct_pb2.Struct) -> Values:
    """A protocol message as plain values: whole numbers as int, not-yet-known values as UNKNOWN."""
    return _plain(json_format.MessageToDict(struct))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return UNKNOWN if value == UNKNOWN_WIRE else value


def to_struct(values: Values) -> struct_pb2.Struct:
    """Plain values as a protocol message, with UNKNOWN as the engine writes it."""
    struct = struct_pb2.Struct()
    struct.update(_wire(values))
    return struct


def _wire(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _wire(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_wire(v) for v in value]
    if value is UNKNOWN:
        return UNKNOWN_WIRE
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)


class _Servicer(ResourceProviderServicer):
    def __init__(self, provider: Provider, version: str) -> None:
        self.provider = provider
        self.version = version

    def GetPluginInfo(self, request, context):
        return proto.PluginInfo(version=self.version)

    def GetSchema(self, request, context):
        return proto.GetSchemaResponse(schema="{}")

    def Cancel(self, request, context):
        return empty_pb2.Empty()

    def CheckConfig(self, request, context):
        return proto.CheckResponse(inputs=request.news)

    def DiffConfig(self, request, context):
        # No replacement for a changed provider: the resources themselves say whether they must move.
        changed = changed_keys(to_python(request.olds), to_python(request.news))
        return proto.DiffResponse(changes=_diff_kind(changed), diffs=changed)

    def Configure(self, request, context):
        with _Reported(context):
            self.provider.configure(_decode_config(to_python(request.args)))
        return proto.ConfigureResponse(supportsPreview=True)

    def Check(self, request, context):
        try:
            with _Reported(context):
                inputs = self.provider.check(
                    Resource(request.urn), to_python(request.olds), to_python(request.news)
                )
        except InvalidInputsError as invalid:
            failures = [proto.CheckFailure(property=p, reason=r) for p, r in invalid.failures]
            return proto.CheckResponse(inputs=request.news, failures=failures)
        return proto.CheckResponse(inputs=to_struct(inputs))

    def Diff(self, request, context):
        with _Reported(context):
            old_inputs = to_python(request.old_inputs)
            inputs = _ignoring(list(request.ignoreChanges), old_inputs, to_python(request.news))
            diff = self.provider.diff(
                Resource(request.urn, request.id), old_inputs, to_python(request.olds), inputs
            )
        kinds = proto.PropertyDiff.Kind
        return proto.DiffResponse(
            changes=_diff_kind(diff.changed),
            diffs=diff.changed,
            replaces=diff.replaces,
            deleteBeforeReplace=diff.delete_first,
            hasDetailedDiff=True,
            detailedDiff={
                key: proto.PropertyDiff(
                    kind=kinds.UPDATE_REPLACE if key in diff.replaces else kinds.UPDATE, inputDiff=True
                )
                for key in diff.changed
            },
        )

    def Create(self, request, context):
        resource = Resource(request.urn, "", request.timeout, request.preview)
        with _Reported(context):
            resource_id, outputs = self.provider.create(resource, to_python(request.properties))
        return proto.CreateResponse(id=resource_id, properties=to_struct(outputs))

    def Read(self, request, context):
        with _Reported(context):
            found = self.provider.read(
                Resource(request.urn, request.id), to_python(request.inputs), to_python(request.properties)
            )
        if found is None:
            return proto.ReadResponse()
        inputs, outputs = found
        return proto.ReadResponse(id=request.id, inputs=to_struct(inputs), properties=to_struct(outputs))

    def Update(self, request, context):
        resource = Resource(request.urn, request.id, request.timeout, request.preview)
        with _Reported(context):
            old_inputs = to_python(request.old_inputs)
            inputs = _ignoring(list(request.ignoreChanges), old_inputs, to_python(request.news))
            outputs = self.provider.update(resource, old_inputs, to_python(request.olds), inputs)
        return proto.UpdateResponse(properties=to_struct(outputs))

    def Delete(self, request, context):
        resource = Resource(request.urn, request.id, request.timeout)
        with _Reported(context):
            self.provider.delete(resource, to_python(request.old_inputs), to_python(request.properties))
        return empty_pb2.Empty()

    def Invoke(self, request, context):
        with _Reported(context):
            answer = self.provider.invoke(request.tok, to_python(request.args))
        response = proto.InvokeResponse()
        getattr(response, "return").CopyFrom(to_struct(answer))  # a keyword of Python
        return response


class _Reported:
    """Turns an exception of the provider into the engine's error: one message, no traceback for the expected ones."""

    def __init__(self, context: grpc.ServicerContext) -> None:
        self.context = context

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind, error, traceback) -> None:
        if error is None or isinstance(error, InvalidInputsError):
            return
        if isinstance(error, NotReadyError):
            self._not_ready(error)
        if isinstance(error, ResourceError):
            self.context.abort(grpc.StatusCode.UNKNOWN, str(error))
        where = "".join(tracebacks.format_exception(error))
        self.context.abort(grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}\n{where}")

    def _not_ready(self, error: NotReadyError) -> None:
        failed = proto.ErrorResourceInitFailed(
            id=error.resource_id, properties=to_struct(error.outputs), reasons=error.reasons
        )
        status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(error))
        status.details.add().Pack(failed)
        self.context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        self.context.abort(grpc.StatusCode.UNKNOWN, str(error))


def _diff_kind(changed: list[str]):
    return proto.DiffResponse.DIFF_SOME if changed else proto.DiffResponse.DIFF_NONE


def _ignoring(ignored: list[str], old: Values, new: Values) -> Values:
    """The new inputs, with the top-level properties that `ignore_changes` names kept as they were."""
    kept = {key: old[key] for key in ignored if key in old}
    return {**{k: v for k, v in new.items() if k not in ignored}, **kept}


def _decode_config(config: Values) -> Values:
    """Provider configuration arrives with nested values, and secrets, as JSON strings; return them as values."""
    decoded: Values = {}
    for key, value in config.items():
        if isinstance(value, str) and value[:1] in "[{" and key != "kubeconfig":
            try:
                value = json.loads(value)
            except ValueError:
                decoded[key] = value
                continue
        decoded[key] = _revealed(value)
    return decoded


def _revealed(value: Any) -> Any:
    """The value without the marks of secrets, which the engine leaves on those inside JSON."""
    if isinstance(value, list):
        return [_revealed(part) for part in value]
    if not isinstance(value, dict):
        return value
    if value.get(_special_sig_key) == _special_secret_sig:
        return _revealed(value.get("value"))
    return {key: _revealed(part) for key, part in value.items()}


def serve(provider: Provider, version: str) -> None:
    """Serve until the engine goes away. Prints the port, as the plugin protocol asks."""
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=32),
        options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)],
    )
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(_Servicer(provider, version), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)

    def stop(signum, frame) -> None:
        server.stop(grace=None)

    # The engine keeps its plugins in groups of their own and interrupts them when it is done with them.
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    engine = os.getppid()
    while server.wait_for_termination(timeout=2):  # True while nothing ended it
        if os.getppid() != engine:  # a killed engine leaves no plugin behind
            server.stop(grace=None)
    provider.close()
    sys.exit(0)
