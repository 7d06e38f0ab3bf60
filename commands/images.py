"""The command `make images`: every image that a stack runs and did not build, from where nodes pull it, and what is to
be copied."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from infra.aws import registry as ecr
from infra.contracts.images import Image, of_workload
from infra.contracts.needs import WorkloadNeeds, on
from infra.gcp import registry as artifact_registry
from infra.platform import images as upstream
from infra.platform.charts import charts
from infra.settings import reading
from infra.settings.aws import Aws
from infra.settings.gcp import Gcp
from infra.settings.workloads import Workloads
from infra.settings.workloads.workload import OWN_REGISTRY
from infra.stacks import PROJECT, file_of, settings_in
from workloads.registry import WORKLOADS, needs_of

ACCOUNT = "$ACCOUNT"  # settings don't know it; the shell that copies does


@dataclass(frozen=True)
class Pull:
    """An image, its place in the region (None: it has none), whether nodes pull it there, and whether it gets there by
    itself."""

    image: Image
    at_home: str | None
    mirrored: bool
    fetched: bool


def images(stack: Annotated[str, typer.Option(help="which Pulumi.<stack>.yaml")] = "local") -> None:
    """From where nodes pull the images of the charts, and the commands that copy what no mirror fetches."""
    stack_settings = reading.parse(settings_in(file_of(stack)))
    needs = needs_of(stack_settings, WORKLOADS)
    named = [of_workload(reference) for reference in _named(stack_settings.workloads)]
    if stack_settings.aws:
        here = {"aws", "onPremises"} if stack_settings.on_premises else {"aws"}
        found = [*_of_charts("aws", on(here, needs)), *named]
        _show(f"aws {stack_settings.aws.region}", list(_on_aws(stack_settings.aws, stack, found)))
    if stack_settings.gcp:
        found = [*_of_charts("gcp", on({"gcp"}, needs)), *named]
        _show(f"gcp {stack_settings.gcp.region}", list(_on_google(stack_settings.gcp, stack, found)))


def _named(asked: Workloads) -> list[str]:
    """The images of the workloads that are not in the stack's own registry. A stack on both clouds may run only some of
    them on either."""
    defaults = {each.needs.name: each.needs.default_image for each in WORKLOADS}
    named = [
        image
        for name, workload in asked.chosen.items()
        for image in ({"image": defaults[name]} | workload.images).values()
    ]
    return [image for image in named if image and "/" in image and not image.startswith(OWN_REGISTRY)]


def _show(title: str, pulls: list[Pull]) -> None:
    if at_home := [pull.at_home for pull in pulls if pull.mirrored]:
        print(f"{title}: pulled in the region")
        print(*(f"  {name}" for name in at_home), sep="\n")
    if abroad := [pull.image.name for pull in pulls if not pull.mirrored]:
        print(f"{title}: pulled across the border, see docs/registries.md")
        print(*(f"  {name}" for name in abroad), sep="\n")
    if by_hand := [pull for pull in pulls if pull.at_home and not pull.fetched]:
        print(f"{title}: copied by hand")
        print(*(f"  crane copy {pull.image.name} {pull.at_home}" for pull in by_hand), sep="\n")


def _on_aws(cloud: Aws, stack: str, images: Sequence[Image]) -> Iterator[Pull]:
    asked, found = cloud.registries, ecr.mirrored(cloud.registries)
    fabric = any(pool.fabric == "efa" for pool in cloud.cluster.pools)
    for image in images:
        if upstream := ecr.UPSTREAMS.get(image.upstream):
            mirror = ACCOUNT + ecr.address(cloud.region, stack, upstream)
            at_home = image.under(mirror) if asked.mirror else None
            yield Pull(image, at_home, image.upstream in found, upstream.pulled_through(asked))
        elif image.upstream == ecr.EKS_ADDONS and fabric:
            yield Pull(image, image.under(ecr.ADDON_REGISTRIES[cloud.region]), mirrored=True, fetched=True)


def _on_google(cloud: Gcp, stack: str, images: Sequence[Image]) -> Iterator[Pull]:
    found, about = artifact_registry.mirrored(cloud.registries), f"{PROJECT}-{stack}-gcp"
    for image in images:
        mirror = artifact_registry.address(cloud.project, cloud.region, about, image.upstream)
        has = image.upstream in found
        yield Pull(image, image.under(mirror) if has else None, has, has)


def _of_charts(cloud: str, needs: Iterable[WorkloadNeeds]) -> Iterator[Image]:
    """Each image once, of the charts that are installed on a cloud: the platform's own, and those that workloads
    bring."""
    own = [(chart, upstream.images().get(name, ())) for name, chart in charts().items()]
    brought = [(chart, chart.images) for each in needs for chart in each.charts]
    found = (image for chart, ran in (*own, *brought) if chart.cloud in (None, cloud) for image in ran)
    yield from {image.name: image for image in found}.values()
