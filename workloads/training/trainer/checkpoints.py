"""Sharded checkpoints of a training job: torch.distributed.checkpoint (DCP), published by manifests.

Each rank copies its shards to host memory, and a thread writes them while the training goes on. What is saved on one
world and mesh is loaded on any other.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from io import RawIOBase
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.fsspec_filesystem import FsspecReader, FsspecWriter
from torch.distributed.checkpoint.metadata import Metadata
from torch.distributed.checkpoint.storage import WriteResult
from torch.distributed.tensor import DTensor

from .agreement import from_first
from .host_copy import HostCopy
from .publication import DamagedError, File, Folder, Published, new_name, refusals
from .recipe import RecipeError

State = dict[str, Any]


@dataclass(frozen=True)
class Save:
    """A save that is over: the seconds that training stood still for it, and that it took altogether."""

    step: int
    stall_seconds: float
    seconds: float


class Checkpoints:
    """The checkpoints under `uri`. Every rank makes one, and calls each method together with the others."""

    def __init__(self, uri: str, keep: int = 2, keep_hours: float | None = None) -> None:
        self.folder = Folder(uri)
        self._keep, self._keep_hours = keep, keep_hours
        # Of its own: the thread's collectives must not meet those of the training, on whatever network they are.
        self._group = dist.new_group(backend="gloo")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._copy = HostCopy()
        self._pending: Future[Save] | None = None

    def newest_good(self, model: str, description: str) -> tuple[Published | None, list[str]]:
        """See `newest_good_of_all`; RecipeError too if the newest is of another `model` (a fingerprint)."""
        return newest_good_of_all(
            self.folder, lambda one: refuse_other(one, model, description, self.folder.uri)
        )

    def tidy(self) -> None:
        """Removes what interrupted saves left. Only at the start: then nobody writes."""
        from_first(self.folder.remove_unpublished)

    def require_room(self, state: State) -> None:
        """Raises RecipeError if a disk can't hold two checkpoints. Of an object store nobody knows."""
        if not self.folder.on_disk:
            return
        needed = _from_sum(sum(_local(value).nbytes for value in _tensors(state)))
        from_first(lambda: self.folder.require_room(2 * needed))

    def load(self, published: Published, state: State) -> None:
        """Fills the tensors of `state` in place, whatever ranks wrote them."""
        reader = FsspecReader(f"{self.folder.uri}/{published.name}")
        with _one_cause(), refusals(self.folder.uri):
            dcp.load(state, storage_reader=reader)

    def start(self, step: int, state: State, details: dict[str, Any]) -> float:
        """Begins to save `state` as of `step`; the seconds that the copy took. Waits for the save before it."""
        began = time.perf_counter()
        self.wait()
        copy = self._copy.of(state)
        stalled = time.perf_counter() - began
        name = from_first(lambda: new_name(step))
        self._pending = self._writer.submit(self._save, name, step, copy, details, stalled)
        return stalled

    def saving(self) -> bool:
        """Whether a save of this rank is under way."""
        return self._pending is not None and not self._pending.done()

    def wait(self) -> Save | None:
        """The save that was under way, once it is over; its error is raised here."""
        pending, self._pending = self._pending, None
        return pending.result() if pending else None

    def finished(self) -> Save | None:
        """The save that ended since the last call."""
        return None if self.saving() else self.wait()

    def _save(self, name: str, step: int, state: State, details: dict[str, Any], stalled: float) -> Save:
        began = time.perf_counter()
        writer = _Writer(f"{self.folder.uri}/{name}")
        with _one_cause():
            dcp.save(state, storage_writer=writer, process_group=self._group)
        written: list[list[File]] = [[] for _ in range(dist.get_world_size())]
        dist.all_gather_object(written, writer.written(), group=self._group)

        def publish() -> None:
            self.folder.publish(name, [file for files in written for file in files], details)
            self.folder.retire(self._keep, self._keep_hours)

        from_first(publish, self._group)
        return Save(step, stalled, time.perf_counter() - began + stalled)


@contextmanager
def _one_cause() -> Iterator[None]:
    """DCP tells all ranks what went wrong on each, in an exception that is no Exception: the first cause instead."""
    try:
        yield
    except dcp.CheckpointException as error:
        causes = [cause for cause, _ in error.failures.values()]
        raise next((one for one in causes if isinstance(one, RecipeError)), causes[0]) from error


def fingerprint(shapes: dict[str, list[int]]) -> str:
    """A digest of the names and shapes of a model's parameters, the same on every mesh."""
    return hashlib.sha256(json.dumps(shapes, sort_keys=True).encode()).hexdigest()[:16]


def newest_good_of_all(
    folder: Folder, refuse: Callable[[Published], None]
) -> tuple[Published | None, list[str]]:
    """The newest checkpoint whose digests are right, and what was wrong with newer ones. All ranks share the reading.

    RecipeError: `refuse` raises it, or there are checkpoints and none is good.
    """
    damages: list[str] = []
    for candidate in from_first(folder.published):
        refuse(candidate)
        damage = _gathered(_damage(folder, candidate))
        if not damage:
            return candidate, damages
        damages.append(damage[0])
    if damages:
        raise RecipeError(
            f"no checkpoint in {folder.uri} is good ({damages[0]}): restore one, or empty the folder"
        )
    return None, damages


def _damage(folder: Folder, published: Published) -> str | None:
    try:
        folder.verify(published, dist.get_rank(), dist.get_world_size())
    except DamagedError as error:
        return str(error)
    return None


def refuse_other(candidate: Published, model: str, description: str, uri: str) -> None:
    """Raises RecipeError if a checkpoint is of another model."""
    if candidate.details.get("model") != model:
        raise RecipeError(
            f"{uri}/{candidate.name} is a checkpoint of another model ({candidate.details.get('description')}), "
            f"and the recipe's is {description}: give another folder for checkpoints, or the model that it is of"
        )


def _tensors(state: Any) -> Iterator[torch.Tensor]:
    if isinstance(state, torch.Tensor):
        yield state
    elif isinstance(state, dict | list | tuple):
        for value in state.values() if isinstance(state, dict) else state:
            yield from _tensors(value)


def _local(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def _gathered(value: str | None) -> list[str]:
    values: list[str | None] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return [one for one in values if one]


def _from_sum(value: int) -> int:
    total = torch.tensor([value])
    dist.all_reduce(total)
    return int(total.item())


class _Digested(RawIOBase):
    """A stream that is written once, front to back, and its digest."""

    def __init__(self, stream: Any) -> None:
        self.stream, self.size, self.digest = stream, 0, hashlib.sha256()

    def write(self, content: Any) -> int:
        view = memoryview(content).cast("B")
        self.stream.write(view)
        self.digest.update(view)
        self.size += view.nbytes
        return view.nbytes

    def tell(self) -> int:
        return self.size

    def flush(self) -> None:
        self.stream.flush()

    def fileno(self) -> int:
        return self.stream.fileno()

    def writable(self) -> bool:
        return True


class _Writer(FsspecWriter):
    """Notes what it writes, renames nothing, and makes folders on a disk alone: an object store has none."""

    def __init__(self, uri: str) -> None:
        super().__init__(uri)
        self._digests: dict[str, _Digested] = {}
        create = self.fs.create_stream

        @contextmanager
        def create_stream(path: Any, mode: str) -> Iterator[Any]:
            with refusals(uri), create(path, mode) as stream:
                if mode != "wb":
                    yield stream
                    return
                digested = _Digested(stream)
                yield digested
                self._digests[str(path).rsplit("/", 1)[-1]] = digested

        self.fs.create_stream = create_stream
        if not Folder(uri).on_disk:
            # s3fs would ask about the bucket, or make it.
            self.fs.mkdir = lambda path: None

    def written(self) -> list[File]:
        """The files that this rank wrote."""
        return [File(name, one.size, one.digest.hexdigest()) for name, one in self._digests.items()]

    def finish(self, metadata: Metadata, results: list[list[WriteResult]]) -> None:
        """Writes DCP's own table of contents at its final name: nobody reads it before the manifest is there."""
        metadata.storage_data = {result.index: result.storage_data for rank in results for result in rank}
        metadata.storage_meta = self.storage_meta()
        with self.fs.create_stream(self.fs.concat_path(self.path, ".metadata"), "wb") as stream:
            pickle.dump(metadata, stream)
