"""Sets weights to zero: the smallest, or the two smallest of each four, which GPUs from Ampere on multiply at twice the
speed. The files keep their size: zeros are stored as any weight."""

from __future__ import annotations

from typing import Any

from torch.ao.pruning import WeightNormSparsifier
from torch.nn.utils import prune

from workloads.compression.programs.layers import linears
from workloads.training.trainer.recipe import RecipeError


def magnitude(model: Any, sparsity: float) -> None:
    """The smallest weights of each matrix become zero."""
    for layer in linears(model).values():
        prune.l1_unstructured(layer, "weight", amount=sparsity)
        prune.remove(layer, "weight")


def two_of_four(model: Any) -> None:
    """Of each four neighbours in a row the two smallest become zero."""
    layers = linears(model)
    for name, layer in layers.items():
        if layer.in_features % 4:
            raise RecipeError(f"2:4 needs rows of a multiple of 4, and {name} has {layer.in_features}")
    sparsifier = WeightNormSparsifier(sparsity_level=1.0, sparse_block_shape=(1, 4), zeros_per_block=2)
    sparsifier.prepare(model, config=[{"tensor_fqn": f"{name}.weight"} for name in layers])
    sparsifier.step()
    sparsifier.squash_mask()
