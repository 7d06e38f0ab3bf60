"""A team's own training program: torch's own writer of checkpoints, as it comes."""

import sys
import tempfile

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.fsspec_filesystem import FsspecReader, FsspecWriter

uri = f"{sys.argv[1]}/own"
dist.init_process_group("gloo", init_method=f"file://{tempfile.mktemp()}", rank=0, world_size=1)
dcp.save({"weights": torch.ones(8)}, storage_writer=FsspecWriter(uri))
state = {"weights": torch.zeros(8)}
dcp.load(state, storage_reader=FsspecReader(uri))
assert state["weights"].sum().item() == 8
dist.destroy_process_group()
