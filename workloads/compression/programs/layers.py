"""The matrices of a model that are made smaller."""

from __future__ import annotations

from typing import Any

import torch

from workloads.training.trainer.recipe import RecipeError


def linears(model: Any) -> dict[str, torch.nn.Linear]:
    """The matrices of the layers, by name; not what turns tokens into vectors and back."""
    ends = {id(model.get_input_embeddings()), id(model.get_output_embeddings())}
    named = model.named_modules()
    return {name: one for name, one in named if isinstance(one, torch.nn.Linear) and id(one) not in ends}


def zeros(model: Any) -> float:
    """The share of the layers' weights that are zero."""
    weights = [layer.weight for layer in linears(model).values()]
    return sum(int((weight == 0).sum()) for weight in weights) / sum(weight.numel() for weight in weights)


def check_group(group_size: int, name: str, length: int) -> None:
    """RecipeError unless rows of that length are whole groups."""
    if length % group_size == 0:
        return
    fitting = max(size for size in range(1, group_size + 1) if length % size == 0)
    raise RecipeError(
        f"groupSize {group_size} does not divide the {length} weights of a row of {name}: give {fitting}"
    )
