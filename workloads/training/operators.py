"""The operators of the runners `trainjob` and `rayjob`, as charts that a stack gets when its training asks for them.

Read: kubeflow/trainer charts/kubeflow-trainer at v2.3.0 and its part jobset 0.12.0, ray-project/kuberay
helm-chart/kuberay-operator at v1.7.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from infra.contracts.images import Image
from infra.contracts.needs import Chart, WorkloadNeeds
from infra.settings.workloads.training import Training
from workloads.training.needs import NEEDS

KUBEFLOW_TRAINER = Chart(
    name="kubeflow-trainer",
    chart="oci://ghcr.io/kubeflow/charts/kubeflow-trainer",
    version="2.3.0",
    namespace="kubeflow-system",
    source="kubeflow/trainer@v2.3.0",
    # Its own runtimes would be applied by a Job whose image fetches kubectl from afar: ours comes with the TrainJob.
    values={"runtimes": {"defaultEnabled": False}},
    images=(
        Image("image.registry", "ghcr.io", "/kubeflow/trainer/trainer-controller-manager:v2.3.0"),
        Image("jobset.image.repository", "registry.k8s.io/jobset/jobset", ":v0.12.0"),
    ),
)
KUBERAY = Chart(
    name="kuberay-operator",
    chart="kuberay-operator",
    version="1.7.0",
    namespace="kuberay",
    source="ray-project/kuberay@v1.7.0",
    repository="https://ray-project.github.io/kuberay-helm/",
    images=(Image("image.repository", "quay.io/kuberay/operator", ":v1.7.0"),),
)
OPERATORS: Mapping[str, Chart] = MappingProxyType({"trainjob": KUBEFLOW_TRAINER, "rayjob": KUBERAY})


def needs_for(settings: Training) -> WorkloadNeeds:
    """What training needs with its runner: the runner's operator, and for Ray's a way to the head."""
    operator = OPERATORS.get(settings.runner)
    if operator is None:
        return NEEDS
    clients = ({"kubernetes.io/metadata.name": operator.namespace},) if operator is KUBERAY else ()
    return replace(NEEDS, charts=(operator,), clients=clients)
