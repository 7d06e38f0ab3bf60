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
from commands.demo.chat import chat, forwarded, knows, post
from commands.demo.platform import STACK, DemoError, Platform
from commands.reclaim import command as reclaim
from commands.reclaim import interruption
from commands.stacks import settings_of
from localcloud.kubernetes.agent.stores import BESIDE

FEATURES, TRAINING, COMPRESSION = "features", "training", "compression"
EVALUATION, SERVING, GATEWAY, DRIFT = "evaluation", "serving", "gateway", "drift"
MODEL, RETRAINED = "demo/answers", "train-retrain"
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
        return {**data.put(platform, 1), "golden": data.put_golden(platform)}


def features(platform: Platform, before: Mapping[str, Found]) -> Found:
    """The feature store: the lake's days in Redis by a Job of its CronJob, and what a model would get of an account."""
    with step("Transactions of nobody, five days of them"):
        platform.script("features", "-c", data.GENERATE, platform.folder("features", data.FEAST))
    platform.update({FEATURES: {}}, "The feature store")
    jobs.of_cron(platform, FEATURES, "features-materialise", "materialise-now")
    jobs.succeeded(platform, FEATURES, "materialise-now", "Features into Redis")
    with forwarded(platform, FEATURES, "features", 6566) as address:
        answer = post(f"{address}/get-online-features", data.FEATURES_ASKED)
    names = answer["metadata"]["feature_names"]
    return {"account": {name: each["values"][0] for name, each in zip(names, answer["results"], strict=True)}}


def train(platform: Platform, before: Mapping[str, Found]) -> Found:
    """The training job; one of its spot nodes is taken back while it learns."""
    platform.update({TRAINING: {}}, "The training job")
    began = time.monotonic()
    jobs.until(
        lambda: losses(platform, "train") or jobs.ended(jobs.job_of(platform, TRAINING, "train")),
        "The first steps",
    )
    there = {each["spec"].get("nodeName") for each in platform.api.list("v1", "Pod", TRAINING)}
    node = next((each for each in interruption.spot_nodes(platform.api) if each.name in there), None)
    if node:
        reclaim.interrupt(platform.cluster, node, settings_of(STACK), interruption.NOTICE_SECONDS)
    trained(platform, "train", "Training")
    said = jobs.log(platform, TRAINING, "train")
    export(platform, "train", "1", "1")
    return {
        "losses": losses(platform, "train"),
        "stopped": [int(at) for at in re.findall(r"event=stopped step=(\d+)", said)][:1],
        "resumed": [int(at) for at in re.findall(r"event=resumed step=(\d+)", said)][:1],
        "seconds": round(time.monotonic() - began),
    }


def losses(platform: Platform, job: str) -> dict[int, float]:
    """The loss at each step of which the pods of a job told."""
    said = jobs.log(platform, TRAINING, job)
    # The pod that went on may come before the one that it followed.
    return dict(
        sorted((int(at), float(loss)) for at, loss in re.findall(r"\bstep=(\d+)/\d+ loss=(\S+)", said))
    )


def trained(platform: Platform, job: str, title: str) -> None:
    """Wait for the end of a training."""
    jobs.succeeded(platform, TRAINING, job, title, lambda: f"step {max(losses(platform, job), default=0)}")


def export(platform: Platform, job: str, candidate: str, name: str) -> None:
    """What a job has learnt as a candidate, by a Job of an ML engineer."""
    source = jobs.job_of(platform, TRAINING, job)["spec"]["template"]["spec"]["containers"][0]
    flags = source["args"][:4]  # the recipe and the folder of the checkpoints
    target = platform.folder("models", f"candidates/{candidate}").replace(BESIDE, "")
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


def serve(platform: Platform, before: Mapping[str, Found]) -> Found:
    """The model server, whose first rollout waits for the golden set; and what it answers."""
    platform.update({EVALUATION: {}, SERVING: {}, GATEWAY: {}}, "The gate, the model server, the gateway")
    return {"verdict": verdict(platform), "answers": ask(platform, 1)}


def verdict(platform: Platform) -> Found:
    """What the last gate decided."""
    files = [key for key in platform.keys("audit", "evaluations/") if key.endswith("/verdict.json")]
    return max((json.loads(platform.get("audit", key)) for key in files), key=lambda each: each["time"])


def ask(platform: Platform, commit: int) -> list[dict[str, Any]]:
    """The questions of a commit, asked at the gateway as a team's service asks: were they answered right, and from
    where the second time."""
    jobs.available(platform, SERVING, "serve")
    key = platform.secret(GATEWAY, "gateway-keys")["support"]
    with forwarded(platform, GATEWAY, "gateway", 8080) as address:
        jobs.until(lambda: knows(address, MODEL), "The gateway, which looks for the model")
        found = []
        for each in data.answers(commit):
            first, again = (chat(address, MODEL, each["question"], key) for _ in range(2))
            if again.said != first.said:
                raise DemoError(
                    f"the cache answers {each['question']!r} otherwise than the model: {again.said}"
                )
            right = first.said.strip() == each["answer"]
            seconds = {"seconds": first.seconds, "secondsAgain": again.seconds}
            found.append({**each, "said": first.said, "right": right, "again": again.cache, **seconds})
    return found


def drift(platform: Platform, before: Mapping[str, Found]) -> Found:
    """Users ask something new; the watch sees it, and starts a training on the newest commit by itself."""
    with step("What was asked until now, and the second commit, with answers to what is asked now"):
        data.put_reference(platform)
        data.put(platform, 2)
        data.put_hours(platform, {1: 0.55, 2: 0.45}, seed=2)
    platform.update({DRIFT: {}}, "The watch over what is asked")
    jobs.of_cron(platform, DRIFT, "drift-answers", "drift-now")
    jobs.succeeded(platform, DRIFT, "drift-now", "The last hour, judged")
    return {"result": json.loads(platform.get("features", "drift/answers/results/latest.json"))}


def retrain(platform: Platform, before: Mapping[str, Found]) -> Found:
    """The training that the drift started, and its candidate, smaller."""
    trained(platform, RETRAINED, "Training on the second commit")
    export(platform, RETRAINED, "2", "2")
    return {**compressed(platform, "2"), "losses": losses(platform, RETRAINED)}


def promote(platform: Platform, before: Mapping[str, Found]) -> Found:
    """The new model in front of users, once the golden set has compared it with the one that they have."""
    weights = {"weights": "{models}/released/compressed/answers/2", "revision": "2"}
    # Answers of the model before are in the cache, and come until its last pod is gone: the revision tells them apart.
    model = {"name": MODEL, "urls": ["http://serve.serving.svc:8000"], "revision": "2"}
    new = {EVALUATION: {}, SERVING: weights, GATEWAY: {"models": [model]}}
    platform.update(new, "The gate, and then the rollout")
    return {"verdict": verdict(platform), "answers": ask(platform, 2)}


STAGES = (
    Stage("data", "Data into the lake", put_data),
    Stage("features", "Features", features),
    Stage("train", "Training on spot", train),
    Stage("compress", "Compression", compress),
    Stage("serve", "Serving, after the gate", serve),
    Stage("drift", "Users ask something new", drift),
    Stage("retrain", "Training again", retrain),
    Stage("promote", "The better model, after the gate", promote),
)
