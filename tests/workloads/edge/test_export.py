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


def card(ended: Ended, files: Path) -> dict[str, Any]:
    assert ended.code == 0, ended.errors
    return json.loads((files / "export.json").read_text())


QUANTISED = """
import json, sys
from pathlib import Path
from workloads.compression.programs import quality, source
from workloads.edge.programs import formats
from workloads.edge.programs.runtimes import OnnxModel
whole, folder = Path(sys.argv[1]), Path(sys.argv[2])
read = source.read(sys.argv[3], folder, "source")
texts = quality.held(sys.argv[4], read.tokens, 32)
found = {}
for bits in (8, 4):
    formats.quantised_onnx(whole, path := folder / f"{bits}.onnx", bits, 32)
    compared = quality.compare(read.load(), OnnxModel(path), texts)
    found[bits] = [min(one.agreement for one in compared.values()), path.stat().st_size / whole.stat().st_size]
print(json.dumps(found))
"""


def test_onnx_runtime_says_what_torch_says_in_32_8_and_4_bits(torch_forks: Forks, tmp_path: Path) -> None:
    files = tmp_path / "files"
    exported = card(export(torch_forks, files, format="onnx"), files)
    assert {language: one["agreement"] for language, one in exported["quality"].items()} == {
        "en": 1.0,
        "hi": 1.0,
        "ta": 1.0,
    }
    folders = [str(torch_forks.folder / name) for name in ("source", "held")]
    # Prompts of half the length: it is free.
    found = torch_forks.script(QUANTISED, str(files / "model.onnx"), str(tmp_path), *folders)
    for agreement, size in found.values():
        assert agreement > 0.9
        assert size < 0.8


def test_executorch_says_nearly_the_same_in_4_bits(torch_forks: Forks, tmp_path: Path) -> None:
    files = tmp_path / "files"
    exported = card(export(torch_forks, files, format="executorch", bits=4), files)
    assert min(one["agreement"] for one in exported["quality"].values()) > 0.9
    whole = (torch_forks.folder / "source" / "model.safetensors").stat().st_size
    assert (files / "model.pte").stat().st_size < 0.7 * whole


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
