"""Files of the user's cache that are there whole or not at all, and the room for them."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from localcloud.directories import cache_dir
from localcloud.toolchain.errors import ToolchainError

GIB = 1 << 30


def downloads() -> Path:
    """Where downloads are kept until all is in place, so that one which broke off goes on."""
    return cache_dir() / "downloads"


def atomically(target: Path, make: Callable[[Path], object]) -> None:
    """Let `make` fill a file or a folder beside the target, then move it there: a killed run leaves no half of it."""
    draft = target.with_name(f"{target.name}.draft")
    remove(draft)
    draft.parent.mkdir(parents=True, exist_ok=True)
    make(draft)
    remove(target)
    draft.rename(target)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def require_space(needed: int, what: str) -> None:
    """Refuse what the disk has no room for, before it begins."""
    free = shutil.disk_usage(cache_dir()).free
    if free < needed:
        raise ToolchainError(
            f"{what} needs about {needed / GIB:.1f} GiB and {cache_dir()} has {free / GIB:.1f} GiB free: "
            "make room, or point XDG_CACHE_HOME (and GOCACHE and GOMODCACHE) at a larger disk"
        )


@contextmanager
def room(what: str) -> Iterator[None]:
    """Turn the system's word for a full disk into ours."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise ToolchainError(
            f"the disk is full while {what}: make room and run again; nothing is lost"
        ) from None
