"""Node images with what fits together on them: Kubernetes, GPU driver, the newest CUDA it runs, the GPU Operator.

The driver is in the image (the GPU Operator installs none), so an image release decides which containers run: one of a
newer major version of CUDA does not start, and of the same major version all do (CUDA's minor version compatibility).
"""

from __future__ import annotations

from functools import cache
from typing import Literal

from pydantic import Field

from infra.catalog.tables import DATA, Basis, CatalogError, Row, read


class ImageRow(Row):
    """One image release. `driver` is NVIDIA's branch (`580`), `cuda` the newest CUDA that it knows, `gpu_operator` the
    chart's version that was chosen for it."""

    cloud: Literal["aws", "gcp"]
    kubernetes: str = Field(pattern=r"^\d+\.\d+$")
    image: str = Field(min_length=1)
    gpu_operator: str
    driver: str = Field(pattern=r"^\d{3}$")
    cuda: str = Field(pattern=r"^\d+\.\d+$")
    basis: Basis


@cache
def images() -> tuple[ImageRow, ...]:
    """The rows of images.csv."""
    return tuple(read(DATA / "images.csv", ImageRow))


def image(cloud: str, kubernetes: str) -> ImageRow:
    """What runs on a cloud's nodes of a Kubernetes version.

    Raises:
        CatalogError: no row; names those that there are.
    """
    for row in images():
        if (row.cloud, row.kubernetes) == (cloud, kubernetes):
            return row
    known = ", ".join(f"{row.cloud} {row.kubernetes}" for row in images())
    raise CatalogError(f"images.csv has no {cloud} image for Kubernetes {kubernetes}: there are {known}")
