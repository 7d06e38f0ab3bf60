"""The buckets of a stack that is up, as `pulumi stack output` names them."""

from __future__ import annotations

import json
import re
from pathlib import Path


class BucketsError(ValueError):
    """The file is not what Pulumi prints; the message says what is needed."""


def addresses(file: Path, scheme: str) -> dict[str, str]:
    """The addresses by role (`s3://…-curated-1a2b3c`), of the names in a file of `pulumi stack output buckets --json`.

    Raises:
        BucketsError: there is no such file, or it is something else.
    """
    try:
        names = json.loads(file.read_text())
        if all(re.fullmatch(r"[a-z0-9][a-z0-9._-]+", name) for name in names.values()):
            return {role: f"{scheme}://{name}" for role, name in names.items()}
        why = "a value is no bucket's name"
    except (OSError, ValueError, AttributeError, TypeError) as error:
        why = str(error)
    raise BucketsError(
        f"BUCKETS={file}: {why}; needed is what `pulumi stack output buckets --json` prints"
    ) from None
