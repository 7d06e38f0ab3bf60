"""Where a model came from, as its version says it: enough to make it again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from .errors import RegistryError

COMMIT = r"[0-9a-f]{40}|[0-9a-f]{64}"
PATTERNS = {
    # Git's, or DVC's MD5 of a folder.
    "data-commit": (rf"{COMMIT}|[0-9a-f]{{32}}(\.dir)?", "the commit of DVC or lakeFS, in full"),
    "code-commit": (COMMIT, "the commit of the code, in full: `git rev-parse HEAD`"),
    "image": (r"\S+@sha256:[0-9a-f]{64}", "the image by its digest: <repository>@sha256:…"),
    "seed": (r"\d{1,19}", "the seed, a whole number"),
}


def tags(given: Mapping[str, str], recipe: Path) -> dict[str, str]:
    """The tags of a version. RegistryError names each that is wrong."""
    wrong = [
        f"--{name} {given[name]!r}: {allowed}"
        for name, (pattern, allowed) in PATTERNS.items()
        if not re.fullmatch(pattern, given[name])
    ]
    if wrong:
        raise RegistryError("; ".join(wrong))
    try:
        digest = hashlib.sha256(recipe.read_bytes()).hexdigest()
    except OSError as error:
        raise RegistryError(f"--recipe {recipe} can't be read: {error.strerror}") from error
    return {**{name.replace("-", "."): given[name] for name in PATTERNS}, "recipe": digest}
