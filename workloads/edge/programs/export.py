"""Exports a model for phones, and checks in the phone's runtime that it still says the same.

python -m workloads.edge.programs.export --job FILE

Ends with 0, with 64 where the job or the model are wrong, and with 65 where the exported model differs too much; then
nothing is left in the target.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from transformers.utils import logging

from workloads.compression.programs import quality
from workloads.compression.programs.job import Gate
from workloads.compression.programs.source import Source, read
from workloads.edge.programs import formats
from workloads.edge.programs.runtimes import ExecuTorchModel, OnnxModel
from workloads.training.trainer.launch import REFUSED
from workloads.training.trainer.publication import scratch
from workloads.training.trainer.recipe import RecipeError

DIFFERS = 65
# Of logits in 32 bits: what the order of additions may change.
TOLERANCE = 1e-3
_FORMATS: dict[str, tuple[str, Any, Any]] = {
    "onnx": ("model.onnx", formats.onnx, OnnxModel),
    "executorch": ("model.pte", formats.executorch, ExecuTorchModel),
}


class Export(BaseModel):
    """A model that becomes a file for phones."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)

    source: str
    """A folder with a causal model of Hugging Face: a path, s3:// or gs://."""
    target: Path
    """An empty folder, or none yet: what `bundle` publishes."""
    held: str
    """A folder of texts that no training saw, a file a language (hi.txt)."""
    format: Literal["onnx", "executorch"]
    bits: Literal[32, 8, 4] = 32
    group_size: int = Field(default=32, ge=16)
    """Weights of a row that share a scale, with 4 bits."""
    length: int = Field(default=256, ge=8)
    """Tokens of a prompt: the most with ONNX, all with ExecuTorch."""
    gate: Gate = Gate()

    @staticmethod
    def read(text: str) -> Export:
        """The job in a JSON text; RecipeError names the first field that is wrong."""
        try:
            return Export.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            path = ".".join(map(str, first["loc"])) or "the job"
            raise RecipeError(f"{path} is {first['input']!r}: {first['msg']}") from error


def run(job: Export, folder: Path) -> int:
    """Exports, with `folder` for files on the way; the exit code."""
    if job.target.exists() and any(job.target.iterdir()):
        raise RecipeError(f"target {job.target} is not empty: give a folder of its own")
    source = read(job.source, folder, "source")
    texts = quality.held(job.held, source.tokens, job.length)
    original = source.load(attn_implementation="eager").float().cpu()
    name, write, runtime = _FORMATS[job.format]
    (result := folder / "result").mkdir()
    write(original, result / name, job.bits, job.group_size, job.length)
    exported = runtime(result / name)
    found = quality.compare(original, exported, texts)
    for language, one in found.items():
        print(
            f"language={language} perplexity={one.before:.4g}->{one.after:.4g} agreement={one.agreement:.3f}"
        )
    if lost := [*_differs(job, original, exported, texts), *quality.lost(found, job.gate)]:
        for sentence in lost:
            print(f"error: {sentence}", file=sys.stderr)
        return DIFFERS
    _finish(job, source, result, {language: asdict(one) for language, one in found.items()})
    print(f"event=exported bytes={(result / name).stat().st_size} to={job.target}")
    return 0


@torch.inference_mode()
def _differs(job: Export, original: Any, exported: Any, texts: dict[str, torch.Tensor]) -> list[str]:
    if job.bits != 32:
        return []
    row = next(iter(texts.values()))[:1]
    largest = float((original(input_ids=row).logits - exported(input_ids=row).logits).abs().max())
    return [] if largest <= TOLERANCE else [f"logits differ by {largest:.3g}, over {TOLERANCE:g}"]


def _finish(job: Export, source: Source, result: Path, found: dict[str, Any]) -> None:
    (result / "tokenizer.json").write_bytes((source.folder / "tokenizer.json").read_bytes())
    said = {"format": job.format, "bits": job.bits, "length": job.length, "source": source.digest}
    card = {**said, "licence": source.licence, "quality": found}
    (result / "export.json").write_text(json.dumps(card, indent=1))
    job.target.mkdir(parents=True, exist_ok=True)
    # export.json last: a folder without it is half.
    for file in sorted(result.iterdir(), key=lambda file: file.name == "export.json"):
        (job.target / file.name).write_bytes(file.read_bytes())


def main(arguments: list[str]) -> int:
    """Exports; the exit code."""
    parser = argparse.ArgumentParser(prog="export", description=__doc__)
    parser.add_argument("--job", type=Path, required=True, help="a file with the job as JSON")
    given = parser.parse_args(arguments)
    logging.disable_progress_bar()
    try:
        with scratch(), tempfile.TemporaryDirectory() as folder:
            return run(Export.read(given.job.read_text()), Path(folder))
    except RecipeError as error:
        print(f"error: {error}", file=sys.stderr)
        return REFUSED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
