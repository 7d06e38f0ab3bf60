"""What tests of compression share: its environment, a tiny model that has learnt three languages, and jobs on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from localcloud.environments import environment
from tests.workloads import languages
from tests.workloads.forks import Ended, Forks
from workloads.compression.package import ROOT, files

MAIN = "workloads.compression.programs.__main__"
METHODS = ["calibrated", "distil", "prune", "quantise"]
TRAIN = """
import sys
import torch
from transformers import LlamaConfig, LlamaForCausalLM
from workloads.training.trainer.tokens import byte_tokenizer
texts, target, width, steps, layers = sys.argv[1:]
torch.manual_seed(0)
width = int(width)
config = LlamaConfig(vocab_size=264, hidden_size=width, intermediate_size=2 * width, num_hidden_layers=int(layers),
    num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=256, use_cache=False,
    tie_word_embeddings=False)
model = LlamaForCausalLM(config)
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
data = torch.tensor(list(open(texts, "rb").read()))
for _ in range(int(steps)):
    begins = torch.randint(0, len(data) - 65, (8,))
    batch = torch.stack([data[begin : begin + 64] for begin in begins])
    model(input_ids=batch, labels=batch).loss.backward()
    optimizer.step()
    optimizer.zero_grad()
model.save_pretrained(target)
byte_tokenizer().save_pretrained(target)
open(target + "/README.md", "w").write("---\\nlicense: apache-2.0\\n---\\n# Tiny\\n")
open(target + "/LICENSE", "w").write("Apache License")
print("null")
"""


def pod(folder: Path) -> Path:
    """The program's files as they lie in a pod, and no others."""
    for path, text in files().items():
        (file := folder / path).parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


@dataclass(frozen=True)
class Bench:
    """A folder with `source`, a trained model, `small`, one that knows nothing, `held` and `texts`."""

    forks: Forks
    folder: Path

    def compress(self, target: Path | str, **job: Any) -> Ended:
        """Does a job on the source, with generous gates unless it says others."""
        plain = {
            "source": str(self.folder / "source"),
            "target": str(target),
            "held": str(self.folder / "held"),
            "sequenceLength": 64,
            "groupSize": 32,
            "gate": {"maxPerplexityIncrease": 0.25, "minAgreement": 0.9},
        }
        (file := self.folder / "job.json").write_text(json.dumps({**plain, **job}))
        return self.forks.main(MAIN, "--job", str(file))

    def published(self, target: Path, **job: Any) -> dict[str, Any]:
        """The card of what a job published."""
        ended = self.compress(target, **job)
        assert ended.code == 0, ended.errors
        return json.loads((target / "card.json").read_text())


def bench_in(forks: Forks, folder: Path) -> Bench:
    """Trains the models and writes the texts."""
    for name in ("held", "texts"):
        (folder / name).mkdir()
    for language, (learnt, held) in languages.texts().items():
        (folder / "held" / f"{language}.txt").write_text(held)
        (folder / "texts" / f"{language}.txt").write_text(learnt)
    (folder / "all.txt").write_text("".join(learnt for learnt, _ in languages.texts().values()))
    forks.script(TRAIN, str(folder / "all.txt"), str(folder / "source"), "64", "250", "2")
    forks.script(TRAIN, str(folder / "all.txt"), str(folder / "small"), "32", "20", "2")
    return Bench(forks, folder)


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """The compression environment, with the program's files as in a pod."""
    python = environment(ROOT / "workloads/compression/requirements.txt")
    modules = [MAIN, *(f"workloads.compression.programs.{name}" for name in METHODS[1:])]
    folder = tmp_path_factory.mktemp("compression")
    started = Forks(
        python, pod(folder / "pod"), [*modules, "transformers.models.llama.modeling_llama"], folder
    )
    yield started
    started.close()


@pytest.fixture(scope="session")
def bench(forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Models and texts that no test changes."""
    return bench_in(forks, tmp_path_factory.mktemp("models"))
