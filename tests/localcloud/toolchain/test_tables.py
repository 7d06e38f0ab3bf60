"""The tables of tools and releases agree with the pins, and with themselves."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest

from localcloud.toolchain import releases, tools

PLATFORMS = {"linux/amd64", "linux/arm64", "darwin/arm64"}
# The projects' own sites, and no other's.
SITES = {
    "pulumi": "github.com/pulumi/pulumi/releases/download/",
    "language": "github.com/pulumi/pulumi/releases/download/",
    "kubernetes": "dl.k8s.io/",
    "etcd": "github.com/etcd-io/etcd/releases/download/",
    "kwok": "github.com/kubernetes-sigs/kwok/releases/download/",
    "amtool": "github.com/prometheus/alertmanager/releases/download/",
    "versitygw": "github.com/versity/versitygw/releases/download/",
    "actionlint": "github.com/rhysd/actionlint/releases/download/",
}
# Kubernetes publishes its servers for Linux only.
ONLY_LINUX = {"kube-apiserver", "kube-controller-manager", "kube-scheduler"}


@pytest.mark.parametrize("tool", tools.tools().values(), ids=str)
def test_a_tool_is_pinned_and_described(tool: tools.Tool) -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", tool.version)
    assert tool.minutes > 0
    assert tool.licence in ("Apache-2.0", "MIT")
    for part in tool.parts:
        assert (part.accepts is None) == (not part.prints_version)


@pytest.mark.parametrize("row", releases.table(), ids=lambda row: f"{row.program}-{row.platform}")
def test_a_release_is_of_the_version_that_is_pinned(row: releases.Release) -> None:
    tool = tools.tools()[row.tool]
    assert row.version == tool.version, (
        f"releases.csv has {row.tool} {row.version}: write the new release's rows"
    )
    assert row.program in {part.name for part in tool.parts}
    assert row.platform in PLATFORMS
    assert re.fullmatch(rf"https://{re.escape(SITES[row.tool])}v{re.escape(row.version)}/\S+", row.url)


@pytest.mark.parametrize("row", releases.table(), ids=lambda row: f"{row.program}-{row.platform}")
def test_a_release_has_a_pinned_checksum_with_its_source_or_a_published_one(row: releases.Release) -> None:
    assert bool(row.sha256) != bool(row.checksums)
    assert bool(row.sha256) == bool(row.sha256_source) == bool(row.read)
    if row.sha256:
        assert re.fullmatch(r"[0-9a-f]{64}", row.sha256)
    else:
        assert urlsplit(row.checksums)[:2] == urlsplit(row.url)[:2]


def test_each_program_that_is_published_is_there_for_each_platform() -> None:
    rows = {(row.program, row.platform) for row in releases.table()}
    assert len(rows) == len(releases.table())
    # Nobody publishes the first; of the others, which tests alone use, no checksum is known to us.
    built = ("karpenter", "promtool", "yaml")
    parts = [part for tool in tools.tools().values() if tool.name not in built for part in tool.parts]
    for part in parts:
        wanted = {name for name in PLATFORMS if name.startswith("linux") or part.name not in ONLY_LINUX}
        assert {platform for program, platform in rows if program == part.name} == wanted, part.name


@pytest.mark.parametrize(
    ("system", "machine", "expected"),
    [
        ("Linux", "x86_64", "linux/amd64"),
        ("Linux", "aarch64", "linux/arm64"),
        ("Darwin", "arm64", "darwin/arm64"),
        ("Linux", "riscv64", "linux/riscv64"),
    ],
)
def test_this_platform_has_the_names_of_releases(
    monkeypatch: pytest.MonkeyPatch, system: str, machine: str, expected: str
) -> None:
    monkeypatch.setattr(releases.platform, "system", lambda: system)
    monkeypatch.setattr(releases.platform, "machine", lambda: machine)
    assert releases.this_platform() == expected


def test_a_mirror_has_the_sites_as_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(releases.MIRROR)
    url = "https://dl.k8s.io/v1.2.3/bin/linux/amd64/kubectl"
    assert releases.address(url) == url
    monkeypatch.setenv(releases.MIRROR, "https://mirror.example/releases/")
    assert releases.address(url) == "https://mirror.example/releases/dl.k8s.io/v1.2.3/bin/linux/amd64/kubectl"
