"""A real browser, without a window, to look at pages with: Chromium or Chrome, whichever this machine has."""

from __future__ import annotations

import html
import json
import os
import shutil
import struct
import subprocess
import zlib
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


class NoBrowserError(Exception):
    """This machine has none, and it can't be installed."""


# What is in `srcdoc` is of the same origin as the frame's own page, so that this may look at it.
_FRAME = """<!doctype html><iframe style="width:WIDTHpx;height:900px;border:0" srcdoc="PAGE"></iframe><p></p>
<script>
addEventListener("load", () => {
  const inside = document.querySelector("iframe"), page = inside.contentDocument.documentElement;
  const seen = { wide: page.scrollWidth, high: page.scrollHeight,
                 asked: inside.contentWindow.performance.getEntriesByType("resource").length };
  document.body.innerHTML = "laid out: " + JSON.stringify(seen);
});
</script>"""


@dataclass(frozen=True)
class Layout:
    """How many pixels a page takes, wide and high, and how many other files it asked for."""

    wide: int
    high: int
    asked: int


@dataclass(frozen=True)
class Browser:
    """`profile` is a folder of its own, for nothing of a person's browser is touched."""

    program: str
    profile: Path

    def text(self, page: Path) -> str:
        """What the page says once the browser has read it."""
        reader = _Text()
        reader.feed(self._run("--dump-dom", page.as_uri()).decode())
        return " ".join(" ".join(reader.said).split())

    def picture(self, page: Path, to: Path) -> Path:
        self._run(f"--screenshot={to}", "--window-size=1280,1600", page.as_uri())
        return to

    def laid_out(self, page: Path, width: int) -> Layout:
        """How a page lies in a window of a phone or a desk. Chromium's own is 500 px wide at least: a frame is not."""
        frame = page.with_name(f"{page.stem}-{width}.html")
        frame.write_text(_FRAME.replace("WIDTH", str(width)).replace("PAGE", html.escape(page.read_text())))
        return Layout(**json.loads(self.text(frame).rpartition("laid out: ")[2]))

    def colours(self, picture: Path) -> int:
        """How many bytes differ in a PNG's rows: one of a blank sheet has a handful."""
        data, at, packed = picture.read_bytes(), 8, b""
        while at < len(data):
            (length,) = struct.unpack(">I", data[at : at + 4])
            if data[at + 4 : at + 8] == b"IDAT":
                packed += data[at + 8 : at + 8 + length]
            at += 12 + length
        return len(set(zlib.decompress(packed)))

    def _run(self, *words: str) -> bytes:
        command = [self.program, *QUIET, f"--user-data-dir={self.profile}", *words]
        return subprocess.run(command, capture_output=True, timeout=120, check=True).stdout


def find(profile: Path) -> Browser:
    """The browser of this machine; where there is none and the tests run as root, Debian's is installed.

    Raises:
        NoBrowserError: there is none.
    """
    for _ in range(2):
        if found := next(filter(None, map(shutil.which, NAMES)), None):
            return Browser(found, profile)
        _install()
    raise NoBrowserError("no Chromium or Chrome here: install one to have the pages looked at")


def _install() -> None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (("update",), ("install", "-y", "--no-install-recommends", "chromium")):
        subprocess.run(
            ["apt-get", "-qq", *words], env=environment, capture_output=True, timeout=600, check=False
        )


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def handle_data(self, data: str) -> None:
        self.said.append(data)
