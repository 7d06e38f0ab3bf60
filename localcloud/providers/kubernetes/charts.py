"""Helm releases of the local cloud: recorded as Helm records them, with their definitions registered.

Charts can't be fetched without a network, so nothing is rendered; `charts.yaml` says what each chart brings. The record
is the Secret that Helm keeps, so `helm list` shows the release and a refresh sees when it is gone.
"""

from __future__ import annotations

import base64
import gzip
import json
import secrets

from localcloud.kubernetes import crds as kubernetes_crds
from localcloud.kubernetes import karpenter
from localcloud.kubernetes.api import Api, ApiError, Object
from localcloud.kubernetes.clusters import ClusterAccess
from localcloud.providers.protocol import UNKNOWN, Diff, Resource, Values, changed_keys

RELEASE = "kubernetes:helm.sh/v3:Release"
IDENTITY = ("name", "namespace")
_CONTROLLERS = {"karpenter": karpenter}


def check(resource: Resource, old: Values, inputs: Values, namespace: str) -> Values:
    """The inputs with the release's name and namespace filled in, kept over later updates."""
    name = inputs.get("name") or old.get("name") or f"{resource.name}-{secrets.token_hex(4)}"
    return {**inputs, "name": name, "namespace": inputs.get("namespace") or namespace}


def diff(old: Values, new: Values) -> Diff:
    """What differs between two releases: one of another name or namespace is a new one."""
    changed = changed_keys(old, new)
    return Diff(changed, [key for key in changed if key in IDENTITY])


def previewed(inputs: Values) -> Values:
    """The outputs of a release that is not made yet."""
    return {**inputs, "status": UNKNOWN, "resourceNames": UNKNOWN}


def resource_id(inputs: Values) -> str:
    """The id of a release, `namespace/name`."""
    return f"{inputs['namespace']}/{inputs['name']}"


def install(cluster: ClusterAccess, api: Api, inputs: Values, revision: int) -> Values:
    """Register the chart's definitions, start its controller if it has one here, and record the release."""
    chart = chart_name(inputs)
    if inputs.get("createNamespace"):
        _create_namespace(api, inputs["namespace"])
    installed = kubernetes_crds.install(api, chart)
    _record(api, inputs, revision)
    controller = _CONTROLLERS.get(_controller(chart))
    if controller:
        controller.start(cluster.name)
    status = {
        "name": inputs["name"],
        "namespace": inputs["namespace"],
        "revision": revision,
        "status": "deployed",
        "chart": chart,
        "version": inputs.get("version", ""),
    }
    names = {"CustomResourceDefinition.apiextensions.k8s.io": installed} if installed else {}
    return {**inputs, "status": status, "resourceNames": names}


def upgrade(cluster: ClusterAccess, api: Api, outputs: Values, inputs: Values) -> Values:
    """Install the release's next revision and remove the record of the last; returns the outputs."""
    before = revision_of(outputs)
    upgraded = install(cluster, api, inputs, before + 1)
    api.delete(_secret(outputs, before), "Background")
    return upgraded


def uninstall(cluster: ClusterAccess, api: Api, outputs: Values) -> None:
    """Stop the controller and forget the release; its definitions stay, as Helm leaves them."""
    controller = _CONTROLLERS.get(_controller(chart_name(outputs)))
    if controller:
        controller.stop(cluster.name)
    api.delete(_secret(outputs, revision_of(outputs)), "Background")


def exists(api: Api, outputs: Values) -> bool:
    """Whether the record of the release is in its cluster."""
    return api.get(_secret(outputs, revision_of(outputs))) is not None


def revision_of(outputs: Values) -> int:
    """The number of a release's revision."""
    return outputs.get("status", {}).get("revision", 1)


def chart_name(inputs: Values) -> str:
    """The chart's own name, without the registry or repository before it."""
    return inputs["chart"].rstrip("/").rsplit("/", 1)[-1]


def _controller(chart: str) -> str:
    return kubernetes_crds.charts().get(chart, {}).get("controller", "")


def _create_namespace(api: Api, name: str) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    if api.get(namespace):
        return
    try:
        api.request("POST", "/api/v1/namespaces", namespace)
    except ApiError as error:
        if error.reason != "AlreadyExists":  # another release of this update was quicker
            raise


def _secret(release: Values, revision: int) -> Object:
    name = f"sh.helm.release.v1.{release['name']}.v{revision}"
    metadata = {"name": name, "namespace": release["namespace"]}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}


def _record(api: Api, inputs: Values, revision: int) -> None:
    """Helm's own record of a release: gzipped JSON in a Secret, by the storage driver of Helm 3."""
    release = {
        "name": inputs["name"],
        "namespace": inputs["namespace"],
        "version": revision,
        "info": {"status": "deployed", "description": "recorded by the local cloud: nothing was rendered"},
        "chart": {"metadata": {"name": chart_name(inputs), "version": inputs.get("version", "")}},
        "config": inputs.get("values") or {},
    }
    packed = base64.b64encode(gzip.compress(json.dumps(release).encode())).decode()
    secret = _secret(inputs, revision)
    labels = {"owner": "helm", "name": inputs["name"], "status": "deployed", "version": str(revision)}
    secret["metadata"]["labels"] = labels
    api.apply({**secret, "type": "helm.sh/release.v1", "stringData": {"release": packed}}, force=True)
