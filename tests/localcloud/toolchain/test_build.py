"""Building from source: what it says when it can't go on, and that a killed one leaves nothing."""

from __future__ import annotations

import pytest

from localcloud.toolchain import build, cache
from localcloud.toolchain.errors import ToolchainError
from tests.localcloud.toolchain.release_site import Machine

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("dial tcp: lookup proxy: no such host", "could not be reached"),
        ("write /x: no space left on device", "the disk is full"),
        ("undefined: foo", "undefined: foo"),
    ],
)
@pytest.mark.usefixtures("modules")
@pytest.mark.parametrize("fails", ["list", "build"])
def test_a_failed_build_says_what_to_do(machine: Machine, fails: str, said: str, expected: str) -> None:
    tool = machine.tool("it")
    machine.program(
        "go", "go", f"case $1 in env) echo go1.99.0 ;; {fails}) echo '{said}' >&2; exit 1 ;; esac"
    )
    with pytest.raises(ToolchainError, match=expected):
        build.build(tool.parts, machine.report)
    assert not tool.parts[0].path.exists()


@pytest.mark.usefixtures("modules")
def test_too_little_disk_is_refused_before_the_build(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1 << 20}))
    with pytest.raises(ToolchainError, match=r"building one, two needs about 4\.0 GiB"):
        build.build([*machine.tool("one").parts, *machine.tool("two").parts], machine.report)
    assert machine.built() == []


@pytest.mark.usefixtures("modules")
def test_a_killed_run_leaves_no_program_behind(machine: Machine) -> None:
    (part,) = machine.tool("it").parts

    def killed(draft: object) -> None:
        part.path.with_name("it.draft").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.atomically(part.path, killed)
    assert not part.path.exists()
    cache.atomically(part.path, lambda draft: draft.write_text("whole"))
    assert part.path.read_text() == "whole"
    assert list(part.path.parent.iterdir()) == [part.path]


@pytest.mark.usefixtures("modules")
def test_a_build_says_what_it_is_of_and_how_long_it_takes(machine: Machine) -> None:
    machine.program(
        "go", "go", (machine.root / "go" / "go").read_text().replace("build*)", "build*) echo one >&2")
    )
    build.build(machine.tool("it").parts, machine.report)
    assert machine.reports[-1] == (1, 2, "Go packages of it (it: about 3 min on two idle cores, as measured)")
