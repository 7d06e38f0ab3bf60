# pyright: reportMissingImports=false
"""Fits a reference and judges windows with the real Evidently and DuckDB: `python judged.py FOLDER`. Prints JSON."""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from population import rows
from prometheus_client import CollectorRegistry, generate_latest

from tests.workloads.drift.api_server import ApiServer
from workloads.drift.programs import __main__ as program
from workloads.drift.programs import cluster, distance, reference, serve
from workloads.drift.programs.flight import ESTIMATE
from workloads.drift.programs.job import Job
from workloads.drift.programs.profile import in_terms_of
from workloads.drift.programs.score import score

FOLDER = Path(sys.argv[1])
POD: dict[str, Any] = {"containers": [{"name": "trainer"}]}
TEMPLATE = {
    "metadata": {"name": "llm-retrain", "annotations": {ESTIMATE: "4000"}},
    "spec": {"jobTemplate": {"spec": {"template": {"spec": POD}}}},
}
JOB: dict[str, Any] = {
    "model": "loan-risk",
    "samples": f"{FOLDER}/samples",
    "reference": f"{FOLDER}/reference",
    "results": f"{FOLDER}/results",
    "ignore": ["predicted"],
    "outcome": {"label": "defaulted", "prediction": "predicted"},
}
# Days, and what was shifted on each.
DAYS: dict[str, dict[str, float]] = {
    "2026-11-20": {},
    "2026-11-21": {"amount": 0.5},
    "2026-11-22": {"tamil": 0.45},
    "2026-11-23": {"bank": 0.2},
}


def run(*words: str, **changes: Any) -> tuple[int, str]:
    """The program's exit code and what it said."""
    (file := FOLDER / "job.json").write_text(json.dumps({**JOB, **changes}))
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        code = program.main(["--job", str(file), *words])
    return code, said.getvalue().strip()


def refusals() -> dict[str, tuple[int, str]]:
    """What the program says to each bad input."""
    folder = FOLDER / "samples"
    frame = rows(1_000, 9)
    bad = {
        "2026-10-01": frame.drop(columns="bank"),
        "2026-10-02": frame.assign(age=frame["age"].astype(str)),
        "2026-10-03": frame.head(0),
        "2026-10-04": frame.head(100),
        "2026-10-05": frame.assign(income=float("nan")),
    }
    for day, rows_of_day in bad.items():
        (folder / f"date={day}").mkdir(parents=True)
        rows_of_day.to_parquet(folder / f"date={day}/a.parquet")
    said = {day: run("score", "--window", day) for day in (*bad, "2026-10-06", "2099-01-01", "yesterday")}
    (folder / "date=2026-10-07").mkdir()
    (folder / "date=2026-10-07/a.parquet").write_bytes(b"PAR1 nonsense")
    said["2026-10-07"] = run("score", "--window", "2026-10-07")
    document = FOLDER / "reference/reference.json"
    kept = document.read_text()
    document.write_text(json.dumps({**json.loads(kept), "format": 2}))
    said["newer"] = run("score", "--window", "2026-11-20")
    document.write_text(kept)
    said["nowhere"] = run("score", "--window", "2026-11-20", reference=f"{FOLDER}/nowhere")
    said["alarms"] = run("score", confirm={"alarms": 3, "windows": 2})
    said["column"] = run("fit", str(FOLDER / "data"), ignore=["bnak"])
    return said


def retrainings() -> dict[str, tuple[int, str]]:
    """What is done about windows that confirm drift, on an API server that is played."""
    api = ApiServer(objects={("CronJob", "training", "llm-retrain"): TEMPLATE})
    cluster.connected = lambda kubeconfig=None: None
    cluster.carried_out = lambda server, asking: api.run(asking)
    for number, day in enumerate(("2026-11-24", "2026-11-25")):
        (folder := FOLDER / f"samples/date={day}").mkdir(parents=True)
        rows(2_000, 80 + number, amount=0.5, wrong=0.2).to_parquet(folder / "a.parquet")
    asked = {"cronJob": "llm-retrain", "commit": f"{FOLDER}/newest", "budgetInr": 9_000, "minSamples": 1_000}
    said = {}

    def judge(case: str, day: str, **changes: Any) -> None:
        said[case] = run("score", "--window", day, retraining={**asked, **changes})

    judge("no commit", "2026-11-23")
    (FOLDER / "newest").write_text("../../other\n")
    judge("odd commit", "2026-11-23")
    (FOLDER / "newest").write_text("c0ffee\n")
    judge("not confirmed", "2026-11-20")
    judge("still right", "2026-11-23")
    judge("one worse", "2026-11-24")
    judge("few rows", "2026-11-25", minSamples=1_000_000)
    judge("started", "2026-11-25")
    judge("again", "2026-11-25")
    assert len(api.made) == 1
    return said


def agreement() -> float:
    """By how much Evidently and scipy differ at most, over all features of a shifted window."""
    known = reference.read(JOB["reference"])
    return max(_differ(known, count) for count in (2_000, len(known.sample)))


def _differ(known: reference.Reference, count: int) -> float:
    seen = in_terms_of(rows(count, 5, amount=0.3, bank=0.1), known.features, known.words)
    by_evidently = score(known.sample, seen, known.features)
    worst = 0.0
    for feature in known.features:
        one, other = known.sample[feature.name], seen[feature.name]
        if feature.kind == "numeric":
            ours = distance.numeric(distance.values(one), distance.values(other))
        else:
            levels = list(feature.levels)
            ours = distance.category(
                *(side.value_counts().reindex(levels).fillna(0).to_numpy() for side in (one, other))
            )
        worst = max(worst, abs(ours - by_evidently[feature.name]))
    return worst


def main() -> None:
    """Everything that is asked of one start of Evidently, which takes seconds."""
    (FOLDER / "data").mkdir()
    rows(10_000, 1).to_parquet(FOLDER / "data/a.parquet")
    for number, (day, shift) in enumerate(DAYS.items()):
        (folder := FOLDER / f"samples/date={day}").mkdir(parents=True)
        frame = rows(2_000, 50 + number, **shift)
        frame.head(1_200).to_parquet(folder / "a.parquet")
        frame.tail(800).to_parquet(folder / "b.parquet")
    fitted = run("fit", str(FOLDER / "data"))
    judged = {day: run("score", "--window", day) for day in DAYS}
    registry = CollectorRegistry()
    registry.register(serve.Latest(Job.read(json.dumps(JOB))))
    print(
        json.dumps(
            {
                "fitted": fitted,
                "judged": judged,
                "results": {
                    day: json.loads((FOLDER / f"results/window={day}.json").read_text()) for day in DAYS
                },
                "metrics": generate_latest(registry).decode(),
                "page": (FOLDER / "results/latest.html").read_text(),
                "agreement": agreement(),
                "refusals": refusals(),
                "retrainings": retrainings(),
            }
        )
    )


if __name__ == "__main__":
    main()
