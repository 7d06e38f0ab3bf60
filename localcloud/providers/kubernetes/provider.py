"""The `kubernetes` provider of the local cloud: server-side apply to the real API servers that it started.

The program's kubeconfig is the cloud's own (`aws eks get-token`); this provider takes the endpoint from it and uses the
administrator's credentials that the local cloud keeps for that endpoint, where the cloud would let a deployer in.
"""

from __future__ import annotations

import functools
import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

from typing_extensions import override

from localcloud import reach, spot_role
from localcloud.kubernetes import clusters, compute_classes, karpenter
from localcloud.kubernetes.api import Api, ApiError, Object, UnknownKindError, UnreachableError
from localcloud.kubernetes.crds import CrdsUnavailableError
from localcloud.providers.kubernetes import charts as kubernetes_charts
from localcloud.providers.kubernetes import readiness as kubernetes_await
from localcloud.providers.kubernetes.charts import RELEASE
from localcloud.providers.kubernetes.diff import AUTONAMED, diff
from localcloud.providers.protocol import (
    UNKNOWN,
    Diff,
    InvalidInputsError,
    NotReadyError,
    Provider,
    Resource,
    ResourceError,
    Values,
    serve,
)

DELETE_SECONDS = 300
# Of these alone pulumi.com/skipAwait skips the wait for their end as well (pulumi/pulumi-kubernetes,
# provider/pkg/metadata/overrides.go, allowsSkipAwaitWithDelete, of v4; issues #1232 and #3154).
SKIPS_ITS_END = {
    *("Namespace", "Pod", "ReplicationController", "DaemonSet", "Deployment", "StatefulSet", "Job"),
}
PATCH_FORCE = "pulumi.com/patchForce"


class KubernetesProvider(Provider):
    """The Kubernetes provider of the local cloud: server-side apply to a real API server, charts by name."""

    def __init__(self) -> None:
        self._kubeconfig: Any = None
        self._namespace = "default"
        self._mutable_kinds: frozenset[str] = frozenset()
        self._lock = threading.Lock()
        self._unreachable: str | None = None

    @override
    def configure(self, config: Values) -> None:
        self._kubeconfig = config.get("kubeconfig")
        self._namespace = config.get("namespace") or "default"
        flags = {"ConfigMap": "enableConfigMapMutable", "Secret": "enableSecretMutable"}
        on = (True, "true")
        self._mutable_kinds = frozenset(kind for kind, flag in flags.items() if config.get(flag) in on)

    @override
    def check(self, resource: Resource, old_inputs: Values, inputs: Values) -> Values:
        if resource.type == RELEASE:
            return kubernetes_charts.check(resource, old_inputs, inputs, self._namespace)
        named = with_name(resource, old_inputs, inputs)
        _check_wait_for(named)
        return named

    @override
    def diff(self, resource: Resource, old_inputs: Values, old_outputs: Values, inputs: Values) -> Diff:
        if resource.type == RELEASE:
            return kubernetes_charts.diff(old_inputs, inputs)
        return diff(old_inputs, inputs, self._mutable_kinds)

    @override
    def create(self, resource: Resource, inputs: Values) -> tuple[str, Values]:
        if resource.type == RELEASE:
            return self._install(resource, inputs)
        if resource.preview:
            self._rehearse(resource, inputs, replaces=True)
            return "", inputs
        return self._apply(resource, inputs)

    @override
    def update(self, resource: Resource, old_inputs: Values, old_outputs: Values, inputs: Values) -> Values:
        if resource.type == RELEASE:
            return self._upgrade(resource, old_outputs, inputs)
        if resource.preview:
            self._rehearse(resource, inputs, replaces=False)
            return inputs
        return self._apply(resource, inputs)[1]

    @override
    def read(self, resource: Resource, inputs: Values, outputs: Values) -> tuple[Values, Values] | None:
        with _words(resource):
            if not self._reachable():
                return None
            if resource.type == RELEASE:
                return (inputs, outputs) if kubernetes_charts.exists(self._api, outputs) else None
            live = self._api.get(_reference(outputs or inputs))
            return (self._drifted_inputs(inputs, live), live) if live else None

    @override
    def delete(self, resource: Resource, inputs: Values, outputs: Values) -> None:
        with _words(resource):
            if not self._reachable():
                return  # its cluster is gone, and the object with it
            if resource.type == RELEASE:
                kubernetes_charts.uninstall(self._cluster, self._api, outputs)
                return
            self._delete(resource, _reference(outputs or inputs))

    @functools.cached_property
    def _cluster(self) -> clusters.ClusterAccess:
        if not self._kubeconfig or self._kubeconfig is UNKNOWN:
            raise ResourceError("the kubernetes provider was given no kubeconfig: pass the cluster's own")
        endpoint = server_of(self._kubeconfig)
        found = clusters.access(endpoint)
        if found is None:
            known = ", ".join(cluster.endpoint for cluster in clusters.running()) or "none"
            raise ResourceError(
                f"the local cloud runs no cluster at {endpoint} (it runs: {known}); a stack of a real account needs "
                "Pulumi's own kubernetes provider, which a shell without `make env` uses"
            )
        self._ask_the_way(found)
        return found

    def _ask_the_way(self, cluster: clusters.ClusterAccess) -> None:
        """Refuse what the cloud would refuse; once refused, a cluster stays so for the whole run, as with Pulumi's own
        provider (`clusterUnreachable`)."""
        with self._lock:
            if self._unreachable is None:
                proxied = proxy_of(self._kubeconfig) is not None or bool(os.environ.get("HTTPS_PROXY"))
                self._unreachable = reach.refusal(cluster, proxied=proxied) or ""
            if self._unreachable:
                raise ResourceError(self._unreachable)

    @functools.cached_property
    def _api(self) -> Api:
        return self._cluster.api()

    def _reachable(self) -> bool:
        """Whether the cluster still stands; one that the local cloud no longer runs took its objects with it."""
        if not self._kubeconfig or self._kubeconfig is UNKNOWN:
            return False
        found = clusters.access(server_of(self._kubeconfig))
        return found is not None and bool(clusters.processes_of(found.name, "kube-apiserver"))

    def _install(self, resource: Resource, inputs: Values) -> tuple[str, Values]:
        if resource.preview:
            return "", kubernetes_charts.previewed(inputs)
        with _words(resource):
            outputs = kubernetes_charts.install(self._cluster, self._api, inputs, revision=1)
        return kubernetes_charts.resource_id(inputs), outputs

    def _upgrade(self, resource: Resource, old_outputs: Values, inputs: Values) -> Values:
        if resource.preview:
            return kubernetes_charts.previewed(inputs)
        with _words(resource):
            return kubernetes_charts.upgrade(self._cluster, self._api, old_outputs, inputs)

    def _apply(self, resource: Resource, inputs: Values) -> tuple[str, Values]:
        with _words(resource):
            if _of_karpenter(inputs) and (refused := spot_role.refusal(self._cluster, inputs["spec"])):
                raise ResourceError(refused)
            live = self._api.apply(self._wanted(inputs), force=_forced(inputs))
            if compute_classes.is_class(live):
                compute_classes.follow(self._api, live)
            resource_id = _id(live)
            return resource_id, kubernetes_await.until_ready(self._api, resource_id, live, resource.timeout)

    def _rehearse(self, resource: Resource, inputs: Values, replaces: bool) -> None:
        """Let the API server judge the object, as far as it can: what the object needs may not exist yet."""
        if self._kubeconfig is UNKNOWN or _has_unknown(inputs):
            return
        with _words(resource):
            try:
                wanted = self._wanted(inputs)
                if replaces and self._api.get(wanted):
                    wanted = _beside(wanted)
                self._api.apply(wanted, dry_run=True, force=_forced(inputs))
            except UnknownKindError:
                return
            except ApiError as error:
                if error.status == 404 or "not found" in str(error):
                    return
                raise

    def _wanted(self, inputs: Values) -> Object:
        """The object to apply. The one substitution: a NodePool's machines come from Karpenter's kwok provider."""
        metadata = {"namespace": self._namespace, **inputs["metadata"]}
        wanted = {**inputs, "metadata": metadata}
        if not self._namespaced(inputs):
            metadata.pop("namespace")
        if _of_karpenter(inputs):
            wanted["spec"] = karpenter.simulated(inputs["spec"])
        return wanted

    def _namespaced(self, inputs: Values) -> bool:
        return self._api.kind(inputs["apiVersion"], inputs["kind"]).namespaced

    def _drifted_inputs(self, inputs: Values, live: Object) -> Values:
        """The inputs as someone changed them behind our back: what applying them again would change, as it is now."""
        try:
            restored = self._api.apply(self._wanted(inputs), dry_run=True, force=True)
        except (ApiError, UnknownKindError):
            return inputs
        return as_it_is(inputs, restored, live)

    def _delete(self, resource: Resource, reference: Object) -> None:
        deleted = self._api.get(reference)
        if deleted is None or self._api.delete(reference) is None:
            return
        metadata = deleted["metadata"]
        skips = (metadata.get("annotations") or {}).get(kubernetes_await.SKIP_AWAIT) == "true"
        if skips and deleted["kind"] in SKIPS_ITS_END:
            return
        deadline = time.monotonic() + (resource.timeout or DELETE_SECONDS)
        while time.monotonic() < deadline:
            left = self._api.get(reference)
            if left is None or left["metadata"]["uid"] != metadata["uid"]:
                if _of_karpenter(reference):
                    karpenter.remove_nodes(self._api, metadata["name"], deadline - time.monotonic())
                return
            metadata = left["metadata"]
            time.sleep(0.2)
        raise ResourceError(f"{_id(deleted)} is still there; {_what_holds(metadata)}")


def server_of(kubeconfig: str) -> str:
    """The API server that a kubeconfig's current context speaks to.

    Raises:
        ResourceError: it is no kubeconfig.
    """
    return _cluster_of(kubeconfig)["server"].rstrip("/")


def proxy_of(kubeconfig: str) -> str | None:
    """The proxy that a kubeconfig's current context goes through."""
    return _cluster_of(kubeconfig).get("proxy-url")


def _cluster_of(kubeconfig: str) -> Values:
    import yaml

    try:
        config = yaml.safe_load(kubeconfig)
        context = _named(config["contexts"], config.get("current-context"))["context"]
        cluster = _named(config["clusters"], context["cluster"])["cluster"]
        return {**cluster, "server": str(cluster["server"])}
    except (yaml.YAMLError, KeyError, TypeError, IndexError) as error:
        raise ResourceError(f"the provider's kubeconfig names no cluster: {error!r}") from None


def with_name(resource: Resource, old_inputs: Values, inputs: Values) -> Values:
    """The inputs with a name: the one given, else the logical name and eight random digits, kept over updates."""
    metadata = inputs.get("metadata", {})
    if metadata is UNKNOWN or "name" in metadata:
        return inputs
    old = old_inputs.get("metadata") or {}
    kept = old.get("name") if (old.get("annotations") or {}).get(AUTONAMED) == "true" else None
    name = kept or f"{resource.name}-{secrets.token_hex(4)}"
    annotations = {**(metadata.get("annotations") or {}), AUTONAMED: "true"}
    return {**inputs, "metadata": {**metadata, "name": name, "annotations": annotations}}


def as_it_is(inputs: Any, restored: Any, live: Any) -> Any:
    """The inputs, but with the live value wherever applying them again (`restored`) would change it."""
    if restored == live:
        return inputs
    if isinstance(inputs, dict) and isinstance(restored, dict) and isinstance(live, dict):
        kept = {key: value for key, value in inputs.items() if key in live or restored.get(key) is None}
        return {key: as_it_is(value, restored.get(key), live.get(key)) for key, value in kept.items()}
    lists = [value for value in (inputs, restored, live) if isinstance(value, list)]
    if len(lists) == 3 and len({len(value) for value in lists}) == 1:
        return [as_it_is(*values) for values in zip(*lists, strict=True)]
    return live


@contextmanager
def _words(resource: Resource) -> Iterator[None]:
    """Failures of the cluster as the engine shows them: which object, and the cluster's own words."""
    try:
        yield
    except (
        ApiError,
        UnknownKindError,
        UnreachableError,
        CrdsUnavailableError,
        clusters.ClusterError,
    ) as error:
        raise ResourceError(f"{resource.type.split(':')[-1]} {resource.name}: {error}") from None
    except NotReadyError as error:
        raise NotReadyError(
            error.resource_id, error.outputs, [f"{error.resource_id}: {r}" for r in error.reasons]
        ) from None


def _check_wait_for(inputs: Values) -> None:
    metadata = inputs.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    expression = annotations.get(kubernetes_await.WAIT_FOR) if isinstance(annotations, dict) else None
    if not isinstance(expression, str):
        return
    try:
        kubernetes_await.parse_wait_for(expression)
    except kubernetes_await.WaitForError as error:
        raise InvalidInputsError([("metadata.annotations", str(error))]) from None


def _named(entries: list[Values], name: str | None) -> Values:
    return next((entry for entry in entries if entry["name"] == name), entries[0])


def _of_karpenter(inputs: Values) -> bool:
    return inputs["kind"] == "NodePool" and inputs["apiVersion"].startswith("karpenter.sh/")


def _forced(inputs: Values) -> bool:
    return (inputs["metadata"].get("annotations") or {}).get(PATCH_FORCE) == "true"


def _beside(wanted: Object) -> Object:
    """The object under another name: a replacement is judged while the old object still holds the name."""
    metadata = wanted["metadata"]
    return {**wanted, "metadata": {**metadata, "name": f"{metadata['name'][:50]}-next"}}


def _reference(values: Values) -> Object:
    """Just enough of an object to find it."""
    metadata = {key: values["metadata"][key] for key in ("name", "namespace") if key in values["metadata"]}
    return {"apiVersion": values["apiVersion"], "kind": values["kind"], "metadata": metadata}


def _id(live: Object) -> str:
    metadata = live["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}" if metadata.get("namespace") else metadata["name"]


def _has_unknown(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_unknown, value.values()))
    if isinstance(value, list):
        return any(map(_has_unknown, value))
    return value is UNKNOWN


def _what_holds(metadata: Values) -> str:
    finalizers = metadata.get("finalizers")
    if finalizers:
        return f"finalizers hold it: {', '.join(finalizers)}; whoever set them must be running to let it go"
    return "its pods or children have not ended"


if __name__ == "__main__":
    serve(KubernetesProvider(), version("pulumi-kubernetes"))
