"""RayService as the engine sees it, against KubeRay's own definition."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest
import yaml

from infra.settings.workloads.rayserve import Rayserve
from tests.infra.platform.gpu_cluster import SERVE, gpu_cluster
from tests.schemas import validate
from workloads.rayserve.component import RayService, RayServiceArgs
from workloads.rayserve.needs import NEEDS, needs_for
from workloads.training.operators import KUBERAY

MODEL = "s3://mumbai-models/released/intent"


@pytest.fixture(scope="module")
def service(deploy: Any) -> dict[str, Any]:
    def program() -> pulumi.Output[str]:
        model = pulumi.Output.from_input(MODEL)
        args = RayServiceArgs(gpu_cluster(SERVE), "rayserve:1", model, workers=3, cpus=4)
        return pulumi.Output.from_input(RayService("classify", args).url)

    return deploy(program).one("v1:RayService").inputs


def groups(service: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    cluster = service["spec"]["rayClusterConfig"]
    (workers,) = cluster["workerGroupSpecs"]
    return cluster["headGroupSpec"], workers


def test_it_is_what_kuberays_definition_allows(service: dict[str, Any]) -> None:
    validate(service)


def test_the_application_has_the_model_and_every_cpu_of_the_workers(service: dict[str, Any]) -> None:
    (application,) = yaml.safe_load(service["spec"]["serveConfigV2"])["applications"]
    (replicas,) = application["deployments"]
    assert application["args"] == {"model": MODEL}
    assert replicas["autoscaling_config"] == {"min_replicas": 2, "max_replicas": 12}
    _, workers = groups(service)
    assert (workers["replicas"], workers["rayStartParams"]["num-cpus"]) == (3, "4")


def test_the_head_runs_no_replica_and_gets_no_request(service: dict[str, Any]) -> None:
    head, _ = groups(service)
    assert head["rayStartParams"]["num-cpus"] == "0"
    assert service["spec"]["excludeHeadPodFromServeSvc"] is True


def test_pods_are_as_the_namespace_asks(service: dict[str, Any]) -> None:
    (monitor,) = NEEDS.monitors
    for group in groups(service):
        pod = group["template"]["spec"]
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert {"name": "RAY_USAGE_STATS_ENABLED", "value": "0"} in container["env"]
        (port,) = container["ports"]
        assert port["name"] == monitor.port
        assert group["rayStartParams"]["metrics-export-port"] == str(int(port["containerPort"]))


def test_kuberay_comes_with_it_and_may_ask_the_head() -> None:
    assert needs_for(None).charts == (KUBERAY,)
    assert {"kubernetes.io/metadata.name": KUBERAY.namespace} in NEEDS.clients


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"minReplicas": 5, "workers": 2, "cpus": 2}, "at most the CPUs of the workers, 4"),
        ({"model": "raw/x"}, "below released/"),
    ],
)
def test_what_can_not_run_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Rayserve.model_validate({"image": "r:1", "model": "released/intent", **given})
