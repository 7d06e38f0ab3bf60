"""The state of a stack that exists, as the engine would show its resources: no program, preview or credential.

`pulumi stack export --file stack.json` gives the state of any stack in any language. Its secrets are ciphertext, unless
`--show-secrets` is given: a control that needs one can't judge it, which is said once for the whole state, and ends an
audit as an unresolved value ends a preview. In the clear they are judged, and findings say where, and never what. A
state says what was last asked of the cloud, not what somebody has changed there since: `pulumi refresh` brings that in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pulumi_policy.deserialize import SPECIAL_SECRET_SIG, SPECIAL_SIG_KEY

from policies.framework.record import Record, ReportedFinding
from policies.framework.run_state import touch
from policies.framework.unknowns import Path as PropertyPath
from policies.framework.unknowns import dotted, leaves
from policies.runner.offline import UNKNOWN, AnalyzedResource, Config, Provider, analyse

SIGNATURE, SECRET = SPECIAL_SIG_KEY, SPECIAL_SECRET_SIG
# Letters of a secret that no sentence has by chance.
_SHORTEST = 8


class StateFileError(Exception):
    """A file is no state of a stack; the message says what to give."""


def resources_of(file: Path) -> list[dict[str, Any]]:
    """The resources of an exported state, or of a checkpoint that a backend of files keeps.

    Raises:
        StateFileError: it is neither.
    """
    try:
        resources = resources_in(json.loads(file.read_bytes()))
        if all(isinstance(one["urn"], str) and isinstance(one["type"], str) for one in resources):
            return resources
        why = "a resource has no URN or type"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        why = repr(error)
    raise StateFileError(
        f"{file} is no state of a stack ({why}): give what `pulumi stack export --file {file.name}` writes"
    )


def resources_in(state: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The resources of a state that do not wait to be deleted."""
    kept = state["deployment"] if "deployment" in state else state["checkpoint"]["latest"]
    return [one for one in kept.get("resources") or () if not one.get("delete")]


def judge(
    resources: Sequence[Mapping[str, Any]],
    config: Config | None = None,
    on_step: Callable[[int], None] = lambda done: None,
) -> Record:
    """What the pack finds in a state. What a control needs and the state has as ciphertext is `encrypted`.

    No finding has the value of a secret that the state has in the clear.
    """
    _, record = analyse(list(analyzed_resources(resources)), config, on_step)
    paths = {one["urn"]: encrypted(one) for one in resources}
    veil = _veil(resources)
    findings = (_encrypted(one, paths.get(one.urn, ())) for one in record.findings)
    told = tuple(one.model_copy(update={"what": veil(one.what)}) for one in findings)
    return record.model_copy(update={"findings": told})


def encrypted(resource: Mapping[str, Any]) -> list[str]:
    """Where a resource of a state has ciphertext."""
    return [dotted(path) for path, secret in _secrets_of(resource) if "plaintext" not in secret]


def sealed(value: Any) -> Any:
    """Values of a state without the plaintext of secrets: what may be shown."""
    if isinstance(value, list):
        return [sealed(one) for one in value]
    if not isinstance(value, dict):
        return value
    if value.get(SIGNATURE) == SECRET:
        return {SIGNATURE: SECRET, "ciphertext": value.get("ciphertext", "")}
    return {key: sealed(one) for key, one in value.items()}


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


def _encrypted(finding: ReportedFinding, paths: Sequence[str]) -> ReportedFinding:
    """A finding of an unknown value; where that is ciphertext, as what could not be judged."""
    if finding.outcome != "unresolved" or not any(touch(path, finding.where) for path in paths):
        return finding
    told = {
        "outcome": "encrypted",
        "what": "not judged: a value that this control needs is secret in this export",
        "expected": "the value in the clear",
        "fix": "export the stack with `pulumi stack export --show-secrets`",
    }
    return finding.model_copy(update=told)


def _veil(resources: Sequence[Mapping[str, Any]]) -> Callable[[str], str]:
    """Takes the secrets that a state has in the clear out of a sentence: a finding may name a host by its value."""
    clear = [
        json.loads(secret["plaintext"])
        for one in resources
        for _, secret in _secrets_of(one)
        if "plaintext" in secret
    ]
    texts = {str(leaf.value) for leaf in leaves(clear) if len(str(leaf.value)) >= _SHORTEST}
    if not texts:
        return lambda sentence: sentence
    longest_first = "|".join(map(re.escape, sorted(texts, key=len, reverse=True)))
    whole = re.compile(rf"(?<!\w)(?:{longest_first})(?!\w)")
    return lambda sentence: whole.sub("(secret)", sentence)


def _secrets_of(resource: Mapping[str, Any]) -> Iterator[tuple[PropertyPath, Mapping[str, Any]]]:
    for values in (resource.get("inputs"), resource.get("outputs")):
        yield from _secrets(values)


def _secrets(value: Any, path: PropertyPath = ()) -> Iterator[tuple[PropertyPath, Mapping[str, Any]]]:
    """Every secret of a state's values, with its path."""
    if isinstance(value, list):
        for index, one in enumerate(value):
            yield from _secrets(one, (*path, index))
    elif isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET:
            yield path, value
            return
        for key, one in value.items():
            yield from _secrets(one, (*path, key))


def _plain(value: Any) -> Any:
    """Values of a state as the engine would send them: a secret is marked as one, and not known if it is ciphertext."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if not isinstance(value, dict):
        return value
    if value.get(SIGNATURE) == SECRET:
        known = _plain(json.loads(value["plaintext"])) if "plaintext" in value else UNKNOWN
        return {SIGNATURE: SECRET, "value": known}
    return {key: _plain(one) for key, one in value.items()}
