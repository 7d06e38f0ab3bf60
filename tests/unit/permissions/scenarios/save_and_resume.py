"""What the training program does with its checkpoints: save, prune, resume after an interrupted save, load."""

import sys
import tempfile

import fsspec
import torch
import torch.distributed as dist
from checkpoints import Checkpoints

LARGE = 60 << 20  # bytes: more than one part of a multipart upload, as real shards are

uri = sys.argv[1]
dist.init_process_group("gloo", init_method=f"file://{tempfile.mktemp()}", rank=0, world_size=1)
checkpoints = Checkpoints(uri)
assert checkpoints.newest() is None
for step in (1, 2, 3):
    checkpoints.save(step, {"weights": torch.full((LARGE // 4,), float(step)), "step": step})
files, root = fsspec.core.url_to_fs(uri)
with files.open(f"{root}/step-00000004/__0_0.distcp", "wb") as shard:
    shard.write(b"half a shard")

resumed = Checkpoints(uri)
assert resumed.newest() == 3
state = {"weights": torch.zeros(LARGE // 4), "step": 0}
resumed.load(3, state)
assert state["weights"].unique().tolist() == [3.0]
files.invalidate_cache()
kept = {path[len(root) + 1 :].partition("/")[0] for path in files.find(root)}
assert kept == {"step-00000002", "step-00000003"}, kept
dist.destroy_process_group()
