"""Publishes files for phones as a signed version: `python -m workloads.edge.programs.bundle --job FILE`.

Below the target: VERSION/manifest.json with its signature, the files, deltas from the versions before, and latest.json,
which comes last. Ends with 64 where the version is refused, and then writes nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import fsspec
import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from fsspec.implementations.local import LocalFileSystem
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from workloads.edge.programs import budget, residency
from workloads.edge.programs.verify import LATEST, MANIFEST, SIGNATURE, digest
from workloads.training.trainer.launch import REFUSED
from workloads.training.trainer.publication import listed, refusals
from workloads.training.trainer.recipe import RecipeError

# What an export writes last.
EXPORTED = "export.json"
# Of zstd's --patch-from, whose window must hold the base and the new file.
_MOST_BYTES = 1 << 30
_LEVEL = 19


class Bundle(BaseModel):
    """A version of a model for phones."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    version: int = Field(ge=1)
    """Higher than that of every version before."""
    files: Path
    """A folder with the files, and no folder in it."""
    target: str
    """A folder of this bundle alone: a path, s3:// or gs://."""
    key: Path
    """The private key of Ed25519, PEM."""
    max_bytes: int | None = Field(default=None, ge=1)
    """What a first download may weigh."""
    max_seconds: dict[str, float] = {}
    """How long a first download may take, by connection (connections.yaml)."""
    deltas_from: int = Field(default=2, ge=0)
    """How many versions before it are updated by deltas; older ones download the files whole."""

    @staticmethod
    def read(text: str) -> Bundle:
        """The bundle in a JSON text; RecipeError names the first field that is wrong."""
        try:
            return Bundle.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            path = ".".join(map(str, first["loc"])) or "the job"
            raise RecipeError(f"{path} is {first['input']!r}: {first['msg']}") from error


def publish(bundle: Bundle) -> dict[str, Any]:
    """Publishes the version; its manifest."""
    key = load_pem_private_key(bundle.key.read_bytes(), None)
    if not isinstance(key, Ed25519PrivateKey):
        raise RecipeError(
            f"key {bundle.key} is no key of Ed25519: make one with `openssl genpkey -algorithm ed25519`"
        )
    folder = sorted(bundle.files.iterdir()) if bundle.files.is_dir() else []
    contents = {path.name: path.read_bytes() for path in folder}
    if EXPORTED not in contents:
        raise RecipeError(f"files {bundle.files} has no {EXPORTED}: export a model there, to the end")
    size = sum(map(len, contents.values()))
    budget.check(f"version {bundle.version}", size, bundle.max_bytes, bundle.max_seconds)
    with refusals(bundle.target):
        store, root = fsspec.core.url_to_fs(bundle.target.rstrip("/"))
        residency.check(bundle.target, store, root)
        before = _before(store, root, bundle)
        files, objects = {}, {}
        for name, content in contents.items():
            path = f"{bundle.version}/{name}"
            deltas = _deltas(store, root, before[: bundle.deltas_from], bundle.version, name, content)
            objects |= {path: content, **{delta["path"]: body for delta, body in deltas}}
            described = [delta for delta, _ in deltas]
            files[name] = {"path": path, "size": len(content), "sha256": digest(content), "deltas": described}
        manifest = {
            "name": bundle.name,
            "version": bundle.version,
            "madeOn": time.strftime("%Y-%m-%d", time.gmtime()),
            "bytes": size,
            "downloadSeconds": budget.download_seconds(size),
            "files": files,
        }
        raw = json.dumps(manifest, indent=1).encode()
        objects |= {f"{bundle.version}/{SIGNATURE}": key.sign(raw), f"{bundle.version}/{MANIFEST}": raw}
        # Last: a phone finds a version when all of it is there.
        objects[LATEST] = json.dumps({"version": bundle.version}).encode()
        for path, content in objects.items():
            _put(store, f"{root}/{path}", content)
    return manifest


def _before(store: Any, root: str, bundle: Bundle) -> list[dict[str, Any]]:
    """The manifests of the versions before, the newest first. RecipeError if one is not older."""
    paths = listed(store, root)
    latest = json.loads(store.cat_file(f"{root}/{LATEST}"))["version"] if f"{root}/{LATEST}" in paths else 0
    found = [json.loads(store.cat_file(path)) for path in paths if path.endswith(f"/{MANIFEST}")]
    # A version above it was never announced: whoever wrote it was stopped.
    manifests = [manifest for manifest in found if manifest["version"] <= latest]
    for manifest in manifests:
        if manifest["name"] != bundle.name:
            raise RecipeError(
                f"target {bundle.target} holds {manifest['name']}: give {bundle.name} a folder of its own"
            )
    newest_first = sorted(manifests, key=lambda manifest: -manifest["version"])
    if newest_first and newest_first[0]["version"] >= bundle.version:
        newest = newest_first[0]["version"]
        raise RecipeError(f"version {bundle.version} is not above the published {newest}: give {newest + 1}")
    return newest_first


def _deltas(
    store: Any, root: str, before: list[dict[str, Any]], version: int, name: str, content: bytes
) -> list[tuple[dict[str, Any], bytes]]:
    """What is sent in the file's place to phones with an older version, where that is less."""
    found = []
    for manifest in before:
        old = manifest["files"].get(name)
        if not old or old["sha256"] == digest(content) or old["size"] + len(content) > _MOST_BYTES:
            continue
        base = store.cat_file(f"{root}/{old['path']}")
        body = delta(base, content)
        if len(body) < len(content):
            path = f"{version}/deltas/{manifest['version']}/{name}"
            described = {"from": manifest["version"], "path": path, "size": len(body), "sha256": digest(body)}
            found.append(({**described, "baseSha256": old["sha256"]}, body))
    return found


def delta(base: bytes, content: bytes) -> bytes:
    """`content` as a frame of Zstandard whose dictionary is `base` (zstd --patch-from)."""
    window = max(10, (len(base) + len(content)).bit_length())
    parameters = zstandard.ZstdCompressionParameters.from_level(_LEVEL, window_log=window, enable_ldm=True)
    words = zstandard.ZstdCompressionDict(base, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    return zstandard.ZstdCompressor(dict_data=words, compression_params=parameters).compress(content)


def _put(store: Any, path: str, content: bytes) -> None:
    if not isinstance(store, LocalFileSystem):
        store.pipe_file(path, content)
        return
    store.makedirs(path.rpartition("/")[0], exist_ok=True)
    store.pipe_file(f"{path}.part", content)
    store.mv(f"{path}.part", path)


def main(arguments: list[str]) -> int:
    """Publishes; the exit code."""
    parser = argparse.ArgumentParser(prog="bundle", description=__doc__)
    parser.add_argument("--job", type=Path, required=True, help="a file with the bundle as JSON")
    given = parser.parse_args(arguments)
    try:
        manifest = publish(Bundle.read(given.job.read_text()))
    except RecipeError as error:
        print(f"error: {error}", file=sys.stderr)
        return REFUSED
    print(f"event=published version={manifest['version']} bytes={manifest['bytes']}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
