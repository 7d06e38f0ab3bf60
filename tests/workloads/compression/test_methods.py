"""Each method on a tiny model that has learnt three languages: what is left of it, read back from its files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.workloads.compression.conftest import Bench

pytestmark = pytest.mark.slow

READ = """
import json, sys
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
folder = sys.argv[1]
model = AutoModelForCausalLM.from_pretrained(folder).eval()
tokens = AutoTokenizer.from_pretrained(folder)("The train to Pune leaves at", return_tensors="pt")["input_ids"]
said = model.generate(tokens, max_new_tokens=8, do_sample=False, pad_token_id=257)
layers = [one.weight for name, one in model.named_modules() if isinstance(one, torch.nn.Linear) and name != "lm_head"]
quantised = getattr(model.config, "quantization_config", None)
plain = all(type(weight.data) is torch.Tensor for weight in layers)
fours = [(weight.unflatten(-1, (-1, 4)) == 0).sum(-1) for weight in layers] if plain else []
print(json.dumps({
    "said": AutoTokenizer.from_pretrained(folder).decode(said[0, tokens.shape[1]:]),
    "zeros in each four": sorted({int(count) for four in fours for count in four.unique()}),
    "kinds": sorted({type(weight.data).__name__ for weight in layers}),
    "quantised by": quantised and quantised.quant_method.value,
}))
"""


@pytest.mark.parametrize(
    ("method", "bytes_", "agreement", "kind", "by"),
    [
        # A third of this model's weights are what turns bytes into vectors and back, which stay as they are.
        ("int8-weight-only", 0.55, 0.99, "Int8Tensor", "torchao"),
        ("int8-dynamic", 0.55, 0.98, "Int8Tensor", "torchao"),
        ("int4", 0.45, 0.95, "Tensor", "compressed-tensors"),
    ],
)
def test_a_quantised_model_is_smaller_and_says_the_same(
    bench: Bench, tmp_path: Path, method: str, bytes_: float, agreement: float, kind: str, by: str
) -> None:
    card = bench.published(tmp_path / "model", method=method)
    assert card["bytes"] < bytes_ * card["source"]["bytes"]
    assert {language: one["agreement"] >= agreement for language, one in card["quality"].items()} == {
        "en": True,
        "hi": True,
        "ta": True,
    }
    read = bench.forks.script(READ, str(tmp_path / "model"))
    assert read["said"].startswith(" ")
    assert (read["kinds"], read["quantised by"]) == ([kind], by)


def test_of_each_four_weights_two_are_zero(bench: Bench, tmp_path: Path) -> None:
    card = bench.published(
        tmp_path / "model", method="2:4", gate={"maxPerplexityIncrease": 9, "minAgreement": 0}
    )
    assert card["zeros"] == pytest.approx(0.5, abs=1e-3)
    assert bench.forks.script(READ, str(tmp_path / "model"))["zeros in each four"] == [2]


def test_the_smallest_weights_of_each_matrix_are_zero(bench: Bench, tmp_path: Path) -> None:
    card = bench.published(tmp_path / "model", method="magnitude", sparsity=0.3)
    assert card["zeros"] == pytest.approx(0.3, abs=1e-2)
    assert min(one["agreement"] for one in card["quality"].values()) > 0


def test_a_student_is_better_on_held_texts_than_it_began(bench: Bench, tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "student": str(bench.folder / "small"),
        "steps": 150,
        "batch": 8,
        "learningRate": 0.005,
        "alpha": 0.5,
        "temperature": 2,
    }
    gate = {"maxPerplexityIncrease": 3, "minAgreement": 0.5}
    texts = str(bench.folder / "texts")
    card = bench.published(
        tmp_path / "model", method="distillation", distillation=options, texts=texts, gate=gate
    )
    for language, learnt in card["quality"].items():
        start = card["start"][language]
        assert learnt["after"] < start["after"] / 2, language
        assert learnt["agreement"] > start["agreement"] + 0.1, language
    assert card["bytes"] < card["source"]["bytes"] / 2


def test_a_card_says_what_the_model_is(bench: Bench, tmp_path: Path) -> None:
    card = bench.published(tmp_path / "model", method="int8-weight-only")
    page = (tmp_path / "model" / "README.md").read_text()
    assert card["licence"] == "apache-2.0"
    assert page.startswith('---\nlicense: "apache-2.0"\n')
    assert card["source"]["digest"] in page
    assert "| hi |" in page
    assert "| ta |" in page
    assert card["latency"]["machine"] in page
    assert (tmp_path / "model" / "LICENSE").read_text() == "Apache License"
    manifest = json.loads((tmp_path / "model" / "manifest.json").read_text())
    assert {"card.json", "config.json", "model.safetensors", "tokenizer.json"} < set(manifest["files"])
