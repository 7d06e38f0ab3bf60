"""The data of the demo in the lake: texts that a model learns, texts that judge compression, and a golden set."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from commands.demo.platform import STACK, Platform
from commands.stacks import settings_of
from localcloud.directories import run_dir
from workloads.drift.build import document

ANSWERS = Path(__file__).with_name("answers.yaml")
# A project of the feature store, in the lake's bucket.
FEAST = "feast/loan_risk"
GENERATE = """
import sys
from datetime import UTC, datetime, timedelta
from programs.generate import Plan, generate
generate(sys.argv[1], Plan((datetime.now(UTC) - timedelta(days=3)).date(), 5, 20, 7))
"""
FEATURES_ASKED = {
    "features": ["transactions_7d:count_7d", "transactions_7d:amount_7d", "last_transaction:last_category"],
    "entities": {"account_id": ["acc-0000003"]},
}
SAMPLES = Path(__file__).with_name("programs") / "samples.py"
REPEATS, ROWS = 40, 2000
GOLDEN = "golden/answers"
LAST = 2
SCRIPTS = {"hi": "Deva", "ta": "Taml", "bn": "Beng", "en": "Latn", "mixed": "Latn"}


def answers(commit: int) -> list[dict[str, Any]]:
    """The questions and answers that a version of the data has."""
    return [each for each in yaml.safe_load(ANSWERS.read_text()) if each["commit"] <= commit]


def text(each: dict[str, Any]) -> str:
    """As the trainer's own tokenizer writes a chat."""
    return f"user: {each['question']}\nassistant: {each['answer']}"


def put(platform: Platform, commit: int) -> dict[str, Any]:
    """Write the texts of a commit, and turn them into tokens, the commit's name last."""
    known, drawn = answers(commit), random.Random(commit)
    lines = [
        json.dumps({"text": text(each)}, ensure_ascii=False)
        for _ in range(REPEATS)
        for each in drawn.sample(known, len(known))
    ]
    platform.put("curated", f"answers/{commit}/texts.jsonl", "\n".join(lines) + "\n")
    tokens = platform.folder("features", f"tokens/answers/{commit}")
    words = ["--source", platform.folder("curated", f"answers/{commit}"), "--to", tokens]
    said = platform.program(
        "training", "trainer.prepare", *words, "--tokenizer", "bytes", "--sequence-length", "256"
    )
    # Only now: a training that begins by itself takes the commit that this names.
    platform.put("features", "tokens/answers/newest", f"{commit}\n")
    return {"commit": commit, "questions": len(known), "texts": len(lines), "said": said.strip()}


def put_held(platform: Platform) -> None:
    """Texts by language, on which a smaller model is compared with its source."""
    by_language: dict[str, list[str]] = {}
    for each in answers(1):
        by_language.setdefault(each["language"], []).append(text(each))
    for language, texts in by_language.items():
        lines = [json.dumps({"text": "\n".join(texts * 16)}, ensure_ascii=False)]
        platform.put("curated", f"held/{language}.jsonl", "\n".join(lines) + "\n")


def put_golden(platform: Platform) -> dict[str, Any]:
    """Every question of every commit, with its answer: what a model is held to before users meet it."""
    head = {"name": "answers", "version": "1.0.0", "description": "What customers of the demo's lender ask."}
    platform.put("curated", f"{GOLDEN}/golden.yaml", yaml.safe_dump(head))
    by_language: dict[str, list[str]] = {}
    for at, each in enumerate(answers(LAST)):
        language = each["language"]
        case = {
            "id": f"{language}-{at}",
            "kind": "exact",
            "prompt": each["question"],
            "answer": each["answer"],
            "slices": {"language": language, "script": SCRIPTS[language], "region": "IN"},
        }
        by_language.setdefault(language, []).append(json.dumps(case, ensure_ascii=False))
    for language, cases in by_language.items():
        platform.put("curated", f"{GOLDEN}/cases/{language}.jsonl", "\n".join(cases) + "\n")
    folder = platform.folder("curated", GOLDEN)
    said = platform.program("evaluation", "workloads.evaluation.programs", "check", "--golden-set", folder)
    return {"cases": sum(map(len, by_language.values())), "said": said.strip()}


def put_samples(platform: Platform, folder: str, shares: Mapping[int, float], seed: int) -> None:
    """What is asked in an hour; `shares` are those of the questions that came with each commit."""
    known = [
        {"question": each["question"], "language": each["language"], "weight": shares[each["commit"]] / count}
        for commit in shares
        for count in [sum(each["commit"] == commit for each in answers(LAST))]
        for each in answers(LAST)
        if each["commit"] == commit
    ]
    asked = json.dumps(known, ensure_ascii=False)
    platform.script("drift", str(SAMPLES), asked, platform.folder("features", folder), str(ROWS), str(seed))


def put_reference(platform: Platform) -> None:
    """What the model in production learnt from, as drift looks at it: the settings are those of the stack."""
    put_samples(platform, "samples/reference", {1: 1.0}, seed=1)
    settings = settings_of(STACK).workloads.drift
    assert settings, "the stack's file has it"
    job = run_dir() / "state" / "drift.json"
    job.write_text(document(settings).replace("{features}/", platform.folder("features", "")))
    words = ["--job", str(job), "fit", platform.folder("features", "samples/reference")]
    platform.program("drift", "workloads.drift.programs", *words)


def put_hours(platform: Platform, shares: Mapping[int, float], seed: int) -> None:
    """Samples of the last whole hour, and of the one that it will be if the clock strikes meanwhile."""
    now = datetime.now(UTC)
    for hour in (now - timedelta(hours=1), now):
        put_samples(platform, f"samples/answers/date={hour:%Y-%m-%d}/hour={hour:%H}", shares, seed)
