"""What the compression Job does: its program, told the document of its ConfigMap; the same when it is done already; and
weights of a size that goes up in parts, as those of real models do."""

import json
import sys
import tempfile
from pathlib import Path

import torch

from workloads.compression.programs.__main__ import main
from workloads.compression.programs.published import publish

LARGE = 101 << 20  # bytes: s3fs sends what is smaller than 100 MiB at once

# Threads of one small product wait for each other on a busy machine.
torch.set_num_threads(1)
with tempfile.TemporaryDirectory() as folder:
    job = Path(folder) / "job.json"
    job.write_text(sys.argv[1])
    for _ in range(2):
        assert main(["--job", str(job)]) == 0
    (large := Path(folder) / "large").mkdir()
    with (large / "model.safetensors").open("wb") as weights:
        weights.truncate(LARGE)
    publish(large, f"{json.loads(sys.argv[1])['target']}-large", {})
