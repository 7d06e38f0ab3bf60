"""The replicas of a model, a pod each, that go on without one that is gone and heal one that comes back (torchft).

Inside a pod nothing differs: its ranks are a mesh of their own. Before each step the replicas that are there agree on
who they are (a quorum), and one that is behind copies the state of another. Each computes its share of the same batch,
whose size never changes; the gradients are summed over the replicas, and the step counts only if nobody was lost
meanwhile.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.distributed as dist
from torch.distributed import ReduceOp
from torch.distributed.tensor import DTensor
from torch.utils._pytree import tree_leaves
from torchft.checkpointing import HTTPTransport
from torchft.manager import Manager
from torchft.process_group import ProcessGroupGloo, ProcessGroupNCCL

from .ledger import Ledger
from .order import Share, positions_of_share, share
from .recipe import RecipeError

if TYPE_CHECKING:
    from .loop import Training

# Gradients that are summed in one call.
BUCKET_BYTES = 64 << 20
# torchft tells of each step at this level.
logging.getLogger("torchft").setLevel(logging.ERROR)


class Replicas:
    """The replica of a pod among the others. Every rank of the pod has one, and calls each method with its neighbours.

    The others wait for a replica from the moment that it has this: make it when the model is loaded.
    """

    def __init__(self, training: Training, ledger: Ledger, pod_index: int, timeout_seconds: float) -> None:
        self._training, self._ledger = training, ledger
        self._asked = training.recipe.replicas or 1
        self._parts = self._asked * training.recipe.accumulate
        # Of a peer that is gone without a word: a fifth of what a step that hangs gets.
        timeout = timedelta(seconds=timeout_seconds / 5)
        group = ProcessGroupNCCL if training.device.type == "cuda" else ProcessGroupGloo
        host = os.environ.get("POD_IP") or os.environ["MASTER_ADDR"]
        self._group = group(timeout=timeout)
        self._manager = Manager(
            pg=self._group,
            state_dict=self._give,
            load_state_dict=self._take,
            min_replica_size=1,
            # The quorum first: who heals then takes part in the step, and the shares are known before it.
            use_async_quorum=False,
            # All begin with the same weights, or with those of the same checkpoint.
            init_sync=False,
            timeout=timeout,
            quorum_timeout=timedelta(seconds=timeout_seconds),
            connect_timeout=timedelta(seconds=timeout_seconds),
            # Of a lighthouse that starts anew: the timeout is shared by so many tries, and with none of them it is one
            # pause.
            quorum_retries=100,
            hostname=host,
            store_addr=host,
            replica_id=f"{pod_index:05d}",
            lighthouse_addr=_lighthouse(),
            checkpoint_transport=_Transport(host, timeout),
        )
        self._manager.load_state_dict({"step": training.step, "batches_committed": 0})
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="data")
        self._ahead: tuple[tuple[int, Share], Future[np.ndarray]] | None = None
        self._members = 0
        self.first = False
        self.waited = 0.0

    def train_step(self) -> tuple[torch.Tensor, torch.Tensor]:
        """One optimizer step of all replicas, tried until it counts; as `Training.train_step`, the loss of all.

        waited: the seconds of it before the try that counted began. first: whether this replica is the one that saves.
        """
        training, began = self._training, time.perf_counter()
        while True:
            mine = self._meet()
            self.waited = time.perf_counter() - began
            rows = torch.from_numpy(self._rows(mine).astype(np.int64)).to(training.device)
            loss = self._sum(training.gradients(rows, mine.parts), mine.parts / self._parts)
            if self._manager.should_commit():
                return loss, training.update()
            training.optimizer.zero_grad()
            _say(f"event=not-counted step={training.step + 1} reason='a replica was lost'")

    def leave(self) -> None:
        """Lets the others go on without this one."""
        self._manager.shutdown(wait=False)
        self._reader.shutdown(wait=False, cancel_futures=True)

    def _meet(self) -> Share:
        """What this replica computes of the next step, once it is known who takes part; heals it if it is behind."""
        self._manager.start_quorum()
        rank, members = self._manager.participating_rank(), self._manager.num_participants()
        assert rank is not None
        self.first = rank == 0
        if members != self._members:
            step = self._training.step + 1
            _say(f"event=quorum step={step} replicas={members} of={self._asked} rank={rank}")
            self._members = members
        return share(rank, members, self._parts)

    def _rows(self, mine: Share) -> np.ndarray:
        """The rows of this rank in the next batch, while those of the batch after it are read."""
        wanted = (self._training.consumed, mine)
        ahead = self._ahead[1] if self._ahead and self._ahead[0] == wanted else self._read(wanted)
        rows = ahead.result()
        after = (wanted[0] + self._training.recipe.batch, mine)
        self._ahead = (after, self._read(after))
        return rows

    def _read(self, wanted: tuple[int, Share]) -> Future[np.ndarray]:
        training, (consumed, mine) = self._training, wanted
        rank, ranks, batch = dist.get_rank(), dist.get_world_size(), training.recipe.batch
        wanted_rows = positions_of_share(consumed, batch, self._parts, mine, rank, ranks)
        return self._reader.submit(training.source.rows, wanted_rows)

    def _sum(self, loss: torch.Tensor, weight: float) -> torch.Tensor:
        """Leaves the gradients of the whole batch, of which this replica's are `weight`; the loss of it."""
        gradients = [_local(one.grad) for one in self._training.parameters if one.grad is not None]
        total = loss * weight
        works = [self._manager.allreduce(total, reduce_op=ReduceOp.SUM)]
        flat = []
        for bucket in _buckets(gradients):
            flat.append((bucket, torch.cat([one.flatten() for one in bucket]).mul_(weight)))
            works.append(self._manager.allreduce(flat[-1][1], reduce_op=ReduceOp.SUM))
        for work in works:
            work.wait()
        if self._manager.errored():
            # Hang up: a neighbour in the ring, who may still have both of its own, would wait for the timeout.
            self._group.abort()
        for bucket, summed in flat:
            for one, part in zip(bucket, summed.split([one.numel() for one in bucket]), strict=True):
                one.copy_(part.view_as(one))
        return total

    def _give(self) -> dict[str, Any]:
        """What one that is behind copies: this rank's shards, and how far the job is."""
        training = self._training
        return {
            "tensors": [_local(each).detach() for each in tree_leaves(training.state())],
            "step": training.step,
            "consumed": training.consumed,
            "ledger": self._ledger.document(),
        }

    def _take(self, given: dict[str, Any]) -> None:
        training, state = self._training, self._training.state()
        for mine, theirs in zip(tree_leaves(state), given["tensors"], strict=True):
            _local(mine).copy_(theirs)
        training.restore(state, given["step"], given["consumed"])
        self._ledger.replace(given["ledger"])
        _say(f"event=healed step={training.step}")


class _Transport(HTTPTransport[Any]):
    """The state of a replica over HTTP, at an address that other pods know: a pod's hostname is none."""

    def __init__(self, host: str, timeout: timedelta) -> None:
        self._host = host
        super().__init__(timeout=timeout, num_chunks=0)

    def address(self) -> str:
        """Where it is served; the step is added to it."""
        return f"http://{self._host}:{self._server.socket.getsockname()[1]}/checkpoint/"


def _buckets(tensors: list[torch.Tensor]) -> Iterator[list[torch.Tensor]]:
    bucket: list[torch.Tensor] = []
    for tensor in tensors:
        if bucket and sum(one.nbytes for one in bucket) + tensor.nbytes > BUCKET_BYTES:
            yield bucket
            bucket = []
        bucket.append(tensor)
    yield bucket


def _local(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def _lighthouse() -> str:
    if address := os.environ.get("TORCHFT_LIGHTHOUSE"):
        return address
    raise RecipeError(
        "replicas is set, and TORCHFT_LIGHTHOUSE is not: give the address of python -m trainer.lighthouse"
    )


def _say(line: str) -> None:
    if dist.get_rank() == 0:
        print(line, flush=True)
