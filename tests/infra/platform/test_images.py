"""The charts' images: a table that is whole, and values that leave none of them on an upstream that has a mirror."""

import pulumi
import pytest

from commands import images as command
from infra.aws import registry as ecr
from infra.contracts.images import Image, from_mirror
from infra.contracts.needs import Chart, WorkloadNeeds
from infra.gcp import registry as artifact_registry
from infra.platform import Platform, PlatformArgs
from infra.platform.charts import charts
from infra.platform.images import images
from tests.infra.platform.gpu_cluster import PROFILES, SERVE, TRAIN, CloudThing, gpu_cluster
from tests.workloads.registered import NEEDS
from workloads.workload import Workload

ON_PREMISES = {"cilium"}
MIRRORS = {name: f"mirror.example/{name}" for name in (*ecr.UPSTREAMS, ecr.EKS_ADDONS)}


def releases(deploy, cloud, registries):
    def program():
        args = PlatformArgs(
            profile=PROFILES[cloud],
            cluster=gpu_cluster(*([SERVE, TRAIN] if cloud == "aws" else [SERVE]), cloud=cloud),
            cluster_name="mumbai",
            https_cidrs=["10.0.0.0/16"],
            workloads=NEEDS,
            registries=registries,
            controllers_depend_on=[CloudThing("nodes")],
        )
        return Platform("platform", args).ready

    found = deploy(program).of("helm.sh/v3:Release")
    return {name: release.inputs["values"] for name, release in found.items()}


def at(values, path):
    for step in path.split("."):
        values = values.get(step, {})
    return values


def test_every_chart_has_its_images():
    assert set(images()) == set(charts()) - ON_PREMISES
    for found in images().values():
        for image in found:
            assert image.rest.rpartition(":")[2], f"{image.name} has no version"


@pytest.mark.parametrize("cloud", ["aws", "gcp"])
def test_the_charts_of_a_cloud_are_those_that_are_said_to_be_for_it(deploy, cloud):
    said = {chart.name for chart in charts().values() if chart.cloud in (None, cloud)}
    assert set(releases(deploy, cloud, {})) == said - ON_PREMISES


@pytest.mark.parametrize("cloud", ["aws", "gcp"])
def test_every_image_comes_from_the_mirror_of_its_upstream(deploy, cloud):
    for chart, values in releases(deploy, cloud, MIRRORS).items():
        for image in images()[chart]:
            said = at(values, image.at) + image.rest
            assert said == f"mirror.example/{image.name}", chart


@pytest.mark.slow
def test_an_upstream_without_a_mirror_stays_and_takes_no_other_value_with_it(deploy):
    plain = releases(deploy, "aws", {})
    some = releases(deploy, "aws", {"quay.io": pulumi.Output.from_input("mirror.example/q")})
    for chart, values in some.items():
        mirrored = {image.at for image in images()[chart] if image.upstream == "quay.io"}
        for image in images()[chart]:
            assert at(values, image.at) == ("mirror.example/q" if image.at in mirrored else {}), image.name
        assert mirrored or values == plain[chart]
    assert at(some["kube-prometheus-stack"], "prometheus.prometheusSpec.retention") == "15d"


def test_both_clouds_know_every_upstream_of_their_charts():
    def upstreams(cloud):
        on = [chart.name for chart in charts().values() if chart.cloud in (None, cloud)]
        return {image.upstream for chart in on for image in images().get(chart, ())}

    assert upstreams("aws") == {*ecr.UPSTREAMS, ecr.EKS_ADDONS}
    assert upstreams("gcp") == set(artifact_registry.UPSTREAMS)


@pytest.mark.parametrize(
    ("reference", "pulled"),
    [
        ("vllm/vllm-openai:v0.33.0", "mirror.example/docker.io/vllm/vllm-openai:v0.33.0"),
        ("python:3.13", "mirror.example/docker.io/library/python:3.13"),
        ("docker.io/vllm/vllm-openai:v0.33.0", "mirror.example/docker.io/vllm/vllm-openai:v0.33.0"),
        ("nvcr.io/nvidia/cloud-native/dcgm:4.5.3", "mirror.example/nvcr.io/nvidia/cloud-native/dcgm:4.5.3"),
        ("registry.example.in:5000/team/vllm:1", "registry.example.in:5000/team/vllm:1"),
        (
            "1.dkr.ecr.ap-south-1.amazonaws.com/a/b@sha256:00",
            "1.dkr.ecr.ap-south-1.amazonaws.com/a/b@sha256:00",
        ),
    ],
)
def test_a_workloads_image_comes_from_its_upstreams_mirror(deploy, reference, pulled):
    assert deploy(lambda: from_mirror(reference, MIRRORS)).result == pulled
    assert from_mirror(reference, {}) == reference, "without a mirror it stays as it is named"


def test_make_images_names_the_images_of_charts_that_workloads_bring(monkeypatch, capsys):
    def brought(name, upstream, **of):
        image = Image("image.registry", upstream, f"/team/{name}:1")
        return Chart(
            name, f"oci://example.org/{name}", "1.0.0", "training", "example.org", images=(image,), **of
        )

    mine = brought("mine", "quay.io")
    googles = brought("googles", "quay.io", cloud="gcp")
    elsewhere = WorkloadNeeds(
        "elsewhere", charts=(brought("far", "quay.io"),), runs_on=frozenset({"gcp"}), always=True
    )
    unasked = WorkloadNeeds("unasked", charts=(brought("never", "quay.io"),))
    needs = (WorkloadNeeds("ours", charts=(mine, googles), always=True), elsewhere, unasked)
    rows = [Workload(each, lambda _settings, _sites: None) for each in needs]
    monkeypatch.setattr(command, "WORKLOADS", (*command.WORKLOADS, *rows))
    command.images("prod")
    on_aws, on_google = capsys.readouterr().out.split("gcp asia-south1: pulled in the region")
    assert "team/mine:1" in on_aws
    assert "team/mine:1" in on_google and "team/googles:1" in on_google and "team/far:1" in on_google
    assert not any(f"team/{name}:1" in on_aws for name in ("googles", "far", "never"))
    assert "team/never:1" not in on_google
