"""The plan of a container: variables, volumes, user, threads."""

from __future__ import annotations

import base64
import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from localcloud.kubernetes.agent import claims, plan, probes, volumes
from localcloud.kubernetes.agent.images import Environment, table
from localcloud.kubernetes.agent.plan import Sandbox
from localcloud.kubernetes.agent.quantities import number
from localcloud.kubernetes.agent.references import NotThereError, References

OBJECTS = {
    ("ConfigMap", "given"): {"data": {"a": "one", "b": "two"}},
    ("Secret", "keys"): {"data": {"KEY": base64.b64encode(b"hidden").decode()}},
}


class Installed(Environment):
    """An environment in a folder that nobody has."""

    folder = Path("/environment")  # pyright: ignore


IMAGE = Installed("python", programs=Path("/tmp/different"))


class Objects:
    """An API server with these objects."""

    def get(self, wanted: dict[str, Any]) -> dict[str, Any] | None:
        return OBJECTS.get((wanted["kind"], wanted["metadata"]["name"]))


def references(spec: dict[str, Any], **metadata: Any) -> References:
    about = {"name": "p", "namespace": "ml", "uid": "u", **metadata}
    return References(Objects(), {"metadata": about, "spec": {"nodeName": "n", **spec}})  # pyright: ignore[reportArgumentType]


def written(container: dict[str, Any], folder: Path, **spec: Any) -> dict[str, Any]:
    made = references({"containers": [container], **spec})
    places = volumes.lay_out(made, folder / "volumes", folder / "node")
    sandbox = Sandbox(folder, places, folder / "hosts", {"GIVEN": "by the platform"})
    return json.loads(plan.write(container, 0, made, sandbox, IMAGE).read_text())


def container(**more: Any) -> dict[str, Any]:
    return {"name": "main", "image": "python:3.12", "command": ["python"], **more}


def test_variables_are_expanded_in_commands_and_in_later_variables(tmp_path: Path) -> None:
    env = [
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "AT", "value": "$(IP):80"},
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "KEY"}}},
        {"name": "NONE", "valueFrom": {"configMapKeyRef": {"name": "no", "key": "a", "optional": True}}},
    ]
    sources = [{"prefix": "P_", "configMapRef": {"name": "given"}}]
    made = written(container(args=["$(AT)", "$(P_a)"], env=env, envFrom=sources), tmp_path)
    environment = made["environment"]
    assert made["argv"] == ["python", f"{environment['IP']}:80", "one"]
    assert (environment["KEY"], environment["P_b"], environment["GIVEN"]) == (
        "hidden",
        "two",
        "by the platform",
    )
    assert "NONE" not in environment
    assert environment["PATH"].startswith("/tmp/different:/environment/bin:")
    assert "/tmp/different" in [mount["target"] for mount in made["mounts"]]


@pytest.mark.parametrize(("cpu", "threads"), [("500m", "1"), ("1", "1"), ("900", "2")])
def test_threads_are_those_of_the_request_and_no_more_than_the_machine_has(
    cpu: str, threads: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan.os, "cpu_count", lambda: 2)
    made = written(container(resources={"requests": {"cpu": cpu}}), tmp_path)
    assert made["environment"]["OMP_NUM_THREADS"] == threads
    own = container(resources={"requests": {"cpu": cpu}}, env=[{"name": "OMP_NUM_THREADS", "value": "7"}])
    assert written(own, tmp_path)["environment"]["OMP_NUM_THREADS"] == "7"


def test_volumes_are_mounted_the_outer_before_the_inner(tmp_path: Path) -> None:
    mounts = [
        {"name": "files", "mountPath": "/opt/training", "readOnly": True},
        {"name": "room", "mountPath": "/opt", "subPath": "part"},
    ]
    items = [{"key": "a", "path": "deep/a.txt"}]
    spec = {
        "volumes": [
            {"name": "files", "configMap": {"name": "given", "items": items}},
            {"name": "room", "emptyDir": {}},
        ]
    }
    made = written(container(volumeMounts=mounts), tmp_path, **spec)
    targets = {mount["target"]: mount for mount in made["mounts"]}
    assert list(targets)[-2:] == ["/opt", "/opt/training"]
    assert (Path(targets["/opt/training"]["source"]) / "deep/a.txt").read_text() == "one"
    assert targets["/opt/training"]["read_only"]
    assert targets["/opt"]["source"] == str(tmp_path / "volumes/room/part")
    assert {"/tmp", "/etc/hosts"} <= targets.keys()


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotThereError, match='configmap "nothing" not found'):
        written(container(envFrom=[{"configMapRef": {"name": "nothing"}}]), tmp_path)
    spec = {
        "volumes": [{"name": "v", "secret": {"secretName": "keys", "items": [{"key": "x", "path": "y"}]}}]
    }
    with pytest.raises(NotThereError, match="non-existent config key: x"):
        written(container(), tmp_path, **spec)


def test_the_container_says_its_user_before_the_pod(tmp_path: Path) -> None:
    pod = {"securityContext": {"runAsUser": 1000, "runAsGroup": 1000}}
    made = written(container(securityContext={"runAsUser": 7}), tmp_path, **pod)
    assert (made["user"], made["group"]) == (7, 1000)


def test_the_downward_api_has_labels_fields_and_rounded_resources() -> None:
    made = references({}, labels={"a/b": "c", "d": "e"})
    assert made.field("metadata.labels['a/b']") == "c"
    assert made.field("metadata.labels") == 'a/b="c"\nd="e"'
    assert (made.field("spec.nodeName"), made.field("metadata.uid")) == ("n", "u")
    limits = {"resources": {"limits": {"cpu": "1500m", "memory": "1Gi"}}}
    assert made.resource({"resource": "limits.cpu"}, limits) == "2"
    assert made.resource({"resource": "limits.memory", "divisor": "1Mi"}, limits) == "1024"


@pytest.mark.parametrize(
    ("quantity", "value"),
    [
        ("1", 1),
        ("500m", Decimal("0.5")),
        ("2Gi", 2 * 1024**3),
        ("3M", 3 * 10**6),
        ("1e3", 1000),
        ("1.5Ki", 1536),
    ],
)
def test_quantities(quantity: str, value: Decimal) -> None:
    assert number(quantity) == value


def test_no_quantity() -> None:
    with pytest.raises(ValueError, match="2 GB is no quantity"):
        number("2 GB")


@pytest.mark.parametrize(
    ("image", "runs"),
    [
        ("python:3.12-slim", True),
        ("registry.example/library/python:3.11", True),
        ("registry.example/training:2026.11", True),
        ("registry.example/own/tracking:1", True),
        ("redis:8.2.3", True),
        ("registry.example/redis-exporter:1", False),
        ("python", False),
        ("notpython:3.12", False),
        ("python:3.12-slim@sha256:00", False),
        ("registry.example/python:3/evil", False),
    ],
)
def test_the_table_knows_whole_names(image: str, runs: bool) -> None:
    pod = {"metadata": {}, "spec": {"containers": [{"image": image}]}}
    assert claims.in_table(pod) == runs
    pod["spec"]["containers"].append({"image": "unknown"})
    assert not claims.in_table(pod)


def test_programs_that_stand_for_an_image_s_can_be_run() -> None:
    folders = [each.programs for each in table().environments.values() if each.programs]
    programs = [program for folder in folders for program in folder.iterdir()]
    assert {"vllm", "mlflow", "redis-server"} <= {program.name for program in programs}
    assert all(os.access(program, os.X_OK) for program in programs)


def test_what_can_not_be_played_is_said() -> None:
    spec = {"containers": [{"name": "main", "livenessProbe": {"grpc": {"port": 1}}}]}
    assert "gRPC" in probes.unsupported({"spec": spec})
    disk = {"volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "c"}}]}
    assert volumes.unsupported({"spec": disk}) == "no persistentVolumeClaim volumes here (d)"
    assert volumes.unsupported({"spec": {"volumes": [{"name": "e", "emptyDir": {}}]}}) == ""
