"""Starts one program of a pod in namespaces of its own: users, mounts, processes, the host's name. No root, no engine.

Runs as a script of the standard library alone: `launcher.py run PLAN`, or `launcher.py enter PID PLAN COMMAND…` for a
program more in a container that runs. A plan is a JSON file (see `plan.py`). The launcher waits for the program, passes
SIGTERM on, and ends with its exit code, 128 and the number of the signal that killed it; when the launcher dies, so
does every process of the container.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import selectors
import signal
import socket
import stat
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

# Numbers of linux/sched.h, linux/mount.h and linux/prctl.h; Python has names for them from 3.12 on.
NEW_MOUNTS, NEW_HOSTNAME = 0x00020000, 0x04000000
NEW_USERS, NEW_PROCESSES = 0x10000000, 0x20000000
BIND, RECURSIVE, PRIVATE = 4096, 16384, 1 << 18
NOSUID, NODEV = 2, 4
PR_SET_PDEATHSIG = 1
SYS_MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE, ATTR_RDONLY = 442, -100, 0x8000, 1
# As a shell says it of a command that is not there, or can't be run.
NOT_FOUND, NOT_EXECUTABLE = 127, 126
WRITABLE = ("/dev", "/proc")
LONGEST_LINE = 16 * 1024

_libc = ctypes.CDLL(None, use_errno=True)


def main(arguments: list[str]) -> int:
    """Run the program of a plan, or one more beside it; returns its exit code."""
    if arguments[0] == "run":
        _end_with_parent()
        plan = json.loads(Path(arguments[1]).read_text())
        _isolate(plan)
        return _run(plan)
    plan = json.loads(Path(arguments[2]).read_text())
    _join(int(arguments[1]))
    return _enter(plan, arguments[3:])


def _isolate(plan: Mapping[str, Any]) -> None:
    """New namespaces, in which the plan's user is the one who started this, and a root of the plan's own."""
    user, group = os.getuid(), os.getgid()
    _check(_libc.unshare(NEW_USERS | NEW_MOUNTS | NEW_PROCESSES | NEW_HOSTNAME), "unshare")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{plan['user']} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{plan['group']} {group} 1")
    socket.sethostname(plan["hostname"])


def _join(pid: int) -> None:
    """The namespaces of a container's first process."""
    names = (
        ("user", "pid", "mnt", "uts")
        if not os.path.samefile("/proc/self/ns/user", f"/proc/{pid}/ns/user")
        else ()
    )
    opened = [os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY) for name in names]
    root = os.open(f"/proc/{pid}/root", os.O_RDONLY)
    for descriptor in opened:
        _check(_libc.setns(descriptor, 0), "setns")
    os.fchdir(root)
    os.chroot(".")


def _run(plan: Mapping[str, Any]) -> int:
    """Be the parent of the container's first process, and write down what it says."""
    streams = {name: os.pipe() for name in ("stdout", "stderr")}
    begun, hold = os.pipe()  # its end closes when the program takes the child's place
    child = os.fork()
    if child == 0:
        for number, (_, end) in enumerate(streams.values(), start=1):
            os.dup2(end, number)
        _end_with_parent()
        _become(plan, plan["argv"], new_root=True)
    signal.signal(signal.SIGTERM, lambda number, _: os.kill(child, number))
    for end in (hold, *(end for _, end in streams.values())):
        os.close(end)
    os.read(begun, 1)
    Path(f"{plan['pid_file']}.new").write_text(str(child))
    os.rename(f"{plan['pid_file']}.new", plan["pid_file"])
    with Path(plan["log_file"]).open("wb", buffering=0) as log:
        _write_down({name: start for name, (start, _) in streams.items()}, log)
    return _wait(child)


def _enter(plan: Mapping[str, Any], argv: list[str]) -> int:
    """Run a program beside it, with the streams of who called."""
    child = os.fork()  # a namespace of processes is entered by a child only
    if child == 0:
        _end_with_parent()
        _become(plan, argv, new_root=False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the program
    signal.signal(signal.SIGTERM, lambda number, _: os.kill(child, number))
    return _wait(child)


def _wait(child: int) -> int:
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def _write_down(streams: Mapping[str, int], log: BinaryIO) -> None:
    """Each line as a container runtime writes it: time, stream, F for a whole line or P for a part, and the words."""
    rest = dict.fromkeys(streams, b"")
    with selectors.DefaultSelector() as ready:
        for name, descriptor in streams.items():
            ready.register(descriptor, selectors.EVENT_READ, name)
        while ready.get_map():
            for key, _ in ready.select():
                read = os.read(key.fd, LONGEST_LINE)
                *lines, rest[key.data] = (rest[key.data] + read).split(b"\n")
                for line in lines:
                    log.write(_line(key.data, b"F", line))
                if rest[key.data] and (not read or len(rest[key.data]) > LONGEST_LINE):
                    log.write(_line(key.data, b"P" if read else b"F", rest[key.data]))
                    rest[key.data] = b""
                if not read:
                    ready.unregister(key.fd)


def _line(stream: str, tag: bytes, words: bytes) -> bytes:
    now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return b"%s %s %s %s\n" % (now.encode(), stream.encode(), tag, words)


def _end_with_parent() -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _become(plan: Mapping[str, Any], argv: list[str], *, new_root: bool) -> None:
    """Be the program; ends here if it can't be started."""
    try:
        if new_root:
            _lay_out(Path(plan["root"]), plan["mounts"])
        os.chdir(plan["directory"])
        for name, value in plan["limits"].items():
            resource.setrlimit(getattr(resource, name), (value, value))
        os.execvpe(argv[0], argv, plan["environment"])
    except FileNotFoundError as error:
        _complain(argv, error, NOT_FOUND)
    except OSError as error:
        _complain(argv, error, NOT_EXECUTABLE)


def _complain(argv: list[str], error: OSError, code: int) -> None:
    os.write(2, f"cannot start {argv[0]}: {error}\n".encode())
    os._exit(code)


def _lay_out(root: Path, mounts: list[dict[str, Any]]) -> None:
    """A root with everything of the machine's, which can't be written to, and the plan's mounts over it."""
    _mount("none", "/", None, RECURSIVE | PRIVATE)
    _mount("tmpfs", root, "tmpfs", NOSUID | NODEV, "mode=755")
    for entry in sorted(Path("/").iterdir()):
        _repeat(entry, root / entry.name, read_only=str(entry) not in WRITABLE)
    _mount("proc", root / "proc", "proc", 0)
    covered = [root]
    for mount in mounts:
        # A link of the machine, as /var/run, leads out of the new root as long as this is not its root.
        source, target = Path(mount["source"]), root / Path(mount["target"]).resolve().relative_to("/")
        covered += _make(target, root, source.is_dir())
        _mount(source, target, None, BIND | RECURSIVE)
        if mount["read_only"]:
            _read_only(target)
    for folder in covered:
        _read_only(folder, alone=True)
    os.chdir(root)
    os.chroot(".")


def _repeat(source: Path, target: Path, *, read_only: bool = False) -> None:
    """The same file, folder or link at another place. A socket or what is gone meanwhile is left out."""
    try:
        mode = source.lstat().st_mode
    except OSError:
        return
    if stat.S_ISLNK(mode):
        target.symlink_to(source.readlink())
        return
    if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
        return
    target.mkdir() if stat.S_ISDIR(mode) else target.touch()
    _mount(source, target, None, BIND | RECURSIVE)
    if read_only:
        _read_only(target)


def _make(target: Path, root: Path, folder: bool) -> list[Path]:
    """Something to mount on. Where a folder of the machine lacks it, the folder is covered by one of its own that has
    the same entries; returns those that were."""
    if target.exists():
        return []
    covered = [] if target.parent.exists() else _make(target.parent, root, True)
    try:
        target.mkdir() if folder else target.touch()
    except OSError:
        _cover(target.parent)
        target.mkdir() if folder else target.touch()
        covered.append(target.parent)
    return covered


def _cover(folder: Path) -> None:
    below = os.open(folder, os.O_RDONLY)
    entries = os.listdir(below)
    _mount("tmpfs", folder, "tmpfs", NOSUID | NODEV, "mode=755")
    for entry in entries:
        _repeat(Path(f"/proc/self/fd/{below}") / entry, folder / entry, read_only=True)
    os.close(below)


def _read_only(target: Path, *, alone: bool = False) -> None:
    """So are the mounts below it, unless it is `alone`."""
    attributes = (ctypes.c_uint64 * 4)(ATTR_RDONLY, 0, 0, 0)
    result = _libc.syscall(
        SYS_MOUNT_SETATTR,
        AT_FDCWD,
        os.fsencode(target),
        0 if alone else AT_RECURSIVE,
        ctypes.byref(attributes),
        32,
    )
    _check(result, f"make {target} read-only")


def _mount(
    source: str | Path, target: str | Path, kind: str | None, flags: int, data: str | None = None
) -> None:
    result = _libc.mount(
        os.fsencode(source),
        os.fsencode(target),
        kind and kind.encode(),
        ctypes.c_ulong(flags),
        data and data.encode(),
    )
    _check(result, f"mount {source} on {target}")


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
