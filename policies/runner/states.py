"""The state of a stack that exists, as the engine would show its resources: no program, preview or credential.

`pulumi stack export --file stack.json` gives the state of any stack in any language. Its secrets are ciphertext and
stay so: where a control needs one, it is unresolved. A state says what was last asked of the cloud, not what somebody
has changed there since: `pulumi refresh` brings that in.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from policies.runner.offline import UNKNOWN, AnalyzedResource, Provider

SIGNATURE, SECRET = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"


class StateFileError(Exception):
    """A file is no state of a stack; the message says what to give."""


def resources_of(file: Path) -> list[dict[str, Any]]:
    """The resources of an exported state, or of a checkpoint that a backend of files keeps.

    Raises:
        StateFileError: it is neither.
    """
    try:
        values = json.loads(file.read_bytes())
        kept = values["deployment"] if "deployment" in values else values["checkpoint"]["latest"]
        resources = [one for one in kept.get("resources") or () if not one.get("delete")]
        if all(isinstance(one["urn"], str) and isinstance(one["type"], str) for one in resources):
            return resources
        why = "a resource has no URN or type"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        why = repr(error)
    raise StateFileError(
        f"{file} is no state of a stack ({why}): give what `pulumi stack export --file {file.name}` writes"
    )


def analyzed_resources(resources: Sequence[Mapping[str, Any]]) -> Iterator[AnalyzedResource]:
    """The resources of a state as the engine shows them."""
    inputs = {one["urn"]: _plain(one.get("inputs") or {}) for one in resources}
    for one in resources:
        provider = str(one.get("provider") or "").rpartition("::")[0]  # its id follows the URN
        yield AnalyzedResource(
            type=one["type"],
            urn=one["urn"],
            inputs=inputs[one["urn"]],
            outputs=_plain(one.get("outputs") or {}),
            provider=Provider(provider, inputs[provider]) if provider in inputs else None,
            sources={
                prop: list(urns or ()) for prop, urns in (one.get("propertyDependencies") or {}).items()
            },
        )


def _plain(value: Any) -> Any:
    """Values of a state, with secrets as nobody can know them, or opened where the state has them in the clear."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if not isinstance(value, dict):
        return value
    if value.get(SIGNATURE) == SECRET:
        return _plain(json.loads(value["plaintext"])) if "plaintext" in value else UNKNOWN
    return {key: _plain(one) for key, one in value.items()}
