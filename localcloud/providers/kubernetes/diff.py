"""Which changes of a Kubernetes object need a new object: the fields that the API server lets nobody change.

The table is pulumi-kubernetes' own (provider/pkg/provider/diff.go), by top-level group and kind.
"""

from __future__ import annotations

from typing import Any

from localcloud.providers.protocol import UNKNOWN, Diff, Values, changed_keys

AUTONAMED = "pulumi.com/autonamed"

IDENTITY = ("apiVersion", "kind", "metadata.name", "metadata.namespace")
_SELECTOR = ("spec.selector",)
_JOB = ("spec.completions", "spec.parallelism", "spec.selector", "spec.template")
_STATEFUL_SET = (
    "spec.podManagementPolicy",
    "spec.revisionHistoryLimit",
    "spec.selector",
    "spec.serviceName",
    "spec.volumeClaimTemplates",
)
IMMUTABLE: dict[tuple[str, str], tuple[str, ...]] = {
    ("apps", "DaemonSet"): _SELECTOR,
    ("apps", "Deployment"): _SELECTOR,
    ("apps", "StatefulSet"): _STATEFUL_SET,
    ("batch", "Job"): _JOB,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): ("roleRef",),
    ("rbac.authorization.k8s.io", "RoleBinding"): ("roleRef",),
    ("storage.k8s.io", "StorageClass"): ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"),
    ("", "ConfigMap"): ("binaryData", "data"),
    ("", "PersistentVolumeClaim"): ("spec",),
    ("", "Pod"): ("spec",),
    ("", "ResourceQuota"): ("spec.scopes",),
    ("", "Secret"): ("data", "stringData", "type"),
    ("", "Service"): ("spec.clusterIP",),
}


def diff(old: Values, new: Values, mutable_kinds: frozenset[str]) -> Diff:
    """Compare the inputs alone: a preview without changes asks the cluster nothing.

    `mutable_kinds` are ConfigMap or Secret when the provider is told to change these in place.
    """
    changed = changed_keys(old, new)
    moved = [path for path in immutable(new, mutable_kinds) if _at(old, path) != _at(new, path)]
    replaces = sorted({path.split(".")[0] for path in moved})
    return Diff(changed, replaces, delete_first=bool(replaces) and _keeps_name(old, new))


def immutable(inputs: Values, mutable_kinds: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """The dotted paths of the fields of an object that only a new object can have otherwise."""
    kind = inputs.get("kind", "")
    group = str(inputs.get("apiVersion", "")).rpartition("/")[0]
    if kind in mutable_kinds and not inputs.get("immutable"):
        return (*IDENTITY, "type") if kind == "Secret" else IDENTITY
    return (*IDENTITY, *IMMUTABLE.get((group, kind), ()))


def _keeps_name(old: Values, new: Values) -> bool:
    """Whether old and new cannot stand side by side. An automatic name is made anew for the replacement."""
    annotations = _at(new, "metadata.annotations") or {}
    if annotations.get(AUTONAMED) == "true":
        return False
    return all(_at(old, path) == _at(new, path) for path in ("metadata.name", "metadata.namespace"))


def _at(values: Any, path: str) -> Any:
    for key in path.split("."):
        if values is UNKNOWN:
            return UNKNOWN
        if not isinstance(values, dict):
            return None
        values = values.get(key)
    return values
