"""The client libraries that pods have: their images pin others than this project does."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from localcloud.directories import PROJECT, cache_dir
from localcloud.environments import environment as built

# torch and numpy are those of the tests, at the versions of the images that are not ours.
SHARED = ("torch", "numpy")


def interpreter(image: str) -> tuple[Path, list[Path]]:
    """The Python that has what the image of a workload has, and the folders that it looks in besides."""
    file = PROJECT / "workloads" / image / "requirements.txt"
    if file.exists():
        return built(file), []
    return Path(sys.executable), [folder(image)]


def folder(image: str) -> Path:
    """A folder with the libraries of an image that is not ours, installed once by uv and kept in the user's cache."""
    wanted = yaml.safe_load(Path(__file__).with_name("clients.yaml").read_text())[image]["requirements"]
    place = cache_dir() / "clients" / f"{image}-{hashlib.sha256(repr(wanted).encode()).hexdigest()[:12]}"
    place.parent.mkdir(parents=True, exist_ok=True)
    # Two processes of one run of the tests may want it at once.
    with place.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            _install(wanted, place)
    return place


def _install(wanted: Sequence[str], place: Path) -> None:
    being_made = place.with_suffix(".new")
    shutil.rmtree(being_made, ignore_errors=True)
    uv = Path(sys.executable).with_name("uv")
    being_made.mkdir()
    nowhere = being_made / "overrides.txt"
    nowhere.write_text("".join(f"{name}; python_version < '3'\n" for name in SHARED))
    command = [uv, "pip", "install", "--quiet", "--python", sys.executable, "--target", being_made]
    subprocess.run([*command, "--override", nowhere, *wanted], check=True, capture_output=True, text=True)
    being_made.rename(place)


def run(program: Path, arguments: Sequence[str], environment: Mapping[str, str], image: str) -> str:
    """The output of a program under exactly this environment, with the libraries of an image and its own folder first.

    Raises:
        AssertionError: it failed; with what it wrote.
    """
    python, libraries = interpreter(image)
    looked_in = [*libraries, PROJECT / "workloads" / image, PROJECT]
    done = subprocess.run(
        [python, program, *arguments],
        env={
            **environment,
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": ":".join(map(str, looked_in)),
            "PYTHONWARNINGS": "ignore",
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{program.name}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout
