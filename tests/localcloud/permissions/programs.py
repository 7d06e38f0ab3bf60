"""The programs of ours that speak to an object store in a pod. A new workload adds a row here, and its recording."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from localcloud.directories import PROJECT
from tests.localcloud.permissions.rendered import Container
from tests.workloads.registered import EVERY

# Those of all workloads: `deployed` asks for each.
ACCOUNTS = {each.name: account for each in EVERY if (account := each.service_account)}
WORKLOAD_GRANTS = {each.name: each.grants for each in EVERY if each.grants}
# Programs of others that nothing here runs: their calls are read in their source.
UNRECORDED = {"lakefs"}
RIGHTLESS = sorted(ACCOUNTS.keys() - WORKLOAD_GRANTS.keys())

_SCENARIOS = Path(__file__).with_name("scenarios")

# A released model in the lake, which a server is told by `weights`; the scenario's test puts it there.
RELEASED = "released/qwen3"
TINY_MODEL = _SCENARIOS / "tiny_model.py"
# Writes the samples that drift judges; the scenario's test puts them in the lake.
TINY_SAMPLES = _SCENARIOS / "tiny_samples.py"
SOME_FEATURES = _SCENARIOS / "some_features.py"


@dataclass(frozen=True)
class Program:
    """`container` is whose environment it runs in; `image` whose libraries; `arguments` come from the container's, and
    from the URI of the lake's models."""

    name: str
    container: str
    image: str
    file: Path
    arguments: Callable[[Container, str], Sequence[str]]
    grants: str


PROGRAMS = (
    Program(
        "checkpoints",
        "trainer",
        "training",
        _SCENARIOS / "save_and_resume.py",
        lambda container, _: container.options("checkpoint-uri"),
        "training",
    ),
    Program(
        "own-writer",
        "trainer",
        "training",
        _SCENARIOS / "own_writer.py",
        lambda container, _: container.options("checkpoint-uri"),
        "training",
    ),
    Program(
        "lake",
        "lake",
        "proof",
        PROJECT / "workloads" / "proof" / "lake.py",
        lambda container, _: container.args,
        "proof",
    ),
    Program(
        "result",
        "nccl",
        "proof",
        _SCENARIOS / "keep_result.py",
        lambda container, _: container.options("evidence-uri"),
        "proof",
    ),
    Program(
        "weights",
        "vllm",
        "serving",
        _SCENARIOS / "load_weights.py",
        lambda _, models: [f"{models}/{RELEASED}"],
        "serving",
    ),
    Program(
        "compress",
        "compression-job",
        "compression",
        _SCENARIOS / "compress.py",
        lambda container, _: [container.texts["job.json"]],
        "compression",
    ),
    Program(
        "gate",
        "rollout-gate",
        "evaluation",
        _SCENARIOS / "judge.py",
        lambda container, _: [container.texts["job.json"]],
        "evaluation",
    ),
    # The candidate in the gate's pod, as the gate's identity.
    Program(
        "candidate",
        "rollout-gate",
        "serving",
        _SCENARIOS / "load_weights.py",
        lambda _, models: [f"{models}/{RELEASED}"],
        "evaluation",
    ),
    Program(
        "features",
        "materialise",
        "features",
        _SCENARIOS / "read_features.py",
        lambda *_: [str(PROJECT / "workloads" / "features" / "definitions")],
        "features",
    ),
    Program("bento", "bento", "bento", _SCENARIOS / "load_bento.py", lambda *_: [], "bento"),
    Program(
        "rayserve",
        "ray-worker",
        "rayserve",
        _SCENARIOS / "load_rayserve.py",
        lambda container, _: [container.texts["serveConfigV2"]],
        "rayserve",
    ),
    Program(
        "artifacts",
        "mlflow",
        "tracking",
        _SCENARIOS / "keep_artifacts.py",
        lambda container, _: container.options("artifacts-destination"),
        "tracking",
    ),
    Program(
        "export",
        "mlflow",
        "tracking",
        _SCENARIOS / "read_export.py",
        lambda _, models: [f"{models}/candidates/student", f"{models}/released/teacher"],
        "tracking",
    ),
    Program(
        "drift",
        "drift",
        "drift",
        _SCENARIOS / "judge_window.py",
        lambda container, _: [container.texts["job.json"]],
        "drift",
    ),
)
