"""What a workload runs where there is no cluster of the stack: rented machines, or a serverless GPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# Names of shell variables that `Burst.command` may use; whoever writes for a provider sets them.
FIRST_NODE, SERVER_KEY = "FIRST_NODE", "SERVER_KEY"


@dataclass(frozen=True)
class Burst:
    """A container on each of `nodes` machines, started by one line of shell."""

    name: str
    image: str
    """A reference, which may begin with `{registry}` as in the settings."""
    command: str
    """The shell's. It may use $FIRST_NODE, the address at which all meet, and $SERVER_KEY, which clients of a server
    must then send."""
    gpus: int
    """Of each node."""
    nodes: int = 1
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    """Texts by their path in `directory`."""
    directory: str = ""
    """Where the files lie in the container, and where the command starts."""
    writes: str | None = None
    """The role of the lake's bucket that it writes to. `{role}` in its texts is the address of a bucket of the lake."""
    port: int | None = None
    """Where it answers HTTP; None for a job, which ends."""
    health: str = "/health"
    """The path that answers 200 once it is ready."""
    resumes: tuple[int, ...] = ()
    """Exit codes that mean: saved, start me again."""
