"""Which files the projects themselves publish, and where: `releases.csv`, and a mirror inside a company.

`INDIA_AI_INFRA_RELEASES` is an address under which the sites' names are folders
(`https://mirror.example/releases` has `https://mirror.example/releases/github.com/etcd-io/…`), or `none`.
"""

from __future__ import annotations

import csv
import functools
import os
import platform
from dataclasses import dataclass
from urllib.parse import urlsplit

from localcloud.toolchain.errors import ToolchainError
from localcloud.toolchain.tools import MODULES, Part

MIRROR = "INDIA_AI_INFRA_RELEASES"
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True)
class Release:
    """A published file and the program in it. `sha256` is what we pin; where it is empty, `checksums` is the address of
    the checksums that the project publishes beside its files.
    """

    tool: str
    version: str
    program: str
    platform: str
    url: str
    member: str
    sha256: str
    checksums: str
    sha256_source: str
    read: str

    @property
    def name(self) -> str:
        """The file's name."""
        return self.url.rsplit("/", 1)[-1]


@functools.cache
def table() -> list[Release]:
    """The rows of releases.csv."""
    with (MODULES / "releases.csv").open(newline="") as rows:
        return [Release(**row) for row in csv.DictReader(rows)]


def of(part: Part) -> Release | None:
    """What is published of a part for this machine, at the version that we pin."""
    wanted = (part.tool.name, part.name, part.tool.version, this_platform())
    return next(
        (row for row in table() if (row.tool, row.program, row.version, row.platform) == wanted), None
    )


def this_platform() -> str:
    """The platform of this machine as releases name it, such as `linux/amd64`."""
    machine = platform.machine().lower()
    return f"{platform.system().lower()}/{_ARCHITECTURES.get(machine, machine)}"


def address(url: str) -> str:
    """Where a published file is fetched from: its own site, or the mirror."""
    mirror = os.environ.get(MIRROR, "").strip().rstrip("/")
    if not mirror:
        return url
    if not secure(mirror):
        raise ToolchainError(
            f"{MIRROR} is {mirror}: it must be an https address under which the release sites are folders, or `none`"
        )
    parts = urlsplit(url)
    return f"{mirror}/{parts.netloc}{parts.path}"


def refused() -> bool:
    """Whether the user wants nothing that others have built."""
    return os.environ.get(MIRROR, "").strip().lower() == "none"


def secure(url: str) -> bool:
    """Whether nobody on the way can change what comes: https, or this machine itself."""
    parts = urlsplit(url)
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    )


def site(url: str) -> str:
    """The scheme and host of a URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
