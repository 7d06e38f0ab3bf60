"""What a phone does with an update: nothing replaces the model before signature, version and digests hold.

python -m workloads.edge.programs.verify --from FOLDER --home FOLDER --key PUBLIC.pem

Written to be ported: it needs Ed25519, SHA-256 and Zstandard, and reads what docs/edge.md lists. `--from` is what the
phone downloads by HTTPS. Prints the version that is installed then; ends with 64 where an update is refused.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zstandard
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

MANIFEST, SIGNATURE, LATEST, CURRENT = "manifest.json", "manifest.json.sig", "latest.json", "current"
REFUSED = 64
# By the path below the bundle's folder.
Fetch = Callable[[str], bytes]


class UpdateError(Exception):
    """An update is refused: the message says what is wrong with it."""


def update(fetch: Fetch, home: Path, key: Ed25519PublicKey) -> int:
    """Installs the latest version below `home`, unless it is there; the version that is installed then."""
    latest = _number(json.loads(fetch(LATEST)).get("version"))
    raw, signature = fetch(f"{latest}/{MANIFEST}"), fetch(f"{latest}/{SIGNATURE}")
    manifest = checked(raw, signature, key)
    there = installed(home)
    if manifest["version"] != latest:
        raise UpdateError(f"{LATEST} says version {latest}, and its manifest {manifest['version']}")
    if there is None:
        return _install(fetch, home, manifest, raw, None)
    if there["name"] != manifest["name"]:
        raise UpdateError(f"the bundle is {manifest['name']}, and {there['name']} is installed")
    if there["version"] > latest:
        raise UpdateError(f"version {latest} is older than the installed {there['version']}")
    return latest if there["version"] == latest else _install(fetch, home, manifest, raw, there)


def checked(raw: bytes, signature: bytes, key: Ed25519PublicKey) -> dict[str, Any]:
    """The manifest, whose signature is of these very bytes."""
    try:
        key.verify(signature, raw)
    except InvalidSignature:
        raise UpdateError("the manifest is not signed by the key of this app") from None
    return json.loads(raw)


def installed(home: Path) -> dict[str, Any] | None:
    """The manifest of the installed version; None if there is none."""
    current = home / CURRENT
    return json.loads((home / current.read_text() / MANIFEST).read_text()) if current.exists() else None


def patched(base: bytes, delta: bytes, base_sha256: str, size: int) -> bytes:
    """The new file of `size` bytes that a delta makes of `base`."""
    if digest(base) != base_sha256:
        raise UpdateError("the delta is for another base than the installed file")
    words = zstandard.ZstdCompressionDict(base, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    try:
        frame = zstandard.get_frame_parameters(delta)
        if frame.content_size != size:
            raise UpdateError(f"the delta can't be read: it makes {frame.content_size} bytes, not {size}")
        # Of a small frame the window is less than the least that the library takes.
        window = max(frame.window_size, 1024)
        return zstandard.ZstdDecompressor(dict_data=words, max_window_size=window).decompress(delta)
    except zstandard.ZstdError as error:
        raise UpdateError(f"the delta can't be read: {error}") from error


def digest(content: bytes) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def _install(
    fetch: Fetch, home: Path, manifest: dict[str, Any], raw: bytes, there: dict[str, Any] | None
) -> int:
    version = str(manifest["version"])
    draft = home / f"{version}.part"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    for name, file in manifest["files"].items():
        content = _content(fetch, home, manifest, name, there)
        if (len(content), digest(content)) != (file["size"], file["sha256"]):
            raise UpdateError(f"{name} has not the digest of its manifest: download it again")
        _write(draft / _plain(name), content)
    _write(draft / MANIFEST, raw)
    shutil.rmtree(home / version, ignore_errors=True)
    draft.rename(home / version)
    # From here on the new version is the installed one, whatever stops the phone.
    _write(home / f"{CURRENT}.part", version.encode())
    os.replace(home / f"{CURRENT}.part", home / CURRENT)
    if there:
        shutil.rmtree(home / str(there["version"]))
    return manifest["version"]


def _content(
    fetch: Fetch, home: Path, manifest: dict[str, Any], name: str, there: dict[str, Any] | None
) -> bytes:
    """A file of the new version: kept, patched, or downloaded whole."""
    file = manifest["files"][name]
    if there and name in there["files"]:
        base = (home / str(there["version"]) / _plain(name)).read_bytes()
        if digest(base) == file["sha256"]:
            return base
        for delta in file.get("deltas", []):
            if delta["from"] == there["version"] and delta["baseSha256"] == digest(base):
                content = fetch(delta["path"])
                if digest(content) != delta["sha256"]:
                    raise UpdateError(
                        f"the delta of {name} has not the digest of its manifest: download it again"
                    )
                return patched(base, content, delta["baseSha256"], file["size"])
    return fetch(file["path"])


def _plain(name: str) -> str:
    if Path(name).name != name or name in (MANIFEST, CURRENT, ""):
        raise UpdateError(f"the manifest names the file {name!r}, which is no plain name")
    return name


def _number(version: object) -> int:
    if not isinstance(version, int) or version < 1:
        raise UpdateError(f"{LATEST} has the version {version!r}, which is no number of 1 or more")
    return version


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def main(arguments: list[str]) -> int:
    """Updates; the exit code."""
    parser = argparse.ArgumentParser(prog="verify", description=__doc__)
    parser.add_argument("--from", dest="source", type=Path, required=True, help="the bundle's folder")
    parser.add_argument("--home", type=Path, required=True, help="where versions are installed")
    parser.add_argument("--key", type=Path, required=True, help="the public key, PEM")
    given = parser.parse_args(arguments)
    key = load_pem_public_key(given.key.read_bytes())
    if not isinstance(key, Ed25519PublicKey):
        parser.error(f"--key {given.key} is no key of Ed25519")
    try:
        print(update(lambda path: (given.source / path).read_bytes(), given.home, key))
    except (UpdateError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
