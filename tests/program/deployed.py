"""What a stack that is up would lose: resources that the program calls otherwise now, or can only replace.

`deployed/<stack>.yaml` holds, for each of our stacks, every resource by the end of its URN (the types of its ancestors,
its name) with the properties whose change makes a new resource, as the program registered them when the file was
written. Which properties do, the local cloud's providers know from the real ones. `python -m tests.program.deployed`
writes the files anew and prints what the change costs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from localcloud.providers.aws import table as aws
from localcloud.providers.gcp import replaced as gcp
from localcloud.providers.kubernetes import charts
from localcloud.providers.kubernetes import diff as kubernetes
from localcloud.providers.protocol import changed_keys
from tests.mock_engine import Registered, on_mocks
from tests.program.whole_stacks import config_of, run_anew

FOLDER = Path(__file__).with_name("deployed")
STACKS = ("local", "dev", "prod")
RENEW = "python -m tests.program.deployed"
# Programs in ConfigMaps: that one changed is to be seen, its text is not.
LONGEST = 160

Deployed = Mapping[str, Mapping[str, Any]]


def kept(stack: str) -> Deployed:
    """The resources of a stack as they were when its file was written."""
    return yaml.load((FOLDER / f"{stack}.yaml").read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def deployed(resources: Iterable[Registered]) -> Deployed:
    """The resources of a run by the end of their URN, each with the properties whose change makes a new resource."""
    return {_end(one.urn): _picked(one.inputs, _replacing(one)) for one in resources}


def losses(before: Deployed, resources: Iterable[Registered]) -> Iterator[str]:
    """A line for each resource of `before` that an update of a stack that is up would delete or replace."""
    now: dict[str, Registered] = {}
    for one in resources:
        now |= {_end(urn): one for urn in (*one.aliases, one.urn)}
    for end, old in before.items():
        if end not in now:
            yield f"{end}: gone; an alias (pulumi.Alias) keeps one that is only called otherwise"
            continue
        new = _picked(now[end].inputs, _replacing(now[end]))
        for name in _replaced(now[end].type, dict(old), new):
            first, *others = _differences(name, old.get(name), new.get(name))
            yield f"{end}: replaced, for {first}" + (f", and {len(others)} more" if others else "")


def _differences(path: str, old: Any, new: Any) -> Iterator[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in sorted(old.keys() | new.keys()):
            yield from _differences(f"{path}.{name}", old.get(name), new.get(name))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _differences(f"{path}[{index}]", one, other)
    elif old != new:
        yield f"{path} was {old!r} and is {new!r}"


def _end(urn: str) -> str:
    return urn.split("::", 2)[2]


def _replaced(token: str, old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """The top-level properties whose change makes a new resource, by the provider of the type."""
    if token == charts.RELEASE:
        return charts.diff(old, new).replaces
    match token.partition(":")[0]:
        case "aws":
            return aws.row(token).replaced_by(changed_keys(old, new), old, new)
        case "gcp":
            return gcp.replaced(token, old, new)
        case "kubernetes":
            return kubernetes.diff(old, new, frozenset()).replaces
        case "random":
            return changed_keys(old, new)
        case _:
            return []


def _replacing(one: Registered) -> Iterable[str]:
    """The paths of the properties whose change may make a new resource."""
    if one.type == charts.RELEASE:
        return charts.IDENTITY
    match one.type.partition(":")[0]:
        case "aws":
            row = aws.row(one.type)
            return {*row.replaced, *row.replaced_when, *row.differs}
        case "gcp":
            return gcp.declared(one.type)
        case "kubernetes":
            return kubernetes.immutable(one.inputs)
        case "random":
            return one.inputs
        case _:
            return ()


def _picked(value: Any, paths: Iterable[str]) -> Any:
    """The parts of a value at dotted paths, of each element where there is a list."""
    if isinstance(value, list):
        return [_picked(element, paths) for element in value]
    if not isinstance(value, Mapping):
        return value
    below: dict[str, set[str]] = {}
    for path in paths:
        name, _, rest = path.partition(".")
        below.setdefault(name, set()).update({rest} - {""})
    return {
        name: _picked(value[name], below[name]) if below[name] else _short(value[name])
        for name in sorted(below.keys() & value.keys())
    }


def _short(value: Any) -> Any:
    """A value with a fingerprint in place of each long text."""
    if isinstance(value, Mapping):
        return {name: _short(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_short(part) for part in value]
    if isinstance(value, str) and len(value) > LONGEST:
        return f"{len(value)} characters, sha256 {hashlib.sha256(value.encode()).hexdigest()[:16]}"
    return value


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for stack in STACKS:
        resources = run_anew(on_mocks, config_of(stack)).resources
        file = FOLDER / f"{stack}.yaml"
        for line in losses(kept(stack), resources) if file.exists() else ():
            print(f"{stack}: {line}")
        file.write_text(f"# {RENEW}\n{yaml.safe_dump(dict(deployed(resources)), width=110)}")


if __name__ == "__main__":
    main()
