"""The whole program on mocks: every stack of ours, and the order in which a destroy takes it apart."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pulumi
import pytest
import yaml

from infra.aws.registry import EKS_ADDONS
from infra.platform.images import images
from infra.protection import PROTECTED
from localcloud.directories import PROJECT
from policies.framework.control import Control
from policies.framework.resources import Resource
from policies.pack import CONTROLS
from tests.program import deployed
from tests.program.deployed import STACKS
from tests.program.whole_stacks import config_of, run_anew
from tests.program.whole_stacks import run as _run
from workloads.kubernetes.placement import WHEN_MADE

pytestmark = pytest.mark.slow

# Objects that must be gone before their nodes are: left to the cluster's end they would hold up Karpenter's drain.
FIRST_TO_GO = {"Job", "Deployment", "PodDisruptionBudget", "NodePool", "EC2NodeClass"}


@pytest.fixture(scope="module", params=STACKS)
def registered(request: pytest.FixtureRequest, deploy: Callable[..., Any]) -> Any:
    return _deployed(deploy, request.param)


@pytest.fixture(scope="module")
def local(deploy: Callable[..., Any]) -> Any:
    return _deployed(deploy, "local")


def _deployed(deploy: Callable[..., Any], stack: str) -> Any:
    return _run(deploy, config_of(stack))


class Order:
    """What a destroy removes before what: a resource goes before everything that it needs."""

    def __init__(self, recorded: Any) -> None:
        self.by_urn = {resource.urn: resource for resource in recorded.resources}
        children: dict[str, list[str]] = {}
        for resource in recorded.resources:
            children.setdefault(resource.parent, []).append(resource.urn)
        self.children = children

    def needs(self, resource: Any) -> set[str]:
        """URNs of everything that stands until `resource` has gone."""
        found: set[str] = set()
        left = [resource.urn]
        while left:
            current = self.by_urn.get(left.pop())
            if current is None:
                continue
            direct = {*current.depends_on, current.provider.rsplit("::", 1)[0]} - {""}
            # To depend on a component is to depend on its children.
            direct |= {child for urn in direct for child in self.children.get(urn, ())}
            left += direct - found
            found |= direct
        return found - {resource.urn}


def kind(resource: Any) -> str:
    return resource.type.rsplit(":", 1)[-1]


def test_every_stack_of_ours_is_one_that_the_program_accepts(registered: Any) -> None:
    assert registered.of("eks/cluster:Cluster")
    assert registered.of("Release")


@pytest.mark.parametrize("stack", STACKS)
def test_a_stack_that_is_up_loses_nothing(deploy: Callable[..., Any], stack: str) -> None:
    resources = _deployed(deploy, stack).resources
    before = deployed.kept(stack)
    lost = list(deployed.losses(before, resources))
    meant = f"is each meant, and in the upgrade note? Then {deployed.RENEW}"
    assert not lost, "\n".join([f"{len(lost)} losses, {meant}", *lost])
    assert deployed.deployed(resources) == before, f"nothing is lost, but the file is old: {deployed.RENEW}"


def test_no_text_is_made_of_a_value_that_is_not_known_yet(registered: Any) -> None:
    """The SDK puts a warning into the text instead, and the cloud is given that."""
    wrong = [
        r.name for r in registered.resources if "on an Output[T] is not supported" in json.dumps(r.inputs)
    ]
    assert wrong == []


def test_kubernetes_objects_go_with_their_cluster_but_for_those_that_hold_nodes(registered: Any) -> None:
    clusters = {r.urn for r in registered.resources if kind(r) == "Cluster" and r.provider}
    objects = [r for r in registered.resources if r.type.startswith("kubernetes:")]
    assert len(objects) > 40
    outlive = {kind(r) for r in objects if r.deleted_with not in clusters and not claims_disks(r)}
    assert outlive <= FIRST_TO_GO


def claims_disks(resource: Any) -> bool:
    """Whether its claims have to be deleted, or their disks would be paid for after the cluster's end."""
    return kind(resource) == "Release" and "volumeClaimTemplate" in json.dumps(resource.inputs["values"])


def test_images_that_have_a_mirror_come_from_it_in_india(registered: Any) -> None:
    for release in (found for found in registered.resources if found.type.endswith("v3:Release")):
        for image in images()[release.name]:
            if image.upstream in ("registry.k8s.io", "quay.io", EKS_ADDONS):
                said: Any = release.inputs["values"]
                for step in image.at.split("."):
                    said = said[step]
                assert ".dkr.ecr.ap-south-" in said or said.startswith("asia-south"), image.name


def test_node_pools_go_before_the_controller_that_ends_their_machines(local: Any) -> None:
    order = Order(local)
    release = local.one("Release", "karpenter").urn
    pools = [r for r in local.resources if kind(r) in ("NodePool", "EC2NodeClass")]
    assert {pool.name for pool in pools} == {
        "pools-gpu.shared", "pools-serve", "pools-train", "pools-system", "pools-system-class",
    }  # fmt: skip
    for pool in pools:
        assert release in order.needs(pool), pool.name


def test_workloads_go_before_the_nodes_they_run_on(local: Any) -> None:
    order = Order(local)
    for name, workload in (("train", local.one("Job", "train")), ("serve", local.one("Deployment", "serve"))):
        assert local.one("NodePool", f"pools-{name}").urn in order.needs(workload)


def test_no_workload_waits_for_a_pool_that_it_does_not_run_on(both: Any) -> None:
    """A pool of spot may be long in coming, or end in an error: what runs elsewhere comes up without it."""
    order = Order(both)
    pools = {r.urn: r for r in both.resources if makes_nodes(r)}
    assert len(pools) > 5
    workloads = [r for r in both.resources if kind(r) in ("Job", "Deployment")]
    for workload in workloads:
        spec = workload.inputs["spec"]["template"]["spec"]
        own = {
            value.removesuffix("-spot")
            for key, value in (spec.get("nodeSelector") or {}).items()
            if key.startswith(("india-ai-infra/", "cloud.google.com/compute-class"))
        }
        needed = {pools[urn].name for urn in order.needs(workload) & pools.keys()}
        assert all(any(f"pools-{name}" in pool for name in own) for pool in needed), workload.name
        assert bool(own) == bool(needed), workload.name


def makes_nodes(resource: Any) -> bool:
    """Whether it makes nodes for GPUs: not the system's."""
    return kind(resource) in ("NodePool", "NodeGroup") and resource.name.startswith("pools-")


def test_controllers_go_before_the_cluster_and_their_rights(local: Any) -> None:
    order = Order(local)
    needs = order.needs(local.one("Release", "karpenter"))
    assert local.one("eks/cluster:Cluster").urn in needs
    assert {r.urn for r in local.of("eks/podIdentityAssociation:PodIdentityAssociation").values()} & needs
    assert {r.urn for r in local.of("sqs/queue:Queue").values()} <= needs


def test_the_network_goes_last(local: Any) -> None:
    order = Order(local)
    vpc = local.one("ec2/vpc:Vpc").urn
    routes = {r.urn for r in local.of("ec2/routeTableAssociation:RouteTableAssociation").values()}
    for group in local.of("eks/nodeGroup:NodeGroup").values():
        assert {vpc, *routes} <= order.needs(group), f"{group.name} would lose its way out before it has gone"
    in_vpc = (
        "subnet:Subnet",
        "vpcEndpoint:VpcEndpoint",
        "securityGroup:SecurityGroup",
        "natGateway:NatGateway",
    )
    for ending in in_vpc:
        for resource in local.of(ending).values():
            assert vpc in order.needs(resource), resource.name


def test_the_endpoint_of_guardduty_is_owned(local: Any) -> None:
    """GuardDuty would make its own otherwise, and leave it in the VPC."""
    services = {r.inputs["serviceName"] for r in local.of("ec2/vpcEndpoint:VpcEndpoint").values()}
    assert "com.amazonaws.ap-south-1.guardduty-data" in services
    monitoring = local.one("guardduty/detectorFeature:DetectorFeature", "audit-runtime-monitoring")
    agents = {a["name"]: a["status"] for a in monitoring.inputs["additionalConfigurations"]}
    assert agents["EKS_ADDON_MANAGEMENT"] == "DISABLED"
    addons = {r.inputs["addonName"] for r in local.of("eks/addon:Addon").values()}
    assert "aws-guardduty-agent" in addons


def test_data_is_protected_where_the_stack_says_so(registered: Any) -> None:
    buckets = list(registered.of("s3/bucket:Bucket").values())
    assert len(buckets) == 7
    assert len({bucket.protect for bucket in buckets}) == 1
    assert all(bucket.inputs.get("forceDestroy", False) != bucket.protect for bucket in buckets)


def test_nothing_uses_a_default_provider(registered: Any) -> None:
    custom = [r for r in registered.resources if r.type.startswith(("aws:", "kubernetes:"))]
    assert [r.name for r in custom if not r.provider] == []


GOOGLE_STACK: dict[str, Any] = {
    "india-ai-infra:owner": "ml-platform",
    "india-ai-infra:environment": "prod",
    "india-ai-infra:purpose": "customer support models",
    "india-ai-infra:budget": {"monthlyInr": 6000000},
    "india-ai-infra:currency": {"usdInr": 88.5, "asOf": "2026-11-24"},
    "india-ai-infra:gcp": {
        "project": "unit-project",
        "region": "asia-south1",
        "cluster": {
            "access": {"jumpHost": True, "deployers": ["group:platform@example.in"]},
            "pools": [
                {"name": "google-serve", "gpu": "L4", "maxGpus": 8, "purchase": ["spot", "on-demand"]},
                {"name": "google-tcpx", "gpu": "H100", "gpusPerNode": 8, "fabric": "tcpx", "maxNodes": 2},
                {"name": "google-rdma", "gpu": "H200", "gpusPerNode": 8, "fabric": "rdma", "maxNodes": 2},
            ],
        },
        "access": {
            "dataEngineers": ["group:data@example.in"],
            "mlEngineers": ["group:ml@example.in", "user:lead@example.in"],
            "auditors": ["group:audit@example.in"],
        },
        "audit": {"alertEmails": ["soc@example.in"]},
        "lake": {"dualRegion": True},
        "org": {"folder": "folders/1234"},
    },
    "india-ai-infra:workloads": {
        "training": {
            "pool": "google-tcpx",
            "image": "{registry}/own/training:1",
            "nodes": 2,
            "gpusPerNode": 8,
        },
        "serving": {"pool": "google-rdma", "model": "m", "gpus": 8},
        "proof": {
            "image": "{registry}/own/proof:1",
            "dcgmImage": "{registry}/own/dcgm:4",
            "floorGbs": {"google-tcpx": 60},
        },
    },
}


@pytest.fixture(scope="module")
def google(deploy: Callable[..., Any]) -> Any:
    return _run(deploy, GOOGLE_STACK)


@pytest.fixture(scope="module")
def both(deploy: Callable[..., Any]) -> Any:
    """Prod with Google's part of the stack above; it serves on AWS and trains on Google."""
    ours = yaml.safe_load((PROJECT / "Pulumi.prod.yaml").read_text())["config"]
    workloads = {
        **GOOGLE_STACK["india-ai-infra:workloads"],
        "serving": ours["india-ai-infra:workloads"]["serving"],
    }
    return _run(
        deploy,
        {**ours, **GOOGLE_STACK, "india-ai-infra:retentionDays": 730, "india-ai-infra:workloads": workloads},
    )


def test_a_stack_may_be_on_google_alone(google: Any) -> None:
    assert google.of("container/cluster:Cluster")
    assert not [r for r in google.resources if r.type.startswith("aws:")]
    assert not google.of("NodePool") or all(r.type.startswith("gcp:") for r in google.of("NodePool").values())


def test_two_clouds_share_no_name(both: Any) -> None:
    eks, gke = both.one("eks/cluster:Cluster"), both.one("container/cluster:Cluster")
    assert eks.inputs["name"] != gke.inputs["name"]
    urns = [r.urn for r in both.resources]
    assert len(urns) == len(set(urns))


def test_a_second_cloud_changes_nothing_of_the_first(both: Any, deploy: Callable[..., Any]) -> None:
    def of_aws(recorded: Any) -> dict[str, Any]:
        return {
            r.urn: (r.inputs, r.depends_on, r.provider)
            for r in recorded.resources
            if r.type.startswith("aws:") or ("kubernetes:" in r.type and "gcp:Cluster" not in r.urn)
            if "workloads:" not in r.urn and "gcp:" not in r.urn
            if r.type != "aws:budgets/budget:Budget"  # its share of the month
        }

    config = yaml.safe_load((PROJECT / "Pulumi.prod.yaml").read_text())["config"]
    rate = {"india-ai-infra:currency": GOOGLE_STACK["india-ai-infra:currency"]}  # that of OpenCost's prices
    of_prod = {key: value for key, value in config.items() if key != "india-ai-infra:gcp"}
    alone = of_aws(_run(deploy, {**of_prod, **rate}))
    assert len(alone) > 200
    assert of_aws(both) == alone


def test_two_clouds_share_the_month(both: Any) -> None:
    asked = both.one("index:Budget").inputs
    assert asked.get("awsPercent") is None, "so that each has half"
    limit = float(both.one("budgets/budget:Budget").inputs["limitAmount"])
    assert limit == pytest.approx(asked["monthlyInr"] / 2 / asked["currency"]["usdInr"], abs=0.01)
    assert not both.of("billing/budget:Budget"), "no billing account is named"


def test_a_workload_runs_where_its_pool_is(both: Any) -> None:
    train, serve = both.one("Job", "train"), both.one("Deployment", "serve")
    eks, gke = both.one("eks/cluster:Cluster").urn, both.one("container/cluster:Cluster").urn
    order = Order(both)
    assert gke in order.needs(train) and eks not in order.needs(train)
    assert eks in order.needs(serve) and gke not in order.needs(serve)
    assert any(value.startswith("gs://") for value in strings(train.inputs))


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for inner in value.values() for text in strings(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in strings(inner)]
    return [value] if isinstance(value, str) else []


def test_on_google_nothing_uses_a_default_provider(google: Any) -> None:
    custom = [r for r in google.resources if r.type.startswith(("gcp:", "kubernetes:"))]
    assert [r.name for r in custom if not r.provider] == []


def test_on_google_objects_go_with_their_cluster_and_the_network_last(google: Any) -> None:
    cluster = google.one("container/cluster:Cluster").urn
    objects = [r for r in google.resources if r.type.startswith("kubernetes:")]
    objects = [r for r in objects if not claims_disks(r)]
    assert {kind(r) for r in objects if r.deleted_with != cluster} <= FIRST_TO_GO
    order = Order(google)
    nat = google.one("compute/routerNat:RouterNat").urn
    for pool in google.of("container/nodePool:NodePool").values():
        assert {cluster, nat} <= order.needs(pool)
    own = google.one("container/nodePool:NodePool", "pools-google-tcpx").urn
    assert own in order.needs(google.one("Job", "train"))


def test_on_google_the_platform_is_without_what_gke_brings(google: Any) -> None:
    assert set(google.of("Release")) == {
        "kube-prometheus-stack",
        "opencost",
        "keda",
        "kueue",
        "dcgm-exporter",
    }
    assert "gpu-operator-namespace" not in google.of("v1:Namespace")


def test_on_google_rbac_names_people_by_their_addresses(google: Any) -> None:
    binding = google.one("v1:RoleBinding", "training-train-ml-engineers").inputs
    assert [(subject["kind"], subject["name"]) for subject in binding["subjects"]] == [
        ("Group", "ml@example.in"),
        ("User", "lead@example.in"),
    ]
    groups = google.one("container/cluster:Cluster").inputs["authenticatorGroupsConfig"]
    assert groups == {"securityGroup": "gke-security-groups@example.in"}


def test_on_google_every_place_is_in_india(google: Any) -> None:
    texts = {text for r in google.resources for text in strings(r.inputs)}
    assert not [
        text for text in texts if text.startswith(("us-", "europe-", "asia-e", "asia-n")) and "/" not in text
    ]


@pytest.mark.parametrize(
    "control",
    # K8S-07 is off in the profile `default`: images of workloads are the user's to mirror.
    [found for found in CONTROLS if found.check and found.id != "DPDP-K8S-07"],
    ids=lambda control: control.id,
)
def test_on_google_our_own_stack_passes_the_policies(google: Any, control: Control) -> None:
    assert control.check
    for r in google.resources:
        if r.type.startswith(control.types):
            found = [str(finding) for finding in control.check(Resource(r.type, r.urn, r.inputs), {})]
            assert found == [], r.urn


def test_every_fabric_and_lake_of_a_stack_is_proved(both: Any) -> None:
    """The stack of Google has one pool that stands each on TCPX and RDMA; prod's on EFA grows from zero."""
    assert set(both.of("v1:CronJob")) == {"nccl-test-train"}
    jobs = both.of("v1:Job")
    fabrics = {"nccl-test-google-tcpx", "nccl-test-google-rdma"}
    assert set(jobs) == {
        "train",
        *fabrics,
        *(f"{name}-diag" for name in fabrics),
        "lake-test-aws",
        "lake-test-gcp",
    }
    for name in fabrics | {"lake-test-aws", "lake-test-gcp"}:
        (container,) = jobs[name].inputs["spec"]["template"]["spec"]["containers"]
        said = dict(zip(container["args"], container["args"][1:], strict=False))
        assert "/evidence/" in said["--evidence-uri"]
        assert "audit" in said["--evidence-uri"]
        assert jobs[name].inputs["metadata"]["namespace"] == "proof"
    (measured,) = jobs["nccl-test-google-tcpx"].inputs["spec"]["template"]["spec"]["containers"]
    assert "--floor-gbs=60" in measured["args"], "the stack's own, not the table's"


def test_the_lake_must_refuse_a_proof_all_but_its_own_part(google: Any) -> None:
    (container,) = google.one("v1:Job", "lake-test-gcp").inputs["spec"]["template"]["spec"]["containers"]
    pairs = list(zip(container["args"], container["args"][1:], strict=False))
    (own,) = [value for option, value in pairs if option == "--uri"]
    refused = {value for option, value in pairs if option == "--refused-uri"}
    assert own.endswith("/proof") and f"{own.removesuffix('/proof')}/jobs" in refused
    for role in ("raw", "curated", "features", "models", "audit"):
        assert any(f"lake-{role}" in uri for uri in refused), role


def test_nobody_trains_on_a_fabric_before_it_is_proved(google: Any) -> None:
    needs = Order(google).needs(google.one("Job", "train"))
    assert google.one("v1:Job", "nccl-test-google-tcpx").urn in needs
    assert google.one("v1:Job", "nccl-test-google-rdma").urn not in needs


def test_whole_nodes_on_google_carry_what_their_fabric_asks(google: Any) -> None:
    train = google.one("v1:Job", "train").inputs["spec"]["template"]
    proof = google.one("v1:Job", "nccl-test-google-tcpx").inputs["spec"]["template"]
    serve = google.one("v1:Deployment", "serve").inputs["spec"]["template"]
    for template, network in (
        (train, "google-tcpx-vpc4"),
        (proof, "google-tcpx-vpc4"),
        (serve, "google-rdma-rdma-7"),
    ):
        cards = json.loads(template["metadata"]["annotations"]["networking.gke.io/interfaces"])
        assert network == cards[-1]["network"]
        pod = template["spec"]
        volumes = {volume["name"] for volume in pod["volumes"]}
        everyone = [*pod["containers"], *pod.get("initContainers", [])]
        assert {mount["name"] for one in everyone for mount in one["volumeMounts"]} == volumes
    for template in (train, proof):
        (daemon,) = template["spec"]["initContainers"]
        assert daemon["restartPolicy"] == "Always"
    assert "initContainers" not in serve["spec"]
    environment = {variable["name"]: variable["value"] for variable in serve["spec"]["containers"][0]["env"]}
    assert environment["NCCL_NET"] == "gIB"
    diagnosis = google.one("v1:Job", "nccl-test-google-tcpx-diag").inputs["spec"]["template"]
    assert "initContainers" not in diagnosis["spec"], "it looks at GPUs, not at the fabric"


@pytest.mark.parametrize(
    ("stack", "names"), [("prod", {"network", "cluster"}), ("local", set())], ids=["prod", "local"]
)
def test_a_stack_with_deletion_protection_protects_its_clusters_and_networks(
    deploy: Callable[..., Any], stack: str, names: set[str]
) -> None:
    recorded = _deployed(deploy, stack)
    found = {(one.type, one.name) for one in recorded.resources if one.protect}
    assert found & set(PROTECTED) == (set(PROTECTED) if names else set())
    others = {(one.type, one.name) for one in recorded.resources} - set(PROTECTED)
    assert not [name for type_, name in found & others if type_ in dict(PROTECTED)]


def test_images_come_from_the_registry_of_the_account_or_project_where_they_run(both: Any) -> None:
    """Nobody writes an account number into a stack file, and one line serves both clouds."""
    found = {
        (kind(r), r.name): container["image"]
        for r in both.resources
        if kind(r) in ("Job", "Deployment", "CronJob")
        for container in _pod(r.inputs)["containers"]
    }
    assert found["Job", "train"] == "asia-south1-docker.pkg.dev/unit-project/own/training:1"
    of_lakes = [found["Job", f"lake-test-{cloud}"] for cloud in ("aws", "gcp")]
    assert of_lakes == [
        "111122223333.dkr.ecr.ap-south-1.amazonaws.com/own/proof:1",
        "asia-south1-docker.pkg.dev/unit-project/own/proof:1",
    ]
    assert not [image for image in found.values() if "{" in image]


def _pod(inputs: dict[str, Any]) -> dict[str, Any]:
    spec = inputs["spec"].get("jobTemplate", inputs)["spec"]
    return spec["template"]["spec"]


def test_the_model_server_is_told_what_the_stack_says(both: Any, deploy: Callable[..., Any]) -> None:
    assert "--max-model-len=16384" in _served(both)["args"]
    config = yaml.safe_load((PROJECT / "Pulumi.dev.yaml").read_text())["config"]
    serving = {
        **config["india-ai-infra:workloads"]["serving"],
        "quantization": "fp8_per_tensor",
        "engineArgs": ["--enable-prefix-caching"],
        "image": "{registry}/own/vllm:1",
    }
    made = _served(_run(deploy, {**config, "india-ai-infra:workloads": {"serving": serving}}))
    assert made["args"][0] == "Qwen/Qwen3-8B"
    assert made["args"][-3:] == [
        "--max-model-len=16384",
        "--quantization=fp8_per_tensor",
        "--enable-prefix-caching",
    ]
    assert made["image"] == "111122223333.dkr.ecr.ap-south-1.amazonaws.com/own/vllm:1"


def _served(recorded: Any) -> dict[str, Any]:
    return _pod(recorded.one("Deployment", "serve").inputs)["containers"][0]


def test_a_model_that_nobody_could_check_is_told(
    deploy: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", told.append)
    run_anew(deploy, GOOGLE_STACK)
    assert [line for line in told if "workloads.serving" in line and "make advise" in line]


def test_no_update_waits_for_the_proof_of_a_pool_that_grows_from_zero(
    deploy: Callable[..., Any],
) -> None:
    """Nor does the training job of such a pool: the cloud may be out of its machines."""
    config = yaml.safe_load((PROJECT / "Pulumi.prod.yaml").read_text())["config"]
    prod = _run(deploy, config)
    pools = [
        pool for cloud in ("aws", "gcp") for pool in config[f"india-ai-infra:{cloud}"]["cluster"]["pools"]
    ]
    elastic = {f"nccl-test-{pool['name']}" for pool in pools if pool.get("elastic")}
    assert (
        elastic
        == set(prod.of("CronJob"))
        == {
            "nccl-test-train",
            "nccl-test-google-train",
            "nccl-test-google-pretrain",
        }
    )
    assert {name for name in prod.of("v1:Job") if name.startswith("nccl-test")} == set()
    templates = {r.urn for r in prod.of("CronJob").values()}
    assert not templates & Order(prod).needs(prod.one("Job", "train"))


@pytest.mark.parametrize(
    ("stack", "awaited"),
    [("prod", {"serve"}), ("dev", {"serve"}), ("local", set())],
    ids=["prod", "dev", "local"],
)
def test_updates_wait_for_workloads_whose_nodes_are_sure_to_come(
    deploy: Callable[..., Any], stack: str, awaited: set[str]
) -> None:
    """prod serves on demand and dev on spot with a way out; what is on spot alone is done when it is made."""
    made = _deployed(deploy, stack)
    workloads = {
        r.name: (r.inputs["metadata"].get("annotations") or {}).get("pulumi.com/waitFor", "its own rule")
        for r in made.resources
        if kind(r) in ("Job", "Deployment") and r.name in ("train", "serve")
    }
    assert workloads
    assert {name for name, waits in workloads.items() if waits != WHEN_MADE["pulumi.com/waitFor"]} == awaited


def test_a_pool_that_stands_on_spot_is_told(
    deploy: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not refused: how steady the market of a machine is, its owner knows."""
    told: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", told.append)
    run_anew(deploy, config_of("local"))
    assert [line.partition(":")[0] for line in told] == [
        "aws.audit.alertEmails[0]",
        "pool fabric stands on spot",
    ]
