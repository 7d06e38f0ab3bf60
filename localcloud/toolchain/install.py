"""Brings the programs of the local cloud into the user's cache, once, and links them into this clone.

A program comes, in this order, from this machine (`find`), from its project's release (`fetch`), or from its source
(`build`). The cache is shared: a second clone, or a second `make up`, makes nothing.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from localcloud.directories import bin_dir, cache_dir, crds_dir
from localcloud.toolchain import build, fetch, find, tools
from localcloud.toolchain.cache import atomically, downloads, remove
from localcloud.toolchain.tools import Part, Tool
from localcloud.toolchain.waiting import Report, Say, on_stderr


def ensure(report: Report, say: Say = on_stderr) -> list[str]:
    """Make what the cache lacks and link everything into `bin_dir()`; returns the names of the tools that were made."""
    cli = _own_cli()
    wanted = [tool for tool in tools.everyday() if not _brought(tool, cli)]
    with _only_one():
        made = _complete(wanted, report, say)
        crds = build.crds_cache()
        if not crds.exists():
            build.collect_crds(report)
    if _link(wanted, crds, cli) and cli:
        say(f"using pulumi {cli.version} of this machine ({cli.path})")
    return made


def folder_of(name: str, report: Report, say: Say = on_stderr) -> Path:
    """The folder of one tool's programs, made if the cache lacks them."""
    tool = tools.tools()[name]
    with _only_one():
        _complete([tool], report, say)
    return tool.cached


def old_cli() -> str | None:
    """A sentence about a `pulumi` on PATH that is too old to be used here, or None."""
    part = _engine()
    first = next(find.of_machine(part), None)
    if not first or first.does_for(part):
        return None
    return (
        f"{first.path} is {first.version} and not {part.tool.version} or newer of the same major: the local cloud uses "
        "one of its own; upgrade yours before you go to a real account"
    )


def _complete(wanted: list[Tool], report: Report, say: Say) -> list[str]:
    missing = [part for tool in wanted for part in tool.parts if not find.present(part)]
    if not missing:
        return []
    own = {part: program for part in missing if (program := find.own(part))}
    for part, program in own.items():
        say(f"using {part.name} {program.version} of this machine ({program.path})")
        atomically(part.path, lambda draft, path=program.path: draft.symlink_to(path))
    published = fetch.in_reach([part for part in missing if part not in own], say)
    rest = [part for part in missing if part not in own and part not in published]
    if published:
        after = f"; then building {_names(rest)} from source, {build.minutes(rest)}" if rest else ""
        say(f"fetching {_names(published)}{after}")
    fetched = fetch.fetch(published, report, say)
    if fetched:
        say(f"fetched {_names(fetched)}; each has the checksum of its project")
    sources = [part for part in missing if part not in own and part not in fetched]
    if sources:
        say(f"building {_names(sources)} from source: {build.minutes(sources)}")
        build.build(sources, report)
    if downloads().exists():
        remove(downloads())
    return list(dict.fromkeys(part.tool.name for part in missing))


def _names(parts: Iterable[Part]) -> str:
    return ", ".join(part.name for part in parts)


def _engine() -> Part:
    return tools.tools()["pulumi"].parts[0]


def _own_cli() -> find.Program | None:
    """The user's own Pulumi CLI, if it is new enough. It comes before one in the cache: a state is of one engine."""
    return find.own(_engine())


def _brought(tool: Tool, cli: find.Program | None) -> bool:
    """Whether the user's own Pulumi CLI brings what a tool is made for: the engine, and a launcher beside it."""
    if cli is None:
        return False
    beside = cli.path.resolve().parent
    return tool.name == "pulumi" or (
        tool.name == "language" and all((beside / name).exists() for name in tool.programs)
    )


@contextmanager
def _only_one() -> Iterator[None]:
    """Two clones may start at once; the second waits and finds the work done."""
    cache_dir().mkdir(parents=True, exist_ok=True)
    with (cache_dir() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _link(wanted: list[Tool], crds: Path, cli: find.Program | None) -> bool:
    """Link what is wanted into this clone; returns whether the engine's link is a new one."""
    _relink(crds_dir(), crds)
    if "language" not in {tool.name for tool in wanted}:
        (bin_dir() / "pulumi-language-python").unlink(missing_ok=True)
    for tool in wanted:
        for name in tool.programs:
            if tool.name != "pulumi":
                _relink(bin_dir() / name, tool.cached / name)
    return _relink(bin_dir() / "pulumi", cli.path) if cli else _place(_engine().path, bin_dir() / "pulumi")


def _place(engine: Path, link: Path) -> bool:
    # The engine looks for its language host beside its own file, past any symbolic link, and warns of one on PATH.
    link.unlink(missing_ok=True)
    try:
        os.link(engine, link)
    except OSError:
        shutil.copy2(engine, link)
    return True


def _relink(link: Path, target: Path) -> bool:
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.is_symlink() and link.readlink() == target:
        return False
    link.unlink(missing_ok=True)
    link.symlink_to(target)
    return True
