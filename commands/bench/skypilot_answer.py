# pyright: reportMissingImports=false
"""SkyPilot's optimiser over rows that are given: run by the Python that SkyPilot is installed in, which is not ours.

Reads JSON from stdin (`rows` of its AWS catalogue; `asked`: gpu, count, spot, region) and prints the USD an hour of
each answer. It has a home of its own with a catalogue in it, so that it fetches nothing and reads no credentials.
"""

from __future__ import annotations

import csv
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any


def main() -> None:
    """Read prices and questions from standard input, and print what SkyPilot's optimizer answers."""
    given = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"HOME": home, "SKY_RUNTIME_DIR": home, "SKYPILOT_DISABLE_USAGE_COLLECTION": "1"}
        os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
        _write_catalog(Path(home), given["rows"])
        print(json.dumps([_answer(one) for one in given["asked"]]))


def _write_catalog(home: Path, rows: list[dict[str, Any]]) -> None:
    from sky.skylet import constants

    folder = home / ".sky" / "catalogs" / constants.CATALOG_SCHEMA_VERSION
    names = sorted({(row["AcceleratorName"], "AWS") for row in rows if row["AcceleratorName"]})
    for name, table in (
        ("aws/vms.csv", [list(rows[0]), *(list(row.values()) for row in rows)]),
        ("common/accelerators.csv", [("AcceleratorName", "Clouds"), *names]),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with (folder / name).open("w", newline="") as lines:
            csv.writer(lines).writerows(table)


def _answer(one: dict[str, Any]) -> float:
    import sky
    from sky import check, clouds, optimizer

    # It would look for credentials otherwise.
    check.get_cached_enabled_clouds_or_refresh = lambda *_args, **_options: [clouds.AWS()]
    with sky.Dag() as dag:
        task = sky.Task(run="true")
        gpus = {one["gpu"]: one["count"]}
        task.set_resources(
            sky.Resources(infra=f"aws/{one['region']}", accelerators=gpus, use_spot=one["spot"])
        )
    optimizer.Optimizer.optimize(dag, quiet=True)
    return dag.tasks[0].best_resources.get_cost(3600)


if __name__ == "__main__":
    main()
