"""What this machine has already: programs on PATH and in the folders of setup-envtest, at a version that does.

A program is asked for its version once; after that its size and its time of change say whether it is still the same.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from localcloud.directories import bin_dir, cache_dir
from localcloud.toolchain.tools import Part, does

ANSWER_SECONDS = 10
ENVTEST = frozenset({"etcd", "kube-apiserver", "kubectl"})


@dataclass(frozen=True)
class Program:
    """A program of this machine."""

    path: Path
    version: str

    def does_for(self, part: Part) -> bool:
        """Whether its version does in place of a part of ours."""
        return bool(part.accepts and does(part.accepts, part.tool.version, self.version))


def own(part: Part) -> Program | None:
    """The first program of this machine that does in place of this one."""
    return next((program for program in of_machine(part) if program.does_for(part)), None)


def of_machine(part: Part) -> Iterator[Program]:
    """Every program of this name that is not ours and prints a version, whichever."""
    if not part.accepts:
        return
    for path in _candidates(part):
        if version := version_of(path, part.prints_version):
            yield Program(path, version)


def present(part: Part) -> bool:
    """Whether the cache has the part; one that is a link must still lead to a version that does."""
    if not part.path.is_symlink():
        return part.path.exists()
    target = part.path.readlink()
    version = version_of(target, part.prints_version)
    return bool(version and Program(target, version).does_for(part))


def version_of(path: Path, arguments: list[str]) -> str | None:
    """The version that a program prints, from memory if the file is unchanged; None if it runs not or is no release."""
    try:
        stat = path.stat()
    except OSError:
        return None
    identity = f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns}"
    known = _remembered().get(str(path), {})
    if known.get("file") == identity:
        return known["version"]
    if version := _asked(path, arguments):
        _remember({**_remembered(), str(path): {"file": identity, "version": version}})
    return version


def _candidates(part: Part) -> Iterator[Path]:
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    if part.name in ENVTEST:
        folders += _envtest_folders()
    for folder in dict.fromkeys(folders):
        path = folder / part.name
        if os.access(path, os.X_OK) and path.is_file() and not _ours(path, part) and not _stand_in(path):
            yield path


def _ours(path: Path, part: Part) -> bool:
    """Whether it is a link of this clone, or of another one, to what the toolchain made."""
    if path.parent == bin_dir() or path.resolve().is_relative_to(cache_dir().resolve()):
        return True
    return part.path.exists() and path.samefile(part.path)


def _stand_in(path: Path) -> bool:
    """Whether it stands for a program that it chooses when it runs: a shim of asdf or mise, a link to k3s or snap."""
    return "shims" in path.parts or path.resolve().name != path.name


def _envtest_folders() -> list[Path]:
    """Where Kubernetes' test environment keeps its API server: said, default of old, or downloaded by setup-envtest."""
    said = os.environ.get("KUBEBUILDER_ASSETS")
    if sys.platform == "darwin":
        store = Path.home() / "Library" / "Application Support" / "io.kubebuilder.envtest"
    else:
        store = (
            Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "kubebuilder-envtest"
        )
    downloaded = sorted((store / "k8s").glob("*"), reverse=True)
    return [*([Path(said)] if said else []), *downloaded, Path("/usr/local/kubebuilder/bin")]


def _asked(path: Path, arguments: list[str]) -> str | None:
    quiet = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        done = subprocess.run(
            [path, *arguments],
            env=quiet,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ANSWER_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    # A word after the number is somebody's own build, or not yet a release: 1.37.2-eks-1, 1.38.0-rc.0.
    printed = re.search(r"(\d+\.\d+\.\d+)(\S*)", done.stdout + done.stderr)
    return printed[1] if printed and not printed[2] and not done.returncode else None


def _memory() -> Path:
    return cache_dir() / "versions.json"


def _remembered() -> dict[str, dict[str, str]]:
    try:
        return json.loads(_memory().read_text())
    except (OSError, ValueError):
        return {}


def _remember(known: dict[str, dict[str, str]]) -> None:
    draft = _memory().with_suffix(f".{os.getpid()}")
    draft.parent.mkdir(parents=True, exist_ok=True)
    draft.write_text(json.dumps(known))
    draft.replace(_memory())
