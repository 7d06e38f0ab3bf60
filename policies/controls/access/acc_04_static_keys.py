"""ACC-04: no keys that never end, neither made nor handed to pods."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Any

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.expectations import Expectation, check_expectations, is_named, one_of
from policies.framework.provenance import is_own, sources
from policies.framework.resources import Resource, Settings, Stack, StackResource
from policies.framework.unknowns import Unknown, dig
from policies.law import ACCESS
from policies.readers.pod_specs import containers, pod_specs

ACCESS_KEYS = (
    "aws:iam/accessKey:AccessKey",
    "aws:iam/serviceSpecificCredential:ServiceSpecificCredential",
)
ACCOUNT_KEY = "gcp:serviceaccount/key:Key"
HMAC_KEY = "gcp:storage/hmacKey:HmacKey"
_KEYS = (*ACCESS_KEYS, ACCOUNT_KEY, HMAC_KEY)
GKE = "gcp:container/cluster:Cluster"
# The names under which the clouds' own libraries look for keys that never end.
SECRET_NAMES = frozenset({"AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "GOOGLE_CREDENTIALS"})
_LOOKS_LIKE_ONE = re.compile(
    r"\bAKIA[0-9A-Z]{16}\b|-----BEGIN (RSA |EC )?PRIVATE KEY-----|\"private_key\"\s*:"
)
_STATIC = "a key that never ends by itself"
_ROLES = "a role of the pod (Pod Identity, Workload Identity)"


def static_keys(resource: Resource, _settings: Settings) -> Iterator[Finding | Unknown]:
    """ACC-04: no keys are made for workloads, nor handed to pods, and GKE gives pods identities of their own."""
    if resource.type in ACCESS_KEYS:
        yield from check_expectations(
            resource.props, [Expectation("status", one_of("Inactive"), _STATIC, f"no such key, but {_ROLES}")]
        )
    if resource.type == HMAC_KEY:
        yield from check_expectations(
            resource.props, [Expectation("state", one_of("INACTIVE"), _STATIC, f"no such key, but {_ROLES}")]
        )
    if resource.type == ACCOUNT_KEY:
        yield Finding(
            _STATIC,
            "serviceAccountId",
            _shown(resource.props.get("serviceAccountId")),
            f"no such key, but {_ROLES}",
        )
    if resource.type == GKE:
        what = "pods of the cluster have no identity of their own, but the node's"
        yield from check_expectations(
            resource.props,
            [Expectation("workloadIdentityConfig.workloadPool", is_named, what, "PROJECT.svc.id.goog")],
        )
    if resource.type.startswith("kubernetes:"):
        yield from _kept_in_kubernetes(resource)


def resolved(unknown: Unknown, resource: StackResource, _stack: Stack) -> bool:
    """An unknown value that comes from the stack's own resources, or was drawn at random, is a name and no access
    key, unless the resource is itself a key."""
    types = sources(unknown, resource)
    return bool(types) and all(is_own(type_, ("random:",)) and type_ not in _KEYS for type_ in types)


def _shown(value: Any) -> Any:
    return "unknown" if isinstance(value, Unknown) else value


def _kept_in_kubernetes(resource: Resource) -> Iterator[Finding | Unknown]:
    """Cloud keys in a pod's environment, a ConfigMap or a Secret."""
    if resource.type.endswith((":Secret", ":ConfigMap")) and resource.type.startswith("kubernetes:core/"):
        for block in ("data", "stringData", "binaryData"):
            yield from _entries(block, resource.props.get(block))
        return
    for found in pod_specs(resource.props):
        if isinstance(found, Unknown):
            yield found
            continue
        for inner in containers(*found):
            if isinstance(inner, Unknown):
                yield inner
            else:
                yield from _environment(*inner)


def _environment(where: str, container: dict[str, Any]) -> Iterator[Finding | Unknown]:
    env = container.get("env")
    if isinstance(env, Unknown):
        yield env
    for index, variable in enumerate(env if isinstance(env, list) else []):
        name, value = dig(variable, "name"), dig(variable, "value")
        if isinstance(variable, Unknown) or isinstance(name, Unknown):
            yield variable if isinstance(variable, Unknown) else name
        elif isinstance(name, str) and name in SECRET_NAMES:
            yield Finding(_STATIC, f"{where}.env[{index}].name", name, _ROLES)
        elif isinstance(value, Unknown):
            yield value
        elif isinstance(value, str) and _LOOKS_LIKE_ONE.search(value):
            yield Finding(_STATIC, f"{where}.env[{index}].value", "(not shown)", _ROLES)


def _entries(block: str, entries: Any) -> Iterator[Finding | Unknown]:
    if isinstance(entries, Unknown):
        yield entries
    for name, value in entries.items() if isinstance(entries, dict) else ():
        if name in SECRET_NAMES:
            yield Finding(_STATIC, f"{block}.{name}", "(not shown)", _ROLES)
        elif isinstance(value, Unknown):
            yield value
        elif any(_LOOKS_LIKE_ONE.search(text) for text in _readings(value)):
            yield Finding(_STATIC, f"{block}.{name}", "(not shown)", _ROLES)


def _readings(value: Any) -> Iterator[str]:
    """A text, and what it says in base64, as Secrets keep it."""
    if not isinstance(value, str):
        return
    yield value
    try:
        yield base64.b64decode(value, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return


ACC_04 = Control(
    id="DPDP-ACC-04",
    title="No static keys",
    law=ACCESS,
    severity=Severity.HIGH,
    level=EnforcementLevel.MANDATORY,
    types=(*ACCESS_KEYS, ACCOUNT_KEY, HMAC_KEY, GKE, "kubernetes:"),
    remedy="give the workload a role of its own, by Pod Identity, IRSA or Workload Identity",
    check=static_keys,
    resolves=resolved,
)
CONTROLS = (ACC_04,)
