# pyright: reportMissingImports=false
"""Size and seconds of INT8 and INT4 on a model of random weights, whose speed is that of a trained one of its shape.

Run by the Python of the compression environment. Prints JSON.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM
from transformers.utils import logging

from workloads.compression.programs import quantise
from workloads.compression.programs.latency import machine, seconds
from workloads.compression.programs.source import Source, read, weight_bytes
from workloads.training.trainer.tokens import byte_tokenizer

ROUNDS, PROMPT = 9, 128
METHODS: dict[str, Callable[[Source, Path], None]] = {
    "int8-weight-only": quantise.int8_weight_only,
    "int8-dynamic": quantise.int8_dynamic,
    "int4, groups of 128": lambda source, result: quantise.int4(source, result, 128),
}


def model() -> Any:
    """Six layers of 512: matrices large enough that their product is what takes the time."""
    torch.manual_seed(0)
    shape = {"hidden_size": 512, "intermediate_size": 1536, "num_hidden_layers": 6, "num_attention_heads": 8}
    return LlamaForCausalLM(LlamaConfig(vocab_size=264, use_cache=False, tie_word_embeddings=False, **shape))


def layer_bytes(folder: Path) -> int:
    """Of all weights but those that turn tokens into vectors and back."""
    total = 0
    for path in folder.glob("*.safetensors"):
        with safe_open(path, "pt") as opened:
            for name in opened.keys():  # noqa: SIM118  it is no mapping
                if not name.startswith(("lm_head", "model.embed_tokens")):
                    tensor = opened.get_tensor(name)
                    total += tensor.numel() * tensor.element_size()
    return total


@torch.inference_mode()
def ratios(whole: Any, other: Any, length: int) -> float:
    """The median of seconds to those of the whole model in the same round."""
    batch = torch.zeros(1, length, dtype=torch.long)
    for each in (whole, other):
        each(input_ids=batch)
    rounds = [
        (seconds(lambda: whole(input_ids=batch)), seconds(lambda: other(input_ids=batch)))
        for _ in range(ROUNDS)
    ]
    return statistics.median(after / before for before, after in rounds)


def measure(folder: Path) -> dict[str, Any]:
    """Every method against the model in 32 bits."""
    made = model()
    made.save_pretrained(folder / "source")
    byte_tokenizer().save_pretrained(folder / "source")
    source = read(str(folder / "source"), folder, "source")
    whole = source.load()
    found = {}
    for at, (name, compress) in enumerate(METHODS.items()):
        result = folder / str(at)
        compress(source, result)
        other = AutoModelForCausalLM.from_pretrained(result, dtype="auto").eval()
        found[name] = {
            "bytes": weight_bytes(result) / source.bytes,
            "layers": layer_bytes(result) / layer_bytes(source.folder),
            "prompt": ratios(whole, other, PROMPT),
            "token": ratios(whole, other, 1),
        }
    return {"parameters": made.num_parameters(), "machine": machine(), "methods": found}


if __name__ == "__main__":
    logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as scratch:
        print(json.dumps(measure(Path(scratch))))
