"""What the trainer does with its checkpoints: save, prune, resume after an interrupted save, load."""

import sys
import tempfile

import torch
import torch.distributed as dist
from trainer.checkpoints import Checkpoints
from trainer.ledger import read_runs, write_runs

LARGE = 60 << 20  # bytes: more than one part of a multipart upload, as real shards are
MODEL, DESCRIPTION = "digest", "a model"

uri = sys.argv[1]
dist.init_process_group("gloo", init_method=f"file://{tempfile.mktemp()}", rank=0, world_size=1)
checkpoints = Checkpoints(uri)
checkpoints.tidy()
assert checkpoints.newest_good(MODEL, DESCRIPTION) == (None, [])
assert read_runs(checkpoints.folder) == []
for step in (1, 2, 3):
    state = {"weights": torch.full((LARGE // 4,), float(step)), "step": step}
    checkpoints.start(step, state, {"model": MODEL, "description": DESCRIPTION})
checkpoints.wait()
write_runs(checkpoints.folder, [[0.0, 1.0]])
checkpoints.folder.write("step-00000004-0a1b2c3d", "__0_0.distcp", b"half a shard")

resumed = Checkpoints(uri)
resumed.tidy()
newest, damages = resumed.newest_good(MODEL, DESCRIPTION)
assert newest and newest.step == 3 and damages == []
state = {"weights": torch.zeros(LARGE // 4), "step": 0}
resumed.load(newest, state)
assert state["weights"].unique().tolist() == [3.0]
assert {name[: len("step-00000000")] for name in resumed.folder.names()} == {"step-00000002", "step-00000003"}
assert read_runs(resumed.folder) == [[0.0, 1.0]]
dist.destroy_process_group()
