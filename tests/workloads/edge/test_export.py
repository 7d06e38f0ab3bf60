"""A tiny model as a file of ONNX and of ExecuTorch: the runtimes of phones say what torch says, or it is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localcloud.environments import environment
from tests.workloads import languages
from tests.workloads.compression.conftest import TRAIN
from tests.workloads.forks import Ended, Forks
from workloads.compression.package import ROOT

pytestmark = pytest.mark.slow

EXPORT = "workloads.edge.programs.export"
# What each export would import again.
LIBRARIES = [
    "transformers.models.llama.modeling_llama",
    "torch._dynamo",
    "torch.onnx._internal.exporter._core",
    "onnxruntime.quantization.matmul_nbits_quantizer",
    "executorch.backends.xnnpack.partition.xnnpack_partitioner",
]


@pytest.fixture(scope="module")
def torch_forks(pod: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """The edge environment with torch; and a model that has learnt three languages."""
    folder = tmp_path_factory.mktemp("export")
    python = environment(ROOT / "workloads/edge/requirements.txt")
    started = Forks(python, pod, [EXPORT, *LIBRARIES], folder)
    (folder / "held").mkdir()
    for language, (_, held) in languages.texts().items():
        (folder / "held" / f"{language}.txt").write_text(held)
    (folder / "all.txt").write_text("".join(learnt for learnt, _ in languages.texts().values()))
    started.script(TRAIN, str(folder / "all.txt"), str(folder / "source"), "64", "250", "1")
    yield started
    started.close()


def export(forks: Forks, target: Path, **job: Any) -> Ended:
    folder = forks.folder
    plain = {
        "source": str(folder / "source"),
        "held": str(folder / "held"),
        "target": str(target),
        "length": 64,
    }
    gate = {"maxPerplexityIncrease": 0.2, "minAgreement": 0.9}
    (file := folder / "job.json").write_text(json.dumps({**plain, "gate": gate, **job}))
    return forks.main(EXPORT, "--job", str(file))


@pytest.mark.parametrize(("format_", "bits"), [("onnx", 32), ("onnx", 4), ("executorch", 4)])
def test_the_runtime_of_a_phone_says_the_same(
    torch_forks: Forks, tmp_path: Path, format_: str, bits: int
) -> None:
    ended = export(torch_forks, tmp_path / "files", format=format_, bits=bits)
    assert ended.code == 0, ended.errors
    card = json.loads((tmp_path / "files" / "export.json").read_text())
    least = 1.0 if bits == 32 else 0.9
    assert {language: one["agreement"] >= least for language, one in card["quality"].items()} == {
        "en": True,
        "hi": True,
        "ta": True,
    }
    size = (tmp_path / "files" / ("model.onnx" if format_ == "onnx" else "model.pte")).stat().st_size
    whole = (torch_forks.folder / "source" / "model.safetensors").stat().st_size
    # ONNX's file holds the graph besides, which is most of so small a model.
    assert size < (0.7 if format_ == "executorch" else 4) * whole


def test_a_model_that_differs_too_much_leaves_nothing(torch_forks: Forks, tmp_path: Path) -> None:
    ended = export(torch_forks, tmp_path / "files", format="onnx", bits=8, gate={"minAgreement": 1})
    assert ended.code == 65
    assert "gate.minAgreement asks for 100.0%" in ended.errors
    assert not (tmp_path / "files").exists()


def test_what_is_wrong_is_refused_before_anything_is_exported(torch_forks: Forks, tmp_path: Path) -> None:
    taken = export(torch_forks, torch_forks.folder / "held", format="onnx")
    assert (taken.code, "is not empty: give a folder of its own" in taken.errors) == (64, True)
    group = export(torch_forks, tmp_path / "files", format="executorch", bits=4, groupSize=48)
    assert (group.code, "groupSize 48 does not divide the 64 weights of a row" in group.errors) == (64, True)
    bits = export(torch_forks, tmp_path / "files", format="onnx", bits=2)
    assert (bits.code, "bits is 2: Input should be 32, 8 or 4" in bits.errors) == (64, True)
    half = shutil.copytree(torch_forks.folder / "source", tmp_path / "half")
    (half / "config.json").unlink()
    cut = export(torch_forks, tmp_path / "files", format="onnx", source=str(half))
    assert (cut.code, "has no config.json" in cut.errors) == (64, True)
    assert not (tmp_path / "files").exists()
