"""What each GPU can do: memory, bandwidth, tensor rates and links, of those in the machine catalogue and on desks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Literal

from pydantic import Field

from infra.catalog.tables import DATA, CatalogError, Row, read
from infra.settings.errors import nearest


class Gpu(Row):
    """One kind of GPU, named as in the machine catalogue; `where` is desk for cards that no cloud in India rents out.

    `memory_gib` is what the driver reports, not what the box says. Rates are dense (NVIDIA prints sparse ones, twice as
    high): `bf16_tflops` accumulates in fp32, and is that of `half`, the 16-bit type that the card has. `link` joins the
    GPUs of one machine; `link_gbs` is GB/s in one direction.
    """

    name: str = Field(min_length=1)
    where: Literal["cloud", "desk"]
    memory_gib: float = Field(gt=0)
    half: Literal["bf16", "fp16"]
    bandwidth_gbs: float = Field(gt=0)
    bf16_tflops: float = Field(gt=0)
    int8_tops: float = Field(gt=0)
    link: Literal["PCIe", "NVLink", "NVSwitch"]
    link_gbs: float = Field(gt=0)
    basis: Literal["observed", "derived"]


def gpu(name: str) -> Gpu:
    """The GPU of that name.

    Raises:
        CatalogError: there is none; names the nearest.
    """
    if name in gpus():
        return gpus()[name]
    near = nearest(name, gpus())
    raise CatalogError(f"no GPU is called {name}" + (f"; the nearest is {near}" if near else ""))


@cache
def gpus() -> Mapping[str, Gpu]:
    """Every GPU by name, in the order of the table."""
    return {found.name: found for found in read(DATA / "gpus.csv", Gpu)}
