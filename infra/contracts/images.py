"""Container images by their registry, and the same ones in a mirror of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

DOCKER_HUB = "docker.io"

Registries = Mapping[str, pulumi.Input[str]]


@dataclass(frozen=True)
class Image:
    """An image that a chart runs: the chart's value at the path `at` is `value`, and the image that and `rest`."""

    at: str
    value: str
    rest: str

    @property
    def name(self) -> str:
        """The image's full name: the chart's value, and what the chart puts after it."""
        return self.value + self.rest

    @property
    def upstream(self) -> str:
        """The registry that the chart names."""
        return self.value.partition("/")[0]

    def under(self, mirror: str) -> str:
        """The same image in a mirror of its upstream."""
        return mirror + self.name.removeprefix(self.upstream)


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
