"""A copy of a state in host memory, in one buffer that is kept: a save stands still for the copy alone."""

from __future__ import annotations

from typing import Any

import torch
from torch.distributed.tensor import DTensor


class HostCopy:
    """Memory for the latest state. Whoever still reads the one before must be done: it is written over.

    Pinned where there is CUDA, so that tensors are copied at the speed of the bus, and beside each other. DCP's own
    stagers fail on CPUs: "copy_() on an invalid python storage".
    """

    def __init__(self) -> None:
        self._kept: Any = None

    def of(self, state: Any) -> Any:
        """The same state in this memory."""
        self._kept = _filled(self._kept, state)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return self._kept


def _filled(kept: Any, value: Any) -> Any:
    if isinstance(value, DTensor):
        before = kept.to_local() if isinstance(kept, DTensor) else None
        return DTensor(_filled(before, value.to_local()), value._spec, requires_grad=False)
    if isinstance(value, torch.Tensor):
        if not isinstance(kept, torch.Tensor) or (kept.shape, kept.dtype) != (value.shape, value.dtype):
            kept = torch.empty(value.shape, dtype=value.dtype, pin_memory=torch.cuda.is_available())
        return kept.copy_(value.detach(), non_blocking=True)
    if isinstance(value, dict):
        before = kept if isinstance(kept, dict) else {}
        return {name: _filled(before.get(name), each) for name, each in value.items()}
    return value
