"""Measures the bus bandwidth of all_reduce over every GPU of a job, and fails under a floor.

Runs under torchrun: NCCL on GPUs, gloo on CPUs. The figures are those of nccl-tests' all_reduce_perf: algbw = S / t,
busbw = algbw · 2(n−1)/n for n ranks, which is comparable with the speed of the links whatever n is. A GB is 10⁹ bytes.
Prints one JSON object, on the first rank. Source: NVIDIA/nccl-tests, doc/PERFORMANCE.md.

Exit codes: 0 at or above the floor, 1 below it, 2 the sums were wrong, 3 the node lets a pod lock too little memory.
"""

import argparse
import json
import os
import re
import resource
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from evidence import keep

MIB = 1 << 20
GB = 1e9
BELOW_FLOOR, WRONG, LOCKED_OUT = 1, 2, 3


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options in a command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--floor-gbs", type=float, required=True, help="least bus bandwidth of the largest message, GB/s"
    )
    parser.add_argument(
        "--largest-mib", type=int, default=8192, help="messages grow to this, fourfold each time"
    )
    parser.add_argument("--smallest-mib", type=int, default=8)
    parser.add_argument("--warmup", type=int, default=5, help="operations before the clock starts")
    parser.add_argument("--repeat", type=int, default=20, help="operations that are timed together")
    parser.add_argument("--label", default="", help="what was tested: cluster, pool and fabric")
    parser.add_argument(
        "--evidence-uri", default="", help="where the result is kept: a folder, s3://… or gs://…"
    )
    parser.add_argument(
        "--locks-memory",
        action="store_true",
        help="the fabric needs all of a pod's memory to be lockable (ulimit -l)",
    )
    parser.add_argument("--timeout-seconds", type=int, default=600)
    return parser.parse_args(arguments)


def bus_bandwidth(size: int, seconds: float, ranks: int) -> float:
    """GB/s over the busiest link for an all_reduce of `size` bytes in `seconds`."""
    return size / seconds / GB * 2 * (ranks - 1) / ranks


def lockable(limit: int, machine_bytes: int) -> bool:
    """Whether a pod under this limit on locked memory (RLIMIT_MEMLOCK, bytes) may lock all that its machine has."""
    return limit == resource.RLIM_INFINITY or limit >= machine_bytes


def sizes(smallest_mib: int, largest_mib: int) -> list[int]:
    """Message sizes in bytes; the largest is always among them."""
    found = []
    size = smallest_mib
    while size < largest_mib:
        found.append(size * MIB)
        size *= 4
    return [*found, largest_mib * MIB]


def measure(size: int, device: torch.device, warmup: int, repeat: int) -> tuple[float, bool]:
    """Seconds of one all_reduce of `size` bytes, on the slowest rank, and whether its sums are right."""
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    message = torch.ones(size // dtype.itemsize, dtype=dtype, device=device)
    dist.all_reduce(message)
    right = bool((message == dist.get_world_size()).all())
    message.zero_()  # else repeated sums overflow
    for _ in range(warmup):
        dist.all_reduce(message)
    _meet(device)
    began = time.perf_counter()
    for _ in range(repeat):
        dist.all_reduce(message)
    _wait(device)
    worst = torch.tensor([(time.perf_counter() - began) / repeat, 0.0 if right else 1.0], device=device)
    dist.all_reduce(worst, op=dist.ReduceOp.MAX)
    return worst[0].item(), worst[1].item() == 0


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _meet(device: torch.device) -> None:
    """All ranks start the clock together."""
    dist.barrier()
    _wait(device)


def network(logs: str) -> str:
    """The network that NCCL says it uses, from its log at `logs` (NCCL_DEBUG_FILE, a glob); empty without one."""
    for file in sorted(Path("/").glob(logs.lstrip("/"))) if logs else ():
        found = re.search(r"Using network (.+)", file.read_text(errors="replace"))
        if found:
            return found[1].strip()
    return ""


def run(asked: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    """The result of every message size."""
    ranks = dist.get_world_size()
    rows, right = [], True
    for size in sizes(asked.smallest_mib, asked.largest_mib):
        seconds, fine = measure(size, device, asked.warmup, asked.repeat)
        right = right and fine
        rows.append(
            {
                "bytes": size,
                "seconds": seconds,
                "algbw_gbs": round(size / seconds / GB, 3),
                "busbw_gbs": round(bus_bandwidth(size, seconds, ranks), 3),
            }
        )
    busbw = rows[-1]["busbw_gbs"]
    return {
        "test": "all_reduce",
        "label": asked.label,
        "ranks": ranks,
        "nodes": ranks // int(os.environ["LOCAL_WORLD_SIZE"]),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "nccl": ".".join(map(str, torch.cuda.nccl.version())) if device.type == "cuda" else "",
        "network": network(os.environ.get("NCCL_DEBUG_FILE", "").replace("%h", "*").replace("%p", "*")),
        "sizes": rows,
        "busbw_gbs": busbw,
        "floor_gbs": asked.floor_gbs,
        "sums_right": right,
        "passed": right and busbw >= asked.floor_gbs,
    }


def main(arguments: list[str]) -> int:
    """Measures as the command line says; the exit code, the same on every rank."""
    asked = parse(arguments)
    limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    if asked.locks_memory and not lockable(limit, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")):
        print(json.dumps({"event": "locked out", "ulimit_l_bytes": limit}), flush=True)
        return LOCKED_OUT
    cuda = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if cuda else "gloo", timeout=timedelta(seconds=asked.timeout_seconds))
    try:
        result = run(asked, device)
        if dist.get_rank() == 0:
            print(json.dumps(result), flush=True)
            if asked.evidence_uri:
                print(json.dumps({"event": "kept", "at": keep(result, asked.evidence_uri)}), flush=True)
        dist.barrier()  # a rank that leaves early would make torchrun end the first one before it has written
    finally:
        dist.destroy_process_group()
    if not result["sums_right"]:
        return WRONG
    return 0 if result["passed"] else BELOW_FLOOR


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
