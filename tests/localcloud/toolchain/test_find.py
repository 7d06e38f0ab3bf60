"""Programs of this machine: which are used in place of ours, and which only look like it."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.toolchain import find, tools
from localcloud.toolchain.tools import Tool, does
from tests.localcloud.toolchain.release_site import Machine

pytestmark = pytest.mark.slow

VERSIONS = st.tuples(*[st.integers(0, 30)] * 3).map(lambda three: ".".join(map(str, three)))


@pytest.mark.parametrize(
    ("prints", "version"),
    [
        ("Client Version: v1.37.2\nKustomize Version: v5.8.1", "1.37.2"),
        ("etcd Version: 3.6.8\nGit SHA: 1\nGo Version: go1.26.8", "3.6.8"),
        ("kwok version v0.8.0 go1.26.8 (linux/amd64)", "0.8.0"),
        ("amtool, version 0.34.0 (branch: HEAD, revision: 1)", "0.34.0"),
        ("1.7.12\ninstalled by downloading from release page", "1.7.12"),
        ("Client Version: v1.32.4-dispatcher\nKustomize Version: v5.5.0", None),
        ("Kubernetes v1.38.0-rc.0", None),
        ("Kubernetes v1.37.2+k3s1", None),
        ("amtool, version  (branch: , revision: unknown)", None),
    ],
)
def test_a_version_is_read_as_each_program_prints_it(
    machine: Machine, prints: str, version: str | None
) -> None:
    assert find.version_of(machine.program("own", "it", f"cat <<'E'\n{prints}\nE"), ["--version"]) == version


@pytest.mark.parametrize("does", ["echo 1.2.3; exit 1", "sleep 60", "exec /no/such/program"])
def test_a_program_that_does_not_answer_is_not_used(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, does: str
) -> None:
    monkeypatch.setattr(find, "ANSWER_SECONDS", 0.2)
    assert find.version_of(machine.program("own", "it", does), []) is None


@given(VERSIONS, VERSIONS)
def test_what_does_in_place_of_a_pin(pinned: str, version: str) -> None:
    mine, theirs = tools.numbers(pinned), tools.numbers(version)
    assert does("exact", pinned, version) == (mine == theirs)
    assert does("patch", pinned, version) == (mine[:2] == theirs[:2] and theirs[2] >= mine[2])
    assert does("newer", pinned, version) == (mine[0] == theirs[0] and theirs >= mine)


@pytest.mark.usefixtures("modules")
@pytest.mark.parametrize(
    ("accepts", "version", "used"), [("exact", "1.2.3", True), ("exact", "1.2.4", False)]
)
def test_the_first_program_of_path_at_a_right_version(
    machine: Machine, accepts: str, version: str, used: bool
) -> None:
    machine.program("go", "it", "echo 0.9.0")
    right = machine.program("own", "it", f"echo v{version}")
    (part,) = machine.tool("it", accepts=accepts).parts
    assert find.own(part) == (find.Program(right, version) if used else None)


@pytest.mark.usefixtures("modules")
def test_the_control_plane_of_envtest_is_looked_for(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    (part,) = machine.tool("etcd").parts
    assert find.own(part) is None
    monkeypatch.setattr(find.sys, "platform", "linux")
    store = "home/.local/share/kubebuilder-envtest/k8s"
    machine.program(f"{store}/1.9.0-linux-amd64", "etcd", "echo 1.9.0")
    downloaded = machine.program(f"{store}/1.2.3-linux-amd64", "etcd", "echo 1.2.3")
    assert find.own(part) == find.Program(downloaded, "1.2.3")
    said = machine.program("assets", "etcd", "echo 1.2.3")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(said.parent))
    assert find.own(part) == find.Program(said, "1.2.3")


def _shim(machine: Machine, tool: Tool) -> None:
    machine.program("own/shims", "it", "echo 1.2.3")


def _one_program_of_many_names(machine: Machine, tool: Tool) -> None:
    many = machine.program("own", "k3s", "echo 1.2.3")
    many.with_name("it").symlink_to(many)


def _another_clone(machine: Machine, tool: Tool) -> None:
    ours = machine.program(str(tool.cached.relative_to(machine.root)), "it", "echo 1.2.3")
    (machine.root / "own").mkdir()
    (machine.root / "own" / "it").symlink_to(ours)


def _another_clones_engine(machine: Machine, tool: Tool) -> None:
    ours = machine.program(str(tool.cached.relative_to(machine.root)), "it", "echo 1.2.3")
    (machine.root / "own").mkdir()
    (machine.root / "own" / "it").hardlink_to(ours)


@pytest.mark.usefixtures("modules")
@pytest.mark.parametrize(
    "stand_in", [_shim, _one_program_of_many_names, _another_clone, _another_clones_engine]
)
def test_what_only_stands_for_a_program_is_not_used(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, stand_in: Callable[[Machine, Tool], None]
) -> None:
    tool = machine.tool("it")
    monkeypatch.setenv("PATH", f"{machine.root / 'own'}{os.pathsep}{machine.root / 'own' / 'shims'}")
    stand_in(machine, tool)
    assert find.own(tool.parts[0]) is None


def test_a_program_is_asked_once_until_it_changes(machine: Machine) -> None:
    count = machine.root / "count"
    script = machine.program("own", "it", f"echo asked >> {count}; echo 1.2.3")
    for _ in range(2):
        assert find.version_of(script, []) == "1.2.3"
    assert count.read_text().split() == ["asked"]
    machine.program("own", "it", "echo now 1.2.40")
    assert find.version_of(script, []) == "1.2.40"


def test_a_broken_memory_is_forgotten(machine: Machine) -> None:
    script = machine.program("own", "it", "echo 1.2.3")
    find._memory().parent.mkdir(parents=True)
    find._memory().write_text("{not json")
    assert find.version_of(script, []) == "1.2.3"


@pytest.mark.usefixtures("modules")
def test_a_link_is_present_while_it_leads_to_a_version_that_does(machine: Machine) -> None:
    (part,) = machine.tool("it", accepts="patch").parts
    assert not find.present(part)
    script = machine.program("own", "it", "echo 1.2.3")
    part.path.parent.mkdir(parents=True)
    part.path.symlink_to(script)
    assert find.present(part)
    machine.program("own", "it", "echo it is 1.3.0")
    assert not find.present(part)
    script.unlink()
    assert not find.present(part)
