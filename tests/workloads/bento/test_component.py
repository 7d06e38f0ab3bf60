"""BentoService as the engine sees it."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from infra.settings.workloads.bento import Bento
from tests.infra.platform.gpu_cluster import SERVE, gpu_cluster
from workloads.bento import needs
from workloads.bento.component import PORT, BentoService, BentoServiceArgs

MODEL = "s3://mumbai-models/released/intent"


@pytest.fixture(scope="module")
def made(deploy: Any) -> Any:
    def program() -> pulumi.Output[str]:
        model = pulumi.Output.from_input(MODEL)
        args = BentoServiceArgs(gpu_cluster(SERVE), "bento:1", model, replicas=3, cpus=4)
        return BentoService("classify", args).url

    return deploy(program)


@pytest.fixture(scope="module")
def template(made: Any) -> dict[str, Any]:
    return made.one("v1:Deployment").inputs["spec"]["template"]


@pytest.fixture(scope="module")
def container(template: dict[str, Any]) -> dict[str, Any]:
    (only,) = template["spec"]["containers"]
    return only


def test_replicas_are_pods_with_the_model_and_their_cpus(made: Any, container: dict[str, Any]) -> None:
    environment = {variable["name"]: variable["value"] for variable in container["env"]}
    assert made.one("v1:Deployment").inputs["spec"]["replicas"] == 3
    assert container["command"] == ["bentoml", "serve", "service:Classifier", f"--port={PORT}"]
    assert environment["MODEL"] == MODEL
    assert environment["OMP_NUM_THREADS"] == container["resources"]["requests"]["cpu"] == "4"
    assert environment["BENTOML_DO_NOT_TRACK"] == "True"


def test_pods_are_as_the_namespace_asks(template: dict[str, Any], container: dict[str, Any]) -> None:
    assert needs.NEEDS.namespace
    assert template["spec"]["securityContext"]["runAsNonRoot"] is True
    assert template["spec"]["serviceAccountName"] == needs.NEEDS.namespace.name
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    # What it writes is on a volume.
    assert "/scratch" in {mount["mountPath"] for mount in container["volumeMounts"]}


def test_a_pod_goes_on_answering_while_endpoints_forget_it(
    made: Any, template: dict[str, Any], container: dict[str, Any]
) -> None:
    grace = template["spec"]["terminationGracePeriodSeconds"]
    assert 0 < container["lifecycle"]["preStop"]["sleep"]["seconds"] < grace
    assert made.one("PodDisruptionBudget").inputs["spec"]["maxUnavailable"] == 1


def test_its_monitor_finds_its_pods(template: dict[str, Any], container: dict[str, Any]) -> None:
    (monitor,) = needs.NEEDS.monitors
    assert template["metadata"]["labels"]["app.kubernetes.io/name"] == monitor.app
    assert [port["name"] for port in container["ports"]] == [monitor.port]


@pytest.mark.parametrize(
    "model", ["", "intent", "candidates/x", "released", "released/../raw", "s3://b/released/x"]
)
def test_a_model_that_is_not_released_is_refused(model: str) -> None:
    with pytest.raises(ValueError, match="below released/"):
        Bento.model_validate({"image": "bento:1", "model": model})
