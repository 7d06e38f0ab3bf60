"""No model is promoted on a verdict that is not its own, did not pass, or is against another production."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from workloads.tracking.registry import verdicts
from workloads.tracking.registry.errors import RegistryError

NEW, OLD, OTHER = "a" * 64, "b" * 64, "c" * 64
PASSES: dict[str, Any] = {
    "passed": True,
    "reasons": [],
    "model": {"name": "fraud", "revision": NEW},
    "baseline": {"name": "fraud", "revision": OLD},
}


def written(folder: Path, document: Any) -> Path:
    (path := folder / "verdict.json").write_text(
        document if isinstance(document, str) else json.dumps(document)
    )
    return path


def test_a_verdict_that_passes_lets_its_model_replace_what_it_was_held_against(tmp_path: Path) -> None:
    verdict = verdicts.read(written(tmp_path, PASSES))
    verdicts.check(verdict, 2, NEW, 1, OLD)
    # The first of a model replaces nothing.
    first = verdicts.read(written(tmp_path, {**PASSES, "baseline": None}))
    verdicts.check(first, 1, NEW, 0, "")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"passed": False, "reasons": ["hi: 0.61 < 0.8"]}, "version 2 did not pass: hi: 0.61 < 0.8"),
        (
            {"model": {"revision": OTHER}},
            f"the verdict is of the model {OTHER[:12]}, and version 2 is {NEW[:12]}",
        ),
        ({"baseline": {"revision": OTHER}}, f"against {OTHER[:12]}, and version 1"),
        ({"baseline": None}, "against nothing, and version 1"),
    ],
)
def test_any_other_verdict_is_refused(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    verdict = verdicts.read(written(tmp_path, {**PASSES, **change}))
    with pytest.raises(RegistryError, match=said):
        verdicts.check(verdict, 2, NEW, 1, OLD)


@pytest.mark.parametrize(
    "document",
    ["", "{", "[]", "null", {}, {**PASSES, "passed": "false"}, {**PASSES, "model": NEW}, {"passed": True},
     {**PASSES, "model": {"revision": None}}],
)  # fmt: skip
def test_what_is_no_verdict_is_refused_in_one_message(tmp_path: Path, document: Any) -> None:
    with pytest.raises(RegistryError, match="run the golden set again"):
        verdicts.read(written(tmp_path, document))
    with pytest.raises(RegistryError, match="can't be read"):
        verdicts.read(tmp_path / "absent.json")
