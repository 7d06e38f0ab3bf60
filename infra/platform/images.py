"""The table of the charts' images (images.yaml), and the values that let each come from its upstream's mirror."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pulumi
import yaml

from infra.contracts.images import Image, Registries

Values = dict[str, Any]


@cache
def images() -> Mapping[str, Sequence[Image]]:
    """Every image of images.yaml, by chart."""
    table = yaml.safe_load(Path(__file__).with_name("images.yaml").read_text())
    return {chart: tuple(Image(**row) for row in rows) for chart, rows in table.items()}


def from_mirrors(found: Sequence[Image], values: Values, registries: Registries) -> Values:
    """A chart's `values`, with each of its images whose upstream has a mirror (`registries`, by upstream) from
    there."""
    for image in found:
        if image.upstream in registries:
            path = image.value.removeprefix(image.upstream)
            reference = pulumi.Output.concat(registries[image.upstream], path)
            values = _with(values, image.at.split("."), reference)
    return values


def _with(values: Values, path: Sequence[str], reference: pulumi.Output[str]) -> Values:
    first, *rest = path
    return {**values, first: _with(values.get(first, {}), rest, reference) if rest else reference}
