"""What each GPU can do: memory, bandwidth, tensor rates and links, of those in the machine catalogue and on desks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Literal

from pydantic import Field

from infra.catalog.tables import DATA, CatalogError, Row, read
from infra.spelling import nearest


class Gpu(Row):
    """One kind of GPU, named as in the machine catalogue; `where` is desk for cards that no cloud in India rents out.

    `memory_gib` is what the driver reports, and what memory is counted by; `nominal_gb` is what NVIDIA's data sheet
    says, and the name of the card's class. `capability` is CUDA's compute capability without its point: an L4 has 8.9,
    which is 89 (developer.nvidia.com/cuda-gpus; an A10G is an A10 there). Rates are dense (NVIDIA prints sparse ones,
    twice as high): `bf16_tflops` accumulates in fp32, and is that of `half`, the 16-bit type that the card has. `link`
    joins the GPUs of one machine; `link_gbs` is GB/s in one direction.
    """

    name: str = Field(min_length=1)
    where: Literal["cloud", "desk"]
    nominal_gb: int = Field(gt=0)
    memory_gib: float = Field(gt=0)
    capability: int = Field(gt=0)
    half: Literal["bf16", "fp16"]
    bandwidth_gbs: float = Field(gt=0)
    bf16_tflops: float = Field(gt=0)
    int8_tops: float = Field(gt=0)
    link: Literal["PCIe", "NVLink", "NVSwitch"]
    link_gbs: float = Field(gt=0)
    basis: Literal["observed", "derived"]

    def holds(self, gib: float) -> bool:
        """Whether it has so much memory: by its driver, or by its class where `gib` is the nominal size of a card.

        24 asks for a 24 GB card, whose driver reports 22.5 GiB; 23 is nobody's nominal size, and means 23 GiB.
        """
        return self.memory_gib >= gib or (gib in nominal_sizes() and self.nominal_gb >= gib)


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


@cache
def nominal_sizes() -> frozenset[int]:
    """The sizes in GB by which cards are sold: 16, 24, 40, 48, 80 and so on."""
    return frozenset(found.nominal_gb for found in gpus().values())


def memory_of(name: str, count: int, reported_gib: float) -> float:
    """GiB of one GPU of a machine: the driver's figure for a whole GPU, one and the same on every cloud.

    Clouds print the driver's figure, the nominal size, or one after the other. What the cloud reports counts only for a
    fraction of a GPU (`count` 0), and for a kind that `gpus.csv` lacks.
    """
    known = gpus().get(name)
    return known.memory_gib if known and count else reported_gib
