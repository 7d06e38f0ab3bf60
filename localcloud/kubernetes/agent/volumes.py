"""The volumes of a pod as folders of this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from localcloud.kubernetes.agent.references import NotThereError, References
from localcloud.kubernetes.api import Object

Files = dict[str, bytes]


def unsupported(pod: Object) -> str:
    """Which volume can't be played, and why; empty if all can."""
    for volume in pod["spec"].get("volumes") or ():
        kind = _kind(volume)
        if kind not in ("emptyDir", "hostPath", "projected", *_SOURCES):
            return f"no {kind} volumes here ({volume['name']})"
    return ""


def lay_out(references: References, folder: Path, node_folder: Path) -> dict[str, Path]:
    """Make the pod's volumes below `folder`; returns where each is, by name. Paths of the host are in `node_folder`.

    Raises:
        NotThereError: a volume is of what is not there.
    """
    volumes = references.pod["spec"].get("volumes") or ()
    return {volume["name"]: _lay_out(volume, references, folder, node_folder) for volume in volumes}


def _lay_out(volume: Object, references: References, folder: Path, node_folder: Path) -> Path:
    kind = _kind(volume)
    if kind == "hostPath":
        place = node_folder / volume["hostPath"]["path"].lstrip("/")
        place.mkdir(parents=True, exist_ok=True)
        return place
    place = folder / volume["name"]
    place.mkdir(parents=True, exist_ok=True)
    if kind == "emptyDir":
        place.chmod(0o777)
        return place
    sources = volume["projected"].get("sources") or () if kind == "projected" else [volume]
    for source in sources:
        of = _kind(source)
        for name, content in _SOURCES[of](source[of], references).items():
            file = place / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    return place


def mounts(
    container: Object, places: Mapping[str, Path], expand: Callable[[str], str]
) -> Iterator[dict[str, Any]]:
    """The container's mounts as a plan has them, those of folders before those inside them."""
    by_path = sorted(container.get("volumeMounts") or (), key=lambda mount: mount["mountPath"])
    for mount in by_path:
        below = mount.get("subPath") or expand(mount.get("subPathExpr", ""))
        source = places[mount["name"]] / below
        if not source.exists():
            source.mkdir(parents=True)
        yield {"source": str(source), "target": mount["mountPath"], "read_only": mount.get("readOnly", False)}


def _kind(volume: Object) -> str:
    return next((key for key in volume if key != "name"), "emptyDir")


def _config_map(source: Object, references: References) -> Files:
    data = references.data("ConfigMap", source["name"], source.get("optional", False))
    return _items(data, source.get("items"), source.get("optional", False))


def _secret(source: Object, references: References) -> Files:
    name = source.get("secretName") or source["name"]
    data = references.data("Secret", name, source.get("optional", False))
    return _items(data, source.get("items"), source.get("optional", False))


def _items(data: Files, items: Iterable[Object] | None, optional: bool) -> Files:
    if items is None:
        return data
    chosen = {}
    for item in items:
        if item["key"] in data:
            chosen[item["path"]] = data[item["key"]]
        elif not optional:
            raise NotThereError(f"references non-existent config key: {item['key']}")
    return chosen


def _downward(source: Object, references: References) -> Files:
    containers = {container["name"]: container for container in references.pod["spec"]["containers"]}
    return {
        item["path"]: (
            references.field(item["fieldRef"]["fieldPath"])
            if "fieldRef" in item
            else references.resource(
                item["resourceFieldRef"], containers[item["resourceFieldRef"]["containerName"]]
            )
        ).encode()
        for item in source.get("items") or ()
    }


def _token(source: Object, references: References) -> Files:
    """A token of the service account, as the API server gives it to a kubelet."""
    metadata, spec = references.pod["metadata"], references.pod["spec"]
    account = spec.get("serviceAccountName") or "default"
    path = f"/api/v1/namespaces/{metadata['namespace']}/serviceaccounts/{account}/token"
    bound = {"kind": "Pod", "apiVersion": "v1", "name": metadata["name"], "uid": metadata["uid"]}
    wanted: dict[str, Any] = {
        "expirationSeconds": source.get("expirationSeconds", 3600),
        "boundObjectRef": bound,
    }
    if source.get("audience"):
        wanted["audiences"] = [source["audience"]]
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": wanted}
    return {source["path"]: references.api.request("POST", path, request)["status"]["token"].encode()}


_SOURCES: Mapping[str, Callable[[Object, References], Files]] = {
    "configMap": _config_map,
    "secret": _secret,
    "downwardAPI": _downward,
    "serviceAccountToken": _token,
}
