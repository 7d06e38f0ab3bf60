"""The table of the charts' images (images.yaml), and the values that let each come from its upstream's mirror."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pulumi
import yaml

DOCKER_HUB = "docker.io"

Values = dict[str, Any]
Registries = Mapping[str, pulumi.Input[str]]


@dataclass(frozen=True)
class Image:
    """An image that a chart runs: the chart's value at the path `at` is `value`, and the image that and `rest`."""

    at: str
    value: str
    rest: str

    @property
    def name(self) -> str:
        return self.value + self.rest

    @property
    def upstream(self) -> str:
        return self.value.partition("/")[0]

    def under(self, mirror: str) -> str:
        """The same image in a mirror of its upstream."""
        return mirror + self.name.removeprefix(self.upstream)


@cache
def images() -> Mapping[str, Sequence[Image]]:
    """Every image of images.yaml, by chart."""
    table = yaml.safe_load(Path(__file__).with_name("images.yaml").read_text())
    return {chart: tuple(Image(**row) for row in rows) for chart, rows in table.items()}


def from_mirrors(chart: str, values: Values, registries: Registries) -> Values:
    """A chart's `values`, with every image whose upstream has a mirror (`registries`, by upstream) from there."""
    for image in images()[chart]:
        if image.upstream in registries:
            path = image.value.removeprefix(image.upstream)
            said = pulumi.Output.concat(registries[image.upstream], path)
            values = _with(values, image.at.split("."), said)
    return values


def of_workload(reference: str) -> Image:
    """An image that no chart names, with its registry: one without is Docker Hub's."""
    first, slash, rest = reference.partition("/")
    if slash and _is_host(first):
        return Image("", first, f"/{rest}")
    return Image("", DOCKER_HUB, f"/{reference}" if slash else f"/library/{reference}")


def from_mirror(reference: str, registries: Registries) -> pulumi.Input[str]:
    """A workload's image, from its upstream's mirror if it has one."""
    image = of_workload(reference)
    if image.upstream not in registries:
        return reference
    return pulumi.Output.concat(registries[image.upstream], image.rest)


def _is_host(name: str) -> bool:
    """Docker's own rule: the first part of a name is a host if it has a dot or a port, or is localhost."""
    return "." in name or ":" in name or name == "localhost"


def _with(values: Values, path: Sequence[str], said: pulumi.Output[str]) -> Values:
    first, *rest = path
    return {**values, first: _with(values.get(first, {}), rest, said) if rest else said}
