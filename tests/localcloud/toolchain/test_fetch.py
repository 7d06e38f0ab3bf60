"""Downloads: what is used, what is refused, what is left to be built, against a server that plays the release sites."""

from __future__ import annotations

import hashlib
import io
import socket
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from localcloud.toolchain import fetch, releases, sites
from localcloud.toolchain.cache import downloads
from localcloud.toolchain.errors import ToolchainError
from localcloud.toolchain.tools import Part, Tool
from tests.localcloud.toolchain.release_site import Machine, Site, archive, broken_off, whole

pytestmark = pytest.mark.slow

PROGRAM = b"#!/bin/sh\necho 1.2.3\n" + bytes(range(256)) * 10000


def fetched(machine: Machine, *asked: Tool) -> list[str]:
    parts: list[Part] = [part for tool in asked for part in tool.parts]
    return [
        part.name for part in fetch.fetch(fetch.in_reach(parts, machine.say), machine.report, machine.say)
    ]


def nothing_kept(tool: Tool) -> bool:
    return not any(part.path.exists() for part in tool.parts) and not list(tool.cached.glob("*"))


def test_a_file_with_the_pinned_checksum_is_used(machine: Machine, site: Site) -> None:
    tool = machine.tool("it")
    site.serve(site.publish(tool, PROGRAM).url, PROGRAM)
    assert fetched(machine, tool) == ["it"]
    assert tool.parts[0].path.read_bytes() == PROGRAM
    assert tool.parts[0].path.stat().st_mode & 0o111
    assert not machine.said
    assert not list(downloads().iterdir())
    assert machine.reports[-1][2].startswith("MiB of it from 127.0.0.1")


@pytest.mark.parametrize("line", ["{sum}\n", "0000  other\n{sum}  it\n", "{sum} *it\n"])
def test_without_a_pin_the_published_checksum_counts(machine: Machine, site: Site, line: str) -> None:
    tool = machine.tool("it")
    sums = "https://github.com/it/SHA256SUMS"
    site.serve(site.publish(tool, PROGRAM, sha256="", checksums=sums).url, PROGRAM)
    site.serve(sums, line.format(sum=hashlib.sha256(PROGRAM).hexdigest()).encode())
    assert fetched(machine, tool) == ["it"]


@pytest.mark.parametrize("pinned", [True, False])
def test_another_checksum_is_refused_in_one_message(machine: Machine, site: Site, pinned: bool) -> None:
    tool = machine.tool("it")
    sums = "https://github.com/it/SHA256SUMS"
    release = site.publish(tool, PROGRAM, **({} if pinned else {"sha256": "", "checksums": sums}))
    site.serve(sums, f"{hashlib.sha256(PROGRAM).hexdigest()}  it\n".encode())
    site.serve(release.url, PROGRAM + b"more")
    who = "releases.csv pins" if pinned else f"{sums} publishes"
    with pytest.raises(
        ToolchainError, match=rf"refused: .*/github.com/it/it has.*{who}.*INDIA_AI_INFRA_RELEASES=none"
    ):
        fetched(machine, tool)
    assert nothing_kept(tool)
    assert not list(downloads().iterdir())


@pytest.mark.parametrize("text", [b"", b"<html>sign in</html>", b"abcdef  it\n", b"0" * 64 + b"  other\n"])
def test_no_published_checksum_is_no_download(machine: Machine, site: Site, text: bytes) -> None:
    tool = machine.tool("it")
    sums = "https://github.com/it/SHA256SUMS"
    release = site.publish(tool, PROGRAM, sha256="", checksums=sums)
    site.serve(release.url, PROGRAM)
    site.serve(sums, text)
    assert fetched(machine, tool) == []
    assert "has no checksum of it" in machine.said[0]
    assert not site.asked_for(release.url)


def test_a_download_that_breaks_off_goes_on(machine: Machine, site: Site) -> None:
    tool = machine.tool("it")
    release = site.publish(tool, PROGRAM)
    answers: Iterator[Callable[[BaseHTTPRequestHandler], None]] = iter(
        [broken_off(PROGRAM, fetch.CHUNK + 10), whole(PROGRAM)]
    )
    site.serve(release.url, lambda request: next(answers)(request))
    assert fetched(machine, tool) == ["it"]
    assert site.asked_for(release.url) == ["", f"bytes={fetch.CHUNK}-"]
    assert tool.parts[0].path.read_bytes() == PROGRAM


def test_a_download_that_never_ends_is_left_and_goes_on_in_the_next_run(machine: Machine, site: Site) -> None:
    tool = machine.tool("it")
    release = site.publish(tool, PROGRAM)
    site.serve(release.url, broken_off(PROGRAM, fetch.CHUNK + 10))
    assert fetched(machine, tool) == []
    assert machine.said == [f"it: the download from 127.0.0.1:{site.port} broke off (too few bytes came)"]
    assert nothing_kept(tool)
    site.asked.clear()
    site.serve(release.url, PROGRAM)
    assert fetched(machine, tool) == ["it"]
    assert site.asked_for(release.url) == [f"bytes={fetch.CHUNK}-"]


@pytest.mark.parametrize("left", [b"not its beginning", PROGRAM, PROGRAM + b"and more"])
def test_what_an_earlier_run_left_does_no_harm(machine: Machine, site: Site, left: bytes) -> None:
    tool = machine.tool("it")
    release = site.publish(tool, PROGRAM)
    site.serve(release.url, PROGRAM)
    downloads().mkdir(parents=True)
    (downloads() / f"{release.sha256[:16]}-it.part").write_bytes(left)
    assert fetched(machine, tool) == ["it"]
    assert tool.parts[0].path.read_bytes() == PROGRAM


def test_a_site_that_can_not_go_on_starts_again(machine: Machine, site: Site) -> None:
    tool = machine.tool("it")
    release = site.publish(tool, PROGRAM)
    site.serve(release.url, broken_off(PROGRAM, len(PROGRAM)))
    downloads().mkdir(parents=True)
    (downloads() / f"{release.sha256[:16]}-it.part").write_bytes(PROGRAM[: len(PROGRAM) // 2])
    assert fetched(machine, tool) == ["it"]
    assert tool.parts[0].path.read_bytes() == PROGRAM
    assert machine.reports[-1][:2] == (len(PROGRAM) >> 20, len(PROGRAM) >> 20)


def test_a_file_that_is_not_there_is_said(machine: Machine, site: Site) -> None:
    gone, there = machine.tool("gone"), machine.tool("there")
    site.publish(gone, PROGRAM)
    site.serve(site.publish(there, PROGRAM).url, PROGRAM)
    assert fetched(machine, gone, there) == ["there"]
    assert machine.said == [
        f"gone: 127.0.0.1:{site.port} answers 404 for http://127.0.0.1:{site.port}/github.com/gone/gone"
    ]


def test_a_web_page_in_place_of_a_program_is_no_program(machine: Machine, site: Site) -> None:
    tool = machine.tool("it")
    release = site.publish(tool, PROGRAM)
    site.serve(release.url, whole(b"<html>sign in</html>", "text/html; charset=utf-8"))
    assert fetched(machine, tool) == []
    assert "answers with a web page" in machine.said[0]


def test_a_site_out_of_reach_is_asked_once_and_said_once(
    machine: Machine, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    monkeypatch.setenv(releases.MIRROR, f"http://127.0.0.1:{port}")
    tools = [machine.tool(name) for name in ("one", "two", "three")]
    for tool in tools:
        site.publish(tool, PROGRAM)
    assert fetched(machine, *tools) == []
    assert len(machine.said) == 1
    assert f"out of reach from here: 127.0.0.1:{port} (no connection)" in machine.said[0]


def test_a_site_that_says_nothing_is_out_of_reach(
    machine: Machine, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sites, "SITE_SECONDS", 0.2)
    tool = machine.tool("it")
    site.publish(tool, PROGRAM)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv(releases.MIRROR, f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert fetched(machine, tool) == []
    assert "(no answer)" in machine.said[0]


def test_a_resolver_that_hangs_holds_nothing_up(
    machine: Machine, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sites, "SITE_SECONDS", 0.2)
    answers = threading.Event()
    monkeypatch.setattr(sites.requests, "head", lambda *_, **__: answers.wait(10))
    tool = machine.tool("it")
    site.serve(site.publish(tool, PROGRAM).url, PROGRAM)
    assert fetched(machine, tool) == []
    answers.set()
    assert "(no answer)" in machine.said[0]


def test_a_site_that_is_lost_on_the_way_is_not_asked_again(machine: Machine, site: Site) -> None:
    tools = [machine.tool(name) for name in ("one", "two")]
    first, second = (site.publish(tool, PROGRAM) for tool in tools)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    site.serve(first.url, leads_to(f"http://127.0.0.1:{port}/asset"))
    site.serve(second.url, PROGRAM)
    assert fetched(machine, *tools) == []
    assert machine.said == [f"one: 127.0.0.1:{port} does not answer (no connection)"]
    assert not site.asked_for(second.url)


def leads_to(address: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(302)
        request.send_header("Location", address)
        request.end_headers()

    return answer


def test_a_site_may_lead_to_another_only_over_https(
    machine: Machine, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = machine.tool("it")
    release = site.publish(tool, PROGRAM)
    site.serve(release.url, leads_to(f"http://localhost:{site.port}/asset"))
    site.serve("https://asset", PROGRAM)
    assert fetched(machine, tool) == ["it"]
    tool.parts[0].path.unlink()
    monkeypatch.setattr(releases, "LOOPBACK", {"127.0.0.1"})
    assert fetched(machine, tool) == []
    assert "which is not https" in machine.said[0]


def test_two_programs_of_one_archive_are_one_download(machine: Machine, site: Site) -> None:
    tool = machine.tool("both", "one", "two")
    content = archive({"a/one": b"first", "./a/two": b"second", "../three": b"third"})
    for name in ("one", "two"):
        release = site.publish(tool, content, name, url="https://github.com/both.tar.gz", member=f"a/{name}")
    site.serve(release.url, content)
    assert fetched(machine, tool) == ["one", "two"]
    assert [part.path.read_bytes() for part in tool.parts] == [b"first", b"second"]
    assert len(site.asked_for(release.url)) == 1
    assert sorted(file.name for file in tool.cached.iterdir()) == ["one", "two"]


def test_a_zip_is_unpacked(machine: Machine, site: Site) -> None:
    tool = machine.tool("it")
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as files:
        files.writestr("a/it", PROGRAM)
    release = site.publish(tool, made.getvalue(), url="https://github.com/it.zip", member="a/it")
    site.serve(release.url, made.getvalue())
    assert fetched(machine, tool) == ["it"]
    assert tool.parts[0].path.read_bytes() == PROGRAM


def _linked() -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        entry = tarfile.TarInfo("a/it")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(entry)
    return made.getvalue()


@pytest.mark.parametrize("content", [archive({"b/it": PROGRAM}), _linked()], ids=["elsewhere", "link"])
def test_an_archive_without_the_program_is_said(machine: Machine, site: Site, content: bytes) -> None:
    tool = machine.tool("it")
    release = site.publish(tool, content, url="https://github.com/it.tar.gz", member="a/it")
    site.serve(release.url, content)
    assert fetched(machine, tool) == []
    assert machine.said[0].endswith("has no a/it")
    assert nothing_kept(tool) or [file.name for file in tool.cached.iterdir()] == ["it.draft"]


def test_a_full_disk_is_refused_before_the_download(
    machine: Machine, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = machine.tool("it")
    site.serve(site.publish(tool, PROGRAM).url, PROGRAM)
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 10}))
    with pytest.raises(ToolchainError, match=r"fetching it needs about .* GiB free: make room"):
        fetched(machine, tool)
    assert nothing_kept(tool)


def test_nothing_is_asked_for_where_nothing_that_others_built_is_wanted(
    machine: Machine, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = machine.tool("it")
    site.serve(site.publish(tool, PROGRAM).url, PROGRAM)
    monkeypatch.setenv(releases.MIRROR, "none")
    assert fetched(machine, tool) == []
    assert not site.asked
    assert not machine.said


@pytest.mark.parametrize("mirror", ["http://mirror.example", "mirror.example", "ftp://127.0.0.1", "https://"])
def test_a_mirror_is_https(
    machine: Machine, site: Site, monkeypatch: pytest.MonkeyPatch, mirror: str
) -> None:
    tool = machine.tool("it")
    site.publish(tool, PROGRAM)
    monkeypatch.setenv(releases.MIRROR, mirror)
    with pytest.raises(
        ToolchainError, match=f"INDIA_AI_INFRA_RELEASES is {mirror.rstrip('/')}: it must be an https"
    ):
        fetched(machine, tool)
