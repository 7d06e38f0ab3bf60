# pyright: reportMissingImports=false
"""What one writes without a trainer: a plain loop of torch under torchrun, which saves to a disk each N steps."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from workloads.training.trainer import models
from workloads.training.trainer.data import Builtin
from workloads.training.trainer.order import positions


def main(folder: Path, every: int, steps: int, batch: int, sequence: int) -> int:
    """Train on from the latest checkpoint; prints each step as the trainer does."""
    dist.init_process_group("gloo")
    rank, world = dist.get_rank(), dist.get_world_size()
    model = models.tiny(0)
    wrapped = DistributedDataParallel(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4)
    step, latest = 0, folder / "latest.pt"
    if latest.exists():
        saved = torch.load(latest)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        step = saved["step"]
    source = Builtin(sequence, 0)
    while step < steps:
        began = time.perf_counter()
        rows = torch.from_numpy(source.rows(positions(step * batch, batch, rank, world)).astype(np.int64))
        loss = wrapped(input_ids=rows, labels=rows).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        step += 1
        if rank == 0:
            speed = batch * sequence / (time.perf_counter() - began)
            print(f"step={step}/{steps} loss={loss.item():.6f} tokens_per_second={speed:.0f}", flush=True)
        if step % every == 0:
            began = time.perf_counter()
            if rank == 0:
                document = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
                torch.save(document, folder / "draft.pt")
                os.replace(folder / "draft.pt", latest)
                print(f"event=saved seconds={time.perf_counter() - began:.4f}", flush=True)
            dist.barrier()
    dist.destroy_process_group()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *map(int, sys.argv[2:])))
