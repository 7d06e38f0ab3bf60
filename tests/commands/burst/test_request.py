"""What is asked to run elsewhere: the workload, the lake's addresses, the registry; and what is missing of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from commands.burst.providers import BurstError
from commands.burst.request import request
from commands.stacks import settings_of
from tests.commands.burst.asking import REGISTRY, asked


def test_addresses_and_the_registry_are_filled_in(tmp_path: Path) -> None:
    made = asked(tmp_path, "prod", "training")
    assert made.burst.image == f"{REGISTRY}/india-ai-infra/training:2026.11"
    assert made.scratch == "s3://lake-checkpoints-1a2b"
    assert '"cloud": "aws"' in made.burst.files["recipe.json"]


def test_a_stack_that_does_not_say_its_datas_class_has_personal_data(tmp_path: Path) -> None:
    made = request("prod", settings_of("prod"), "serving", None, None)
    assert made.personal
    assert not asked(tmp_path, "prod", "serving", "internal").personal


def test_programs_keep_their_braces(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    made = asked(tmp_path, "local", "training")
    source = Path("workloads/training/trainer/publication.py").read_text()
    assert made.burst.files["trainer/publication.py"] == source


@pytest.mark.parametrize(
    ("stack", "workload", "message"),
    [
        ("local", "servin", "WORKLOAD=servin: .*: training, serving; the nearest is serving"),
        ("local", None, "WORKLOAD=: what this stack has that can run elsewhere: training, serving"),
        # Measures the fabric of the stack's own nodes.
        ("prod", "proof", "WORKLOAD=proof: .*training, serving"),
        (
            "prod",
            "training",
            r"the image \{registry\}/india-ai-infra/training:2026.11 is in the stack's own registry",
        ),
        ("local", "training", "it uses the lake's checkpoints: .*BUCKETS=buckets.json"),
    ],
)
def test_what_is_missing_is_told(stack: str, workload: str | None, message: str) -> None:
    with pytest.raises(BurstError, match=message):
        request(stack, settings_of(stack), workload, None, None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"engine": "tgi"}, "engine is tgi: outside a cluster it is vllm"),
        ({"weights": "{models}/released/q"}, "weights are in the lake"),
        ({"adapters": {"a": "{models}/released/q"}}, "adapters are in the lake"),
    ],
)
def test_a_server_that_needs_the_lake_or_another_engine_is_refused(
    changes: dict[str, Any], message: str
) -> None:
    there = settings_of("prod")
    assert there.workloads.serving
    serving = there.workloads.serving.model_copy(update=changes)
    changed = there.model_copy(update={"workloads": there.workloads.model_copy(update={"serving": serving})})
    with pytest.raises(BurstError, match=message):
        request("prod", changed, "serving", None, None)
