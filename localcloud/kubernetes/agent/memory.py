"""The memory limit of a container: what its processes hold, looked at now and then. There is no cgroup of its own."""

from __future__ import annotations

from dataclasses import dataclass

import psutil

from localcloud.kubernetes.agent.quantities import number
from localcloud.kubernetes.api import Object


@dataclass
class Watch:
    """The processes below `pid`, and the bytes that they may hold together."""

    pid: int
    limit: int
    exceeded: bool = False

    @classmethod
    def of(cls, container: Object, pid: int) -> Watch | None:
        """A watch over a container's limit; None if it has none, or one that this machine has no memory for."""
        limit = ((container.get("resources") or {}).get("limits") or {}).get("memory")
        if limit is None or number(limit) >= psutil.virtual_memory().total:
            return None
        return cls(pid, int(number(limit)))

    def look(self) -> bool:
        """Whether the processes hold more than the limit."""
        try:
            members = psutil.Process(self.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return False
        self.exceeded = sum(map(_resident, members)) > self.limit
        return self.exceeded


def _resident(process: psutil.Process) -> int:
    """Its own memory: pages of files and those shared with others are the machine's."""
    try:
        memory = process.memory_info()
        return memory.rss - getattr(memory, "shared", 0)
    except psutil.NoSuchProcess:
        return 0
