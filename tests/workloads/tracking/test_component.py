"""TrackingServer as the engine sees it, and the way that training gets to it."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pytest

from infra.contracts.database import FOLDER, SECRET
from infra.contracts.site import Service
from infra.settings.workloads.tracking import Tracking
from infra.settings.workloads.training import Training
from tests.infra.platform.gpu_cluster import SERVE, gpu_cluster
from workloads.tracking.component import PROGRAMS, TrackingServer, TrackingServerArgs
from workloads.tracking.needs import APP, NEEDS, PORT
from workloads.tracking.network import open_way
from workloads.training.recipe import recipe

IMAGE = "mlflow:1"
SETTINGS = Tracking.model_validate(
    {"image": IMAGE, "replicas": 3, "workers": 4, "hosts": ["mlflow.example.in"]}
)


@pytest.fixture(scope="module")
def made(deploy: Any) -> Any:
    def program() -> str:
        artifacts = pulumi.Output.from_input("s3://mumbai-models/tracking")
        cluster = gpu_cluster(SERVE)
        server = TrackingServer("tracking", TrackingServerArgs(cluster, SETTINGS, IMAGE, artifacts))
        service = Service(server.url, "tracking", PORT)
        open_way("training", {"app.kubernetes.io/name": "training-job"}, service, pulumi.ResourceOptions())
        return server.url

    return deploy(program)


@pytest.fixture(scope="module")
def spec(made: Any) -> dict[str, Any]:
    return made.one("v1:Deployment").inputs["spec"]["template"]["spec"]


def environment(container: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each.get("value", "") for each in container["env"]}


def test_the_server_has_the_stacks_database_and_lake(made: Any, spec: dict[str, Any]) -> None:
    (server,) = spec["containers"]
    assert made.one("v1:Deployment").inputs["spec"]["replicas"] == 3
    assert {
        "--workers=4",
        "--backend-store-uri=postgresql+psycopg2://",
        "--artifacts-destination=s3://mumbai-models/tracking",
        "--serve-artifacts",
    } <= {*server["args"]}
    # No password and no host: they are in the Secret.
    assert server["envFrom"] == [{"secretRef": {"name": SECRET}}]
    assert FOLDER in {mount["mountPath"] for mount in server["volumeMounts"]}
    assert NEEDS.database


def test_the_database_is_migrated_before_a_server_starts(made: Any, spec: dict[str, Any]) -> None:
    (migration,) = spec["initContainers"]
    (program,) = made.of("v1:ConfigMap").values()
    assert migration["command"] == ["python", f"{PROGRAMS}/migrate.py"]
    assert migration["envFrom"] == [{"secretRef": {"name": SECRET}}]
    assert "pg_advisory_lock" in program.inputs["data"]["migrate.py"]
    (volume,) = (each for each in spec["volumes"] if each["name"] == "program")
    paths = {each["path"] for each in volume["configMap"]["items"]}
    assert {"migrate.py", "registry/__main__.py", "registry/models.py"} <= paths


def test_nothing_is_told_to_the_makers_of_mlflow(spec: dict[str, Any]) -> None:
    for container in (*spec["initContainers"], *spec["containers"]):
        found = environment(container)
        assert found["MLFLOW_DISABLE_TELEMETRY"] == found["DO_NOT_TRACK"] == "true"


def test_it_answers_to_its_own_names_alone(spec: dict[str, Any]) -> None:
    found = environment(spec["containers"][0])
    hosts = found["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")
    assert {"tracking.tracking.svc:5000", "tracking:5000", "$(POD_IP):5000", "mlflow.example.in"} <= {*hosts}
    assert not any("*" in host for host in hosts)
    assert found["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"] == "https://mlflow.example.in"
    # The kubelet puts the address into a variable that is named later.
    assert [each["name"] for each in spec["containers"][0]["env"]].index("POD_IP") == 0


def test_pods_are_as_the_namespace_asks(made: Any, spec: dict[str, Any]) -> None:
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["serviceAccountName"] == "tracking"
    assert spec["automountServiceAccountToken"] is False
    for container in (*spec["initContainers"], *spec["containers"]):
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["resources"]["limits"]["memory"]
    sleep = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert 0 < sleep < spec["terminationGracePeriodSeconds"]
    assert made.one("PodDisruptionBudget").inputs["spec"]["maxUnavailable"] == 1


def test_its_monitor_finds_its_pods(made: Any, spec: dict[str, Any]) -> None:
    (monitor,) = NEEDS.monitors
    labels = made.one("v1:Deployment").inputs["spec"]["template"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/name"] == monitor.app == APP
    assert monitor.port in {port["name"] for port in spec["containers"][0]["ports"]}


def test_training_pods_alone_get_through_both_policies(made: Any) -> None:
    policies = {each.inputs["metadata"]["name"]: each.inputs for each in made.of("v1:NetworkPolicy").values()}
    assert policies.keys() == {"to-tracking", "from-training"}
    leave, enter = policies["to-tracking"], policies["from-training"]
    trainer = {"matchLabels": {"app.kubernetes.io/name": "training-job"}}
    server = {"matchLabels": {"app.kubernetes.io/name": APP}}
    assert (leave["metadata"]["namespace"], enter["metadata"]["namespace"]) == ("training", "tracking")
    assert (leave["spec"]["podSelector"], enter["spec"]["podSelector"]) == (trainer, server)
    (way_out,) = leave["spec"]["egress"]
    (way_in,) = enter["spec"]["ingress"]
    assert way_out["to"][0]["podSelector"] == server
    assert way_in["from"][0]["podSelector"] == trainer
    assert [port["port"] for port in (*way_out["ports"], *way_in["ports"])] == [PORT, PORT]


def test_the_recipe_names_the_stacks_server_unless_the_settings_name_another() -> None:
    pool, url = SERVE, "http://tracking.tracking.svc:5000"

    def tracking(**given: Any) -> dict[str, str]:
        asked = Training.model_validate({"pool": "serve", "image": IMAGE, **given})
        return json.loads(recipe(asked, pool, 90, url)).get("tracking", {})

    assert tracking() == {"mlflowUri": url}
    assert tracking(tracking={"wandb": "http://wandb.svc"}) == {"mlflowUri": url, "wandb": "http://wandb.svc"}
    assert tracking(tracking={"mlflowUri": "http://other.svc"}) == {"mlflowUri": "http://other.svc"}


@pytest.mark.parametrize(
    "host",
    [
        "",
        "*",
        "*.example.in",
        "https://mlflow.example.in",
        "mlflow.example.in:443",
        "a b.in",
        "mlflow",
        "10.0.0.1",
    ],
)
def test_a_host_that_is_no_name_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="a host name alone"):
        Tracking.model_validate({"image": IMAGE, "hosts": [host]})
