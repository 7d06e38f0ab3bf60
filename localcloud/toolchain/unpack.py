"""Takes one program out of a download: no other file of an archive is written, no path of its own followed."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from pathlib import Path

from localcloud.toolchain.cache import room
from localcloud.toolchain.sites import UnavailableError


def unpack(archive: Path, member: str, draft: Path) -> None:
    """Put one member of an archive at `draft`, executable; without a `member` the archive is the program itself."""
    with room(f"unpacking {archive.name}"):
        if not member:
            archive.rename(draft)
        elif archive.suffix == ".zip":
            _from_zip(archive, member, draft)
        else:
            _from_tar(archive, member, draft)
    draft.chmod(0o755)


def _from_tar(archive: Path, member: str, draft: Path) -> None:
    with tarfile.open(archive) as files:
        for entry in files:
            content = (
                files.extractfile(entry)
                if entry.isfile() and entry.name.removeprefix("./") == member
                else None
            )
            if content:
                with content, draft.open("wb") as file:
                    shutil.copyfileobj(content, file)
                return
    raise UnavailableError(f"{archive.name} has no {member}")


def _from_zip(archive: Path, member: str, draft: Path) -> None:
    with zipfile.ZipFile(archive) as files:
        if member not in files.namelist():
            raise UnavailableError(f"{archive.name} has no {member}")
        with files.open(member) as content, draft.open("wb") as file:
            shutil.copyfileobj(content, file)
