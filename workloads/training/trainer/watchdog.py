"""Ends a process whose step never ends: a collective waits for a rank that is gone, and would wait for ever."""

from __future__ import annotations

import faulthandler
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

HUNG = 70


class Watchdog:
    """Ends the process with `HUNG` if `beat` is not called for `seconds`; says where it hangs, and writes a record."""

    def __init__(self, seconds: float, rank: int, end: Callable[[int], None] = os._exit) -> None:
        self._seconds, self._rank, self._end = seconds, rank, end
        self._step, self._beaten, self._paused = 0, time.monotonic(), 0
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def beat(self, step: int) -> None:
        """Says that `step` begins."""
        self._step, self._beaten = step, time.monotonic()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Does not count the time of what may take long, such as a store that is slow."""
        self._paused += 1
        try:
            yield
        finally:
            self._paused -= 1
            self._beaten = time.monotonic()

    def _watch(self) -> None:
        while True:
            time.sleep(min(1.0, self._seconds / 4))
            if not self._paused and time.monotonic() - self._beaten > self._seconds:
                record = flight_record(self._rank)
                print(
                    f"event=hung rank={self._rank} step={self._step} seconds={self._seconds:g} record={record}",
                    file=sys.stderr,
                    flush=True,
                )
                faulthandler.dump_traceback(sys.stderr, all_threads=True)
                self._end(HUNG)
                return


def flight_record(rank: int) -> Path:
    """Writes where all threads are and, with NCCL, torch's flight recorder: which collective each rank was in."""
    folder = Path(tempfile.gettempdir())
    record = folder / f"hung-rank-{rank}.txt"
    with record.open("w") as stream:
        faulthandler.dump_traceback(stream, all_threads=True)
    import torch
    import torch.distributed as dist

    if torch.cuda.is_available() and dist.is_nccl_available():
        # What `torchfrtrace` reads; its size is set by TORCH_FR_BUFFER_SIZE.
        trace = torch._C._distributed_c10d._dump_nccl_trace()
        (folder / f"flight-rank-{rank}").write_bytes(trace)
    return record
