"""The response cache, which erases what it keeps about a data principal when its administrator asks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

TIMEOUT_SECONDS = 120


class CacheError(Exception):
    """The cache did not erase; the message says why, and what to do."""


def erase(address: str, key: Path | None, principal: str) -> dict[str, Any]:
    """Erase all answers about a principal; the cache's own record of it.

    Raises:
        CacheError: nothing is sure to be erased.
    """
    try:
        secret = key.read_text().strip() if key else ""
    except OSError as error:
        raise CacheError(
            f"CACHE_KEY={key}: {error.strerror}: give a file with the cache's key `admin`"
        ) from None
    asked = f"{address.rstrip('/')}/cache/principals/{quote(principal, safe='')}"
    request = Request(asked, method="DELETE", headers={"Authorization": f"Bearer {secret}"})
    try:
        with urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
            return json.load(answer)
    except HTTPError as error:
        said = error.read().decode(errors="replace")[:500]
        raise CacheError(f"CACHE={address} answered {error.code}: {said}") from None
    except (URLError, OSError, ValueError) as error:
        raise CacheError(
            f"CACHE={address} did not answer ({error}): forward its port, and run again"
        ) from None
