"""How much of the original a compressed model keeps, on texts that neither was trained on, each language for itself."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import fsspec
import torch

from workloads.compression.programs.job import Gate
from workloads.training.trainer.prepare import ENDINGS, read_texts, sources
from workloads.training.trainer.publication import refusals
from workloads.training.trainer.recipe import RecipeError
from workloads.training.trainer.tokens import Encoder

# With fewer tokens the numbers say nothing: a share of 0.9 is then known to no better than 0.03.
LEAST_TOKENS = 500


@dataclass(frozen=True)
class Quality:
    """Of one language: perplexity of both models, and the share of tokens for which their first choice is the same."""

    tokens: int
    before: float
    after: float
    agreement: float

    @property
    def increase(self) -> float:
        """Of the perplexity, as a share."""
        return self.after / self.before - 1


def held(uri: str, tokens: Encoder, length: int) -> dict[str, torch.Tensor]:
    """Rows of `length` tokens by language. RecipeError names the language that has too few."""
    with refusals(uri):
        files, root = fsspec.core.url_to_fs(uri.rstrip("/"))
        paths = sorted(path for path in sources(files, root) if path.endswith(ENDINGS))
    found: dict[str, torch.Tensor] = {}
    for path in paths:
        name = path.rpartition("/")[2]
        rows_ = rows(f"{uri.rstrip('/')}/{name}", tokens, length)
        if rows_.numel() < LEAST_TOKENS:
            raise RecipeError(f"held {uri}: {name} has {rows_.numel()} tokens: give at least {LEAST_TOKENS}")
        found[name.partition(".")[0]] = rows_
    if not found:
        raise RecipeError(f"held {uri} holds no text: give a file a language, such as hi.txt, ta.txt, en.txt")
    return found


def rows(uri: str, tokens: Encoder, length: int) -> torch.Tensor:
    """The tokens of all texts under `uri`, an end after each, in rows of `length`; what is left is dropped."""
    joined: list[int] = []
    for texts in read_texts(uri, "text"):
        for encoded in tokens.encode(texts):
            joined += [*encoded, tokens.end]
    whole = len(joined) // length * length
    return torch.tensor(joined[:whole], dtype=torch.long).reshape(-1, length)


@torch.inference_mode()
def compare(original: Any, compressed: Any, texts: Mapping[str, torch.Tensor]) -> dict[str, Quality]:
    """Both models on each language."""
    return {language: _compare(original, compressed, rows_) for language, rows_ in texts.items()}


def lost(found: Mapping[str, Quality], gate: Gate) -> list[str]:
    """What the gate refuses, a sentence each; a number that is none counts as lost."""
    return list(_lost(found, gate))


def _lost(found: Mapping[str, Quality], gate: Gate) -> Iterator[str]:
    for language, quality in found.items():
        if not quality.increase <= gate.max_perplexity_increase:
            yield (
                f"{language}: perplexity rises from {quality.before:.3g} to {quality.after:.3g}, by "
                f"{quality.increase:.1%}; gate.maxPerplexityIncrease allows {gate.max_perplexity_increase:.1%}"
            )
        if not quality.agreement >= gate.min_agreement:
            yield (
                f"{language}: the first choice stays for {quality.agreement:.1%} of the tokens; gate.minAgreement asks "
                f"for {gate.min_agreement:.1%}"
            )


def _compare(original: Any, compressed: Any, rows_: torch.Tensor) -> Quality:
    before = after = same = count = 0.0
    for row in rows_:
        batch = row[None].to(original.device)
        target = batch[:, 1:]
        first, second = (_predictions(model, batch) for model in (original, compressed))
        before, after = before + _loss(first, target), after + _loss(second, target)
        same += float((first.argmax(-1) == second.argmax(-1)).sum())
        count += target.numel()
    return Quality(int(count), _perplexity(before / count), _perplexity(after / count), same / count)


def _predictions(model: Any, batch: torch.Tensor) -> torch.Tensor:
    return model(input_ids=batch).logits[:, :-1].float()


def _loss(logits: torch.Tensor, target: torch.Tensor) -> float:
    return float(torch.nn.functional.cross_entropy(logits.transpose(1, 2), target, reduction="sum"))


def _perplexity(loss: float) -> float:
    # exp() of a loss over 709 is more than a float holds.
    return math.exp(loss) if loss < 700 else math.inf
