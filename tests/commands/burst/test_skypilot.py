"""SkyPilot tasks: in India alone, whatever is asked; what SkyPilot itself says of them is in test_accepted.py."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands.burst import skypilot
from commands.burst.providers import BurstError, providers
from commands.burst.request import Request
from infra.geography import REGIONS
from tests.commands.burst.asking import asked

INDIAN = {f"{place.cloud}/{name}" for name, place in REGIONS.items()}
WORKLOADS = [("local", "training"), ("local", "serving"), ("prod", "training"), ("prod", "serving")]


def written(request: Request, *regions: str) -> dict[str, str]:
    return skypilot.written(request, providers()["skypilot"], regions)


def infras(document: Any) -> list[str]:
    """Every `infra` of a document, at whatever depth, and whatever else names a cloud or a region."""
    if isinstance(document, dict):
        own = [str(document[key]) for key in ("infra", "cloud", "region", "zone") if key in document]
        return own + [found for value in document.values() for found in infras(value)]
    return [found for value in document for found in infras(value)] if isinstance(document, list) else []


@pytest.mark.parametrize(("stack", "workload"), WORKLOADS)
def test_every_place_that_a_task_may_be_in_is_in_india(tmp_path: Path, stack: str, workload: str) -> None:
    files = written(asked(tmp_path, stack, workload))
    task, config = yaml.safe_load(files["task.yaml"]), yaml.safe_load(files[".sky.yaml"])
    assert task["resources"]["ordered"]
    # A resource without a place of its own may be anywhere.
    assert all("infra" in resource for resource in task["resources"]["ordered"])
    assert {*infras(task), *infras(config)} <= INDIAN
    (controller,) = config.values()
    assert controller["controller"]["resources"]["infra"] in INDIAN


def test_a_job_has_its_program_its_recipe_and_a_way_to_resume(tmp_path: Path) -> None:
    files = written(asked(tmp_path, "local", "training"))
    task = yaml.safe_load(files["task.yaml"])
    assert task["num_nodes"] == 2
    assert task["resources"]["accelerators"] == {"L4": 4}
    # The trainer ends with 75 when it has saved before a reclaim: without this SkyPilot calls the job failed.
    assert task["resources"]["job_recovery"]["recover_on_exit_codes"] == [75]
    assert "--checkpoint-uri s3://lake-checkpoints-1a2b/jobs/train-burst" in task["run"].replace("'", "")
    assert task["file_mounts"] == {"/opt/training": "./files"}
    assert {"files/recipe.json", "files/trainer/launch.py"} <= files.keys()
    # Files on their way pass this bucket; one that SkyPilot makes itself would be in us-east-1.
    assert yaml.safe_load(files[".sky.yaml"])["jobs"]["bucket"] == "s3://lake-checkpoints-1a2b"


def test_a_server_asks_for_a_key(tmp_path: Path) -> None:
    task = yaml.safe_load(written(asked(tmp_path, "prod", "serving"))["task.yaml"])
    assert task["secrets"] == {"SERVER_KEY": None}
    assert '--api-key "$SERVER_KEY"' in task["run"]
    assert task["service"]["readiness_probe"]["path"] == "/health"


def test_a_chain_is_tried_in_its_order(tmp_path: Path) -> None:
    request = asked(tmp_path, "local", "training")
    settings = request.pool.settings.model_copy(update={"purchase": ("spot", "on-demand")})
    task = yaml.safe_load(
        written(replace(request, pool=replace(request.pool, settings=settings)))["task.yaml"]
    )
    assert [one["use_spot"] for one in task["resources"]["ordered"]] == [True, False]


@pytest.mark.parametrize(
    ("regions", "message"),
    [
        (("aws/us-east-1",), "REGIONS=aws/us-east-1: a task runs in India alone"),
        (("aws/ap-south-9",), "REGIONS=aws/ap-south-9"),
        (("aws",), "REGIONS=aws: "),
        (("*/ap-south-1",), r"REGIONS=\*/ap-south-1"),
        # SkyPilot has no image for machines of Hyderabad.
        (("aws/ap-south-2",), "REGIONS=aws/ap-south-2"),
        (("aws/ap-south-1", "gcp/us-central1"), "REGIONS=gcp/us-central1"),
    ],
)
def test_any_other_region_is_refused(tmp_path: Path, regions: tuple[str, ...], message: str) -> None:
    with pytest.raises(BurstError, match=message):
        written(asked(tmp_path, "local", "training"), *regions)


def test_a_region_without_such_a_machine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        BurstError, match="REGIONS=gcp/asia-south2: no machine there has what pool serve asks for"
    ):
        written(asked(tmp_path, "prod", "serving"), "gcp/asia-south2")


def test_a_purchase_that_skypilot_has_not_is_refused(tmp_path: Path) -> None:
    request = asked(tmp_path, "local", "training")
    settings = request.pool.settings.model_copy(update={"purchase": ("capacity-block",)})
    with pytest.raises(BurstError, match="pool train is bought as capacity-block"):
        written(replace(request, pool=replace(request.pool, settings=settings)))


def test_files_without_a_bucket_to_pass_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BurstError, match=r"BUCKETS=buckets\.json"):
        written(replace(asked(tmp_path, "local", "training"), buckets={}))


def test_texts_of_several_lines_are_for_people(tmp_path: Path) -> None:
    text = written(asked(tmp_path, "local", "training"))["task.yaml"]
    assert re.search(r"^run: \|\n  export FIRST_NODE=", text, re.MULTILINE)
