"""What the program of drift does: it makes its reference of samples, judges a window of samples, and looks at the
result as what serves metrics does; it says of a window without samples that there is none."""

import json
import sys
import tempfile
from pathlib import Path

from workloads.drift.programs import result
from workloads.drift.programs.__main__ import REFUSED, main

document = sys.argv[1]
with tempfile.TemporaryDirectory() as folder:
    job = Path(folder) / "job.json"
    job.write_text(document)
    told = ["--job", str(job)]
    assert main([*told, "fit", json.loads(document)["samples"]]) == 0
    assert main([*told, "score", "--window", "2026-11-20"]) == 0
    assert main([*told, "score", "--window", "2026-11-19"]) == REFUSED
    latest = result.read(json.loads(document)["results"], "latest")
    assert latest is not None and latest.rows == 1_000 and not latest.alarm
