"""What the gate does: its program, told the document of its ConfigMap, with a server here for those that it names."""

import json
import sys
import tempfile
from pathlib import Path

from tests.workloads.evaluation.endpoint import endpoint
from workloads.evaluation.programs.__main__ import BLOCKED, main

with tempfile.TemporaryDirectory() as folder, endpoint(lambda prompt: "GRADE: PASS") as server:
    job = json.loads(sys.argv[1])
    for side in ("candidate", "production", "judge"):
        job[side]["url"] = server.url
    # What answers everything with the same words is held to a floor that it misses: a verdict is written all the same.
    job["rules"]["minMean"] = 1
    (file := Path(folder) / "job.json").write_text(json.dumps(job))
    assert main(["gate", "--job", str(file)]) == BLOCKED
