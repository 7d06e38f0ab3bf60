"""A machine of a test's own, and a server on loopback that plays the release sites."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from localcloud.toolchain import releases, tools
from localcloud.toolchain.releases import Release
from localcloud.toolchain.tools import Tool

# A Go that knows the subcommands that the toolchain uses, and writes a program down as built.
GO = """
case "$1 $2" in
"env GOVERSION") echo go1.99.0 ;;
"list -deps") echo one; echo two ;;
"list -m") echo "$HERE/source" ;;
build*)
  while [ "$1" != -o ]; do shift; done
  echo "#!/bin/sh" > "$2"; echo "echo built from $3" >> "$2"; chmod 755 "$2"
  echo "$3" >> "$HERE/built" ;;
esac
"""


@dataclass
class Machine:
    """What the toolchain finds and says on it."""

    root: Path
    said: list[str] = field(default_factory=list)
    reports: list[tuple[int, int, str]] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.said.append(text)

    def report(self, done: int, total: int, what: str) -> None:
        self.reports.append((done, total, what))

    def program(self, folder: str, name: str, does: str) -> Path:
        script = self.root / folder / name
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(f"#!/bin/sh\n{does}\n")
        script.chmod(0o755)
        return script

    def built(self) -> list[str]:
        """The packages that were built, in their order."""
        built = self.root / "built"
        return built.read_text().split() if built.exists() else []

    def tool(
        self, name: str, *programs: str, version: str = "1.2.3", accepts: str = "exact", **more: Any
    ) -> Tool:
        """A tool of one module and these programs, which `make up` needs."""
        folder = tools.MODULES / name
        folder.mkdir()
        (folder / "go.mod").write_text(f"module x\n\ngo 1.26.0\n\nrequire example.com/{name} v{version}\n")
        (folder / "go.sum").write_text("")
        made = {
            program: {
                "package": f"example.com/{program}",
                "prints_version": ["--version"],
                "accepts": accepts,
            }
            for program in programs or (name,)
        }
        tool = Tool(name, f"example.com/{name}", made, minutes=3, everyday=True, **more)
        tools.tools()[name] = tool
        return tool


@dataclass
class Site:
    """The release sites: what they answer under each path, and what they were asked."""

    port: int
    answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    rows: list[Release] = field(default_factory=list)

    def publish(self, tool: Tool, content: bytes, program: str = "", **row: str) -> Release:
        """Put a file for a program into the table; `content` is what its project published."""
        url = row.pop("url", f"https://github.com/{tool.name}/{program or tool.name}")
        fields = {
            "member": "",
            "sha256": hashlib.sha256(content).hexdigest(),
            "checksums": "",
            "sha256_source": "",
            "read": "",
            **row,
        }
        release = Release(
            tool.name, tool.version, program or tool.name, releases.this_platform(), url, **fields
        )
        self.rows.append(release)
        return release

    def serve(self, url: str, answer: bytes | Callable[[BaseHTTPRequestHandler], None]) -> None:
        self.answers["/" + url.removeprefix("https://")] = (
            whole(answer) if isinstance(answer, bytes) else answer
        )

    def asked_for(self, url: str) -> list[str]:
        """The ranges with which a file was asked for; empty for the whole."""
        return [asked for path, asked in self.asked if path == "/" + url.removeprefix("https://")]


def whole(content: bytes, kind: str = "application/octet-stream") -> Callable[[BaseHTTPRequestHandler], None]:
    """Answers as a site does that can go on in the middle."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range", "")
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if start >= len(content) > 0:
            request.send_response(416)
            request.end_headers()
            return
        request.send_response(206 if wanted else 200)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(content) - start))
        request.end_headers()
        request.wfile.write(content[start:])

    return answer


def broken_off(content: bytes, after: int) -> Callable[[BaseHTTPRequestHandler], None]:
    """Promises the whole and ends after some bytes, whatever it was asked for."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content[:after])

    return answer


def archive(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return made.getvalue()
