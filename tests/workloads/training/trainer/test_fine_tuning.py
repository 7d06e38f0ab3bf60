"""Supervised and preference training on TRL, stopped by one rank and resumed."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.workloads.training.trainer.conftest import Ranks

pytestmark = pytest.mark.slow

QUESTIONS = [(f"What is {at} and {at}?", f"It is {2 * at}.") for at in range(40)]
ROWS: dict[str, list[dict[str, Any]]] = {
    "supervised": [{"prompt": question, "completion": answer} for question, answer in QUESTIONS],
    "preference": [
        {"prompt": question, "chosen": answer, "rejected": "No."} for question, answer in QUESTIONS
    ],
}


def write(folder: Path, rows: list[dict[str, Any]]) -> str:
    folder.mkdir()
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(folder)


def changes(tmp_path: Path, loss: str, **more: Any) -> dict[str, Any]:
    uri = write(tmp_path / "rows", ROWS[loss])
    return {"loss": loss, "batch": 4, "data": {"uri": uri, "sequenceLength": 64}, **more}


@pytest.mark.parametrize("loss", ["supervised", "preference"])
def test_one_rank_stops_all_and_the_job_goes_on_with_the_same_losses(
    ranks: Ranks, tmp_path: Path, loss: str
) -> None:
    recipe = changes(tmp_path, loss, model={"adapter": {"rank": 4}})
    whole = ranks.train(tmp_path / "whole", 2, **recipe)
    assert sorted(whole.losses) == list(range(1, 13))
    assert whole.losses[12] < whole.losses[1]
    running = ranks.start(tmp_path / "parts", 2, **recipe)
    running.wait_for("\nstep=3/")
    running.kill(1, signal.SIGTERM)
    first = running.end()
    assert first.codes == [75, 75], first.output
    last = ranks.train(tmp_path / "parts", 2, **recipe)
    assert last.events("resumed") == first.events("stopped")
    assert min(last.losses) == max(first.losses) + 1
    assert first.losses | last.losses == pytest.approx(whole.losses, abs=1e-3)


EXPORTS = """
import json, sys
import torch
from peft import PeftModel
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer
from trainer import models
from trainer.export import main
recipe, checkpoints, to = sys.argv[1:]
plain = json.load(open(recipe))
del plain["model"]
json.dump(plain, open(recipe + "-plain", "w"))
given = ["--checkpoint-uri", checkpoints, "--to"]
codes = [
    main(["--recipe", recipe, *given, to + "/merged"]),
    main(["--recipe", recipe, *given, to + "/adapter", "--adapter"]),
    main(["--recipe", recipe + "-plain", *given, to + "/none", "--adapter"]),
]
tokens = AutoTokenizer.from_pretrained(to + "/merged")("What is 3 and 3?", return_tensors="pt")["input_ids"]
models.tiny(0).save_pretrained(to + "/base")
def logits(model):
    return model.eval()(tokens).logits
base = AutoModelForCausalLM.from_pretrained(to + "/base")
untrained = logits(base)
merged = logits(AutoModelForCausalLM.from_pretrained(to + "/merged"))
beside = logits(PeftModel.from_pretrained(base, to + "/adapter"))
with safe_open(to + "/adapter/adapter_model.safetensors", "pt") as file:
    lora = all("lora_" in name for name in file.keys())
print(json.dumps({"codes": codes, "lora alone": lora, "same": torch.allclose(merged, beside, atol=1e-5),
    "trained": not torch.allclose(merged, untrained, atol=1e-3),
    "base": json.load(open(to + "/adapter/adapter_config.json"))["base_model_name_or_path"]}))
"""


def test_an_adapter_is_exported_apart_and_merged_with_the_same_logits(ranks: Ranks, tmp_path: Path) -> None:
    recipe = changes(tmp_path, "supervised", model={"adapter": {"rank": 4}}, steps=3)
    recipe["optimizer"] = {"learningRate": 0.03, "warmupSteps": 0}
    ranks.train(tmp_path / "c", 1, **recipe)
    (file := tmp_path / "recipe.json").write_text(json.dumps(recipe))
    printed = json.loads(
        ranks.script(EXPORTS, str(file), str(tmp_path / "c"), str(tmp_path)).splitlines()[-1]
    )
    assert printed == {"codes": [0, 0, 64], "lora alone": True, "same": True, "trained": True, "base": "tiny"}
    other = ranks.run(tmp_path / "c", 1, **{**recipe, "model": {"adapter": {"rank": 8}}})
    assert other.codes == [64]
    assert "is a checkpoint of another model (llama" in other.output


def test_rows_of_another_loss_are_refused(ranks: Ranks, tmp_path: Path) -> None:
    recipe = changes(tmp_path, "supervised")
    ended = ranks.run(tmp_path / "c", 2, **{**recipe, "loss": "preference"})
    assert ended.codes == [64, 64]
    assert (
        'has the columns prompt, completion; "preference" needs chosen and prompt and rejected'
        in ended.output
    )
