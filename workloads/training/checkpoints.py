"""Checkpoints of one training job in one folder, on a disk or in an object store.

`step-00000042/` is a torch.distributed.checkpoint (DCP): each rank writes its shards, and `.metadata` is written last.
A folder without `.metadata` was interrupted: it is never loaded, and is removed before its step is written again, for
DCP does not survive two writers of one folder.

All that it asks of a store is about objects below its own folder: a grant for a prefix holds no right to the bucket.
"""

import re
from typing import Any

import fsspec
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from fsspec.implementations.local import LocalFileSystem
from torch.distributed.checkpoint.fsspec_filesystem import FsspecReader, FsspecWriter

_FILE = re.compile(r"step-(\d{8})/(.+)")


class Checkpoints:
    """Checkpoints under `uri` (a path, or `s3://bucket/prefix`), the newest `keep` of them. Every rank makes one and
    calls each method together with the others."""

    def __init__(self, uri: str, keep: int = 2) -> None:
        self._uri = uri.rstrip("/")
        self._files, self._root = fsspec.core.url_to_fs(self._uri)
        self._keep = keep

    def newest(self) -> int | None:
        """The step of the newest complete checkpoint, None if there is none; removes interrupted ones."""
        if dist.get_rank() == 0:
            complete = self._steps(complete=True)
            for step in self._steps(complete=False):
                self._remove(step)
            found = [max(complete, default=None)]
        else:
            found = [None]
        dist.broadcast_object_list(found)
        return found[0]

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Writes `state` as of `step`, and then removes what is older than the newest `keep`."""
        dcp.save(state, storage_writer=_Writer(f"{self._uri}/step-{step:08d}"))
        if dist.get_rank() == 0:
            for old in self._steps(complete=True)[: -self._keep]:
                self._remove(old)

    def load(self, step: int, state: dict[str, Any]) -> None:
        """Fills the tensors of `state` in place, whatever the number of ranks that wrote them."""
        dcp.load(state, storage_reader=FsspecReader(f"{self._uri}/step-{step:08d}"))

    def _remove(self, step: int) -> None:
        folder = f"{self._root}/step-{step:08d}"
        if isinstance(self._files, LocalFileSystem):
            self._files.rm(folder, recursive=True)
        else:
            # The objects that are there, and not the folder, which is none: to remove what is not there may be refused.
            self._files.rm(self._files.find(folder))

    def _steps(self, *, complete: bool) -> list[int]:
        """Steps whose `.metadata` is there, or is not. By a list: of one object that is not there, a store may say that
        it refuses to tell."""
        self._files.invalidate_cache()
        found: dict[int, bool] = {}
        for path in self._files.find(self._root):
            if file := _FILE.fullmatch(path[len(self._root) :].lstrip("/")):
                step = int(file[1])
                found[step] = found.get(step, False) or file[2] == ".metadata"
        return sorted(step for step, is_complete in found.items() if is_complete is complete)


class _Writer(FsspecWriter):
    """Makes folders on a disk alone: an object store has none, and s3fs would ask about the bucket, or make it."""

    def __init__(self, uri: str) -> None:
        super().__init__(uri)
        if not isinstance(self.fs.fs, LocalFileSystem):
            self.fs.mkdir = lambda path: None
