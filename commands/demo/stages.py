"""The stages of the loop, in their order; each says what it found."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from commands.console import step
from commands.demo import data, jobs
from commands.demo.platform import STACK, Platform
from commands.reclaim import command as reclaim
from commands.reclaim import interruption
from commands.stacks import settings_of

TRAINING, COMPRESSION = "training", "compression"
Found = Mapping[str, Any]


@dataclass(frozen=True)
class Stage:
    """`run` gets the platform and what stages before have found, and may be run again after it was killed."""

    name: str
    title: str
    run: Callable[[Platform, Mapping[str, Found]], Found]


def put_data(platform: Platform, before: Mapping[str, Found]) -> Found:
    """The lake, and the first commit of the data in it."""
    platform.update({}, "The platform")
    with step("Texts and tokens of the first commit"):
        data.put_held(platform)
        return data.put(platform, 1)


def train(platform: Platform, before: Mapping[str, Found]) -> Found:
    """The training job; one of its spot nodes is taken back while it learns."""
    platform.update({TRAINING: {}}, "The training job")
    began = time.monotonic()

    def losses() -> dict[int, float]:
        said = jobs.log(platform, TRAINING, "train")
        return {int(at): float(loss) for at, loss in re.findall(r"\bstep=(\d+)/\d+ loss=(\S+)", said)}

    with step("The first steps"):
        while not losses() and jobs.job_of(platform, TRAINING, "train")["status"].get("active"):
            time.sleep(jobs.POLL_SECONDS)
    there = {each["spec"].get("nodeName") for each in platform.api.list("v1", "Pod", TRAINING)}
    node = next((each for each in interruption.spot_nodes(platform.api) if each.name in there), None)
    if node:
        reclaim.interrupt(platform.cluster, node, settings_of(STACK), interruption.NOTICE_SECONDS)
    jobs.succeeded(platform, TRAINING, "train", "Training", lambda: f"step {max(losses(), default=0)}")
    said = jobs.log(platform, TRAINING, "train")
    export(platform, "train", "1", "1")
    return {
        "losses": losses(),
        "stopped": [int(at) for at in re.findall(r"event=stopped step=(\d+)", said)][:1],
        "resumed": [int(at) for at in re.findall(r"event=resumed step=(\d+)", said)][:1],
        "seconds": round(time.monotonic() - began),
    }


def export(platform: Platform, job: str, candidate: str, name: str) -> None:
    """What a job has learnt as a candidate, by a Job of an ML engineer."""
    source = jobs.job_of(platform, TRAINING, job)["spec"]["template"]["spec"]["containers"][0]
    flags = source["args"][: source["args"].index("--ready-file")]
    target = platform.folder("models", f"candidates/{candidate}").replace(".objects", "")
    command = ["python", "-m", "trainer.export", *flags, "--to", target]
    jobs.like(platform, TRAINING, job, f"export-{name}", command)
    jobs.succeeded(platform, TRAINING, f"export-{name}", f"Candidate {candidate}")


def compress(platform: Platform, before: Mapping[str, Found]) -> Found:
    """A smaller model, which is published if it is good enough in each language."""
    return compressed(platform, "1")


def compressed(platform: Platform, candidate: str) -> Found:
    """A candidate made smaller by the Job of the stack."""
    target = f"released/compressed/answers/{candidate}"
    folders = {"source": f"{{models}}/candidates/{candidate}", "target": f"{{models}}/{target}"}
    platform.update({COMPRESSION: folders}, "The compression job")
    jobs.succeeded(platform, COMPRESSION, "compress", "Compression, judged by language")
    files = platform.keys("models", target)
    return {"card": json.loads(platform.get("models", f"{target}/card.json")), "files": files}


STAGES = (
    Stage("data", "Data into the lake", put_data),
    Stage("train", "Training on spot", train),
    Stage("compress", "Compression", compress),
)
