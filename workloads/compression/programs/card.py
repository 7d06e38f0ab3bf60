"""The model's card: `card.json` for programs, `README.md` as Hugging Face shows it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from workloads.compression.programs.job import Job
from workloads.compression.programs.latency import Latency
from workloads.compression.programs.quality import Quality
from workloads.compression.programs.source import Source

CARD, README = "card.json", "README.md"


@dataclass(frozen=True)
class Judged:
    """What is known of a compressed model. `start`: of a student before it learnt, none with other methods."""

    bytes: int
    zeros: float
    quality: Mapping[str, Quality]
    latency: Latency
    start: Mapping[str, Quality] | None = None


def write(folder: Path, job: Job, source: Source, judged: Judged) -> None:
    """Writes both into the folder of the compressed model."""
    document = {
        **job.options(),
        "source": {"uri": source.uri, "digest": source.digest, "bytes": source.bytes},
        "licence": source.licence,
        "held": job.held,
        "gate": job.gate.model_dump(by_alias=True),
        **asdict(judged),
        "madeOn": time.strftime("%Y-%m-%d", time.gmtime()),
        "versions": {name: version(name) for name in ("torch", "transformers", "compressed-tensors")},
    }
    (folder / CARD).write_text(json.dumps(document, indent=1, ensure_ascii=False))
    (folder / README).write_text(_page(job, source, judged, document["versions"]))


def summary(judged: Judged, source: Source) -> str:
    """A table of what was lost and won, in Markdown."""
    size = f"{source.bytes:,} bytes of weights before, {judged.bytes:,} after ({judged.bytes / source.bytes:.2f} ×)"
    latency = judged.latency
    speed = (
        f"{latency.ratio:.2f} × the time of the source for a prompt of {latency.tokens} tokens, by transformers on "
        f"{latency.machine}"
    )
    lines = [f"- Size: {size}", f"- Latency: {speed}"]
    if judged.zeros:
        lines.append(f"- Zeros: {judged.zeros:.1%} of the layers' weights. The files keep their size.")
    lines += ["", *_table(judged.quality)]
    if judged.start:
        lines += ["", "Before it learnt:", "", *_table(judged.start)]
    return "\n".join(lines)


def _table(found: Mapping[str, Quality]) -> list[str]:
    rows = [
        f"| {language} | {one.tokens:,} | {one.before:.4g} | {one.after:.4g} | {one.increase:+.1%} "
        f"| {one.agreement:.1%} |"
        for language, one in found.items()
    ]
    heads = "| language | tokens | perplexity before | after | change | same first choice |"
    return [heads, "|---|---|---|---|---|---|", *rows]


def _page(job: Job, source: Source, judged: Judged, versions: Mapping[str, str]) -> str:
    front = {
        "license": source.licence if not source.licence.startswith("unknown") else "unknown",
        "base_model": source.uri,
        "language": list(judged.quality),
    }
    options = ", ".join(f"{name} {_said(value)}" for name, value in job.options().items())
    made = ", ".join(f"{name} {number}" for name, number in versions.items())
    return "\n".join(
        [
            "---",
            *(f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in front.items()),
            "---",
            f"# {job.method} of {source.uri}",
            "",
            f"Made with {options}, of weights with the digest `{source.digest}`; {made}.",
            f"Licence: {source.licence}. The terms of the source hold for this model too.",
            "",
            summary(judged, source),
            "",
            f"Judged on {job.held}, read back from the published files. Published since it loses no more than "
            f"{job.gate.max_perplexity_increase:.1%} of perplexity and keeps {job.gate.min_agreement:.1%} of first "
            "choices.",
            "",
        ]
    )


def _said(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)
