"""The data of the demo in the lake: texts that a model learns, texts that judge compression, and a golden set."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import yaml

from commands.demo.platform import Platform

ANSWERS = Path(__file__).with_name("answers.yaml")
REPEATS = 40


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
    platform.put("features", "tokens/answers/newest", f"{commit}\n")
    words = ["--source", platform.folder("curated", f"answers/{commit}"), "--to", tokens]
    said = platform.program("training", "trainer.prepare", *words, "--tokenizer", "bytes", "--sequence-length", "256")
    return {"commit": commit, "questions": len(known), "texts": len(lines), "said": said.strip()}


def put_held(platform: Platform) -> None:
    """Texts by language, on which a smaller model is compared with its source."""
    by_language: dict[str, list[str]] = {}
    for each in answers(1):
        by_language.setdefault(each["language"], []).append(text(each))
    for language, texts in by_language.items():
        lines = [json.dumps({"text": "\n".join(texts * 4)}, ensure_ascii=False)]
        platform.put("curated", f"held/{language}.jsonl", "\n".join(lines) + "\n")
