"""The settings of pods, in any Kubernetes resource and at any depth: variables, arguments, images.

Pods hide in templates of templates (CronJob, JobSet, RayJob, KServe) and in the values of charts, so nothing here looks
for a kind: every block that has an `env` list or an `image` is read, and everything outside the metadata.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from policies.framework.provenance import IN_CLUSTERS, made_here
from policies.framework.resources import Resource, Stack, StackResource
from policies.framework.unknowns import Leaf, Path, Unknown, dig, each
from policies.readers.pod_specs import ABOVE
from policies.readers.tables import several, table
from policies.readers.values.reading import every_leaf, secret_text

KUBERNETES = ("kubernetes:",)
CRD = "kubernetes:apiextensions.k8s.io/"  # its texts are the documentation of a schema
CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
SECRET = "kubernetes:core/v1:Secret"

# Names that charts and operators give to a list of variables.
_ENV = frozenset({"env", "environment", "envVars", "env_vars", "extraEnv", "extraEnvs", "extraEnvVars"})
_ENV_FROM = ("envFrom", "extraEnvFrom")
_OBJECTS_OWN = frozenset({"metadata", "status", "apiVersion", "kind"})
_TEMPLATES = frozenset({"template", "jobTemplate", "podTemplate"})  # and what operators name after these
_ENTRIES = ("data", "stringData")  # of ConfigMaps and Secrets, whose keys are anybody's
# Whole blocks: unknown, they may hide any pod or any address.
BLOCKS = _ENV | set(_ENV_FROM) | ABOVE | {
    "args", "command", "container", "containers", "data", "ephemeralContainers", "initContainers", "model", "nodeSets",
    "runtimeEnvYAML", "steps", "stringData", "templates", "trainer", "values",
}  # fmt: skip


@dataclass(frozen=True)
class Variable:
    """`value` is what is written, at `path`; `source` is the `valueFrom` of one that is kept elsewhere.

    `named` is the path of its name.
    """

    path: Path
    named: Path
    name: str
    value: Any
    source: Any = None

    @property
    def is_set(self) -> bool:
        """Whether it has a value or a source of one."""
        return self.source is not None or self.value not in (None, "")


@dataclass(frozen=True)
class Environment:
    """The variables of one container, or the entries of a ConfigMap or Secret. `elsewhere` is its `envFrom`."""

    path: Path
    block: Mapping[str, Any]
    variables: tuple[Variable, ...]
    elsewhere: tuple[Path, Any] | None = None

    def get(self, name: str) -> Variable | None:
        """The variable with a name, if it is set."""
        return next((one for one in self.variables if one.name == name and one.is_set), None)

    def says(self, setting: str) -> bool:
        """Whether `NAME=value` is set here, in whatever case the value is written."""
        name, _, value = setting.partition("=")
        found = self.get(name)
        return found is not None and str(found.value).lower() == value.lower()


def settings_of_pods(resource: Resource) -> tuple[Leaf, ...]:
    """Every scalar and `Unknown` of a Kubernetes resource, but for its own metadata and status and its templates'."""
    return resource.once(_settings_of_pods)


def _settings_of_pods(resource: Resource) -> tuple[Leaf, ...]:
    return tuple(leaf for leaf in every_leaf(resource) if leaf.path and not is_about_the_object(leaf.path))


def is_about_the_object(path: Path) -> bool:
    """Whether a path is in an object's metadata, status, kind or version, or in the metadata of a template of pods.

    Anywhere else these are ordinary names, of a chart's values or a custom resource's settings.
    """
    if path[0] in _OBJECTS_OWN:
        return True
    return any(
        name == "metadata" and isinstance(above, str) and (above in _TEMPLATES or above.endswith("Template"))
        for above, name in pairwise(path)
    )


def hidden(resource: Resource) -> Iterator[Unknown]:
    """Unknown blocks that may hide pods, and unknown names of variables."""
    for leaf in settings_of_pods(resource):
        named = leaf.path[-1] == "name" and any(part in _ENV for part in leaf.path[:-1])
        if isinstance(leaf.value, Unknown) and (leaf.name in BLOCKS or named):
            yield leaf.value


def environments(resource: Resource) -> tuple[Environment, ...]:
    """Each block with variables, each container, and the entries of a ConfigMap or Secret, read once."""
    return resource.once(_environments)


def _environments(resource: Resource) -> tuple[Environment, ...]:
    return (*_of_blocks(resource.props), *_of_entries(resource))


def _of_blocks(props: Any) -> Iterator[Environment]:
    for path, block in _mappings(props):
        variables = tuple(
            variable for name in _ENV & block.keys() for variable in _variables((*path, name), block[name])
        )
        others = next((name for name in _ENV_FROM if block.get(name)), None)
        if variables or others or "image" in block:
            yield Environment(path, block, variables, ((*path, others), block[others]) if others else None)


def _of_entries(resource: Resource) -> Iterator[Environment]:
    for name in _ENTRIES:
        entries = resource.props.get(name)
        if isinstance(entries, dict):
            if resource.type == SECRET and name == "data":
                entries = {key: _plain(value) for key, value in entries.items()}
            yield Environment((name,), entries, tuple(_variables((name,), entries)))


def _plain(value: Any) -> Any:
    return secret_text(value) if isinstance(value, str) else value


def line(block: Mapping[str, Any]) -> str:
    """Command and arguments of a container as one text."""
    parts = [*each(block.get("command")), *each(block.get("args"))]
    return " ".join(part for part in parts if isinstance(part, str))


def at(props: Any, path: Path) -> Any:
    """The value at a path; None where there is none."""
    for part in path:
        try:
            props = props[part]
        except (KeyError, IndexError, TypeError):
            return None
    return props


def keys_of(reference: Any, stack: Stack) -> set[str]:
    """The keys of the stack's ConfigMap or Secret that an `envFrom` or `valueFrom` names; none where it has none."""
    if not isinstance(reference, dict):
        return set()
    for kind, names in (
        (CONFIG_MAP, ("configMapRef", "configMapKeyRef")),
        (SECRET, ("secretRef", "secretKeyRef")),
    ):
        wanted = next((reference[name] for name in names if isinstance(reference.get(name), dict)), {}).get(
            "name"
        )
        for holder in stack.of(kind):
            if isinstance(wanted, str) and at(holder.props, ("metadata", "name")) == wanted:
                entries = [holder.props.get(name) for name in _ENTRIES]
                return {key for found in entries if isinstance(found, dict) for key in found}
    return set()


def resolved_by_own_resources(unknown: Unknown, resource: StackResource, _stack: Stack) -> bool:
    """True for a single value that comes from resources of this stack only, which their own controls judge.

    A whole block is never settled: it may hide anything. The update judges both again, before the resource is made.
    """
    names = [part for part in unknown.path if isinstance(part, str)]
    if not names or names[-1] in BLOCKS - {"args", "command"}:
        return False
    if names[-1] in ("args", "command") and isinstance(unknown.path[-1], str):
        return False
    return made_here(resource, names[0], IN_CLUSTERS)


def _mappings(tree: Any) -> Iterator[tuple[Path, dict[str, Any]]]:
    todo: list[tuple[Path, Any]] = [((), tree)]
    while todo:
        path, value = todo.pop()
        if isinstance(value, dict):
            yield path, value
            todo.extend(
                ((*path, key), inner) for key, inner in value.items() if not is_about_the_object((*path, key))
            )
        elif isinstance(value, list):
            todo.extend(((*path, index), inner) for index, inner in enumerate(value))


def _variables(path: Path, entries: Any) -> Iterator[Variable]:
    if isinstance(entries, dict):
        for name, value in entries.items():
            source = value.get("valueFrom") if isinstance(value, dict) else None
            yield Variable(
                (*path, name),
                (*path, name),
                str(name),
                None if isinstance(value, dict | list) else value,
                source,
            )
        return
    for index, entry in enumerate(each(entries)):
        if isinstance(entry, dict) and isinstance(entry.get("name"), str):
            source = entry.get("valueFrom")
            where = (*path, index, "value" if source is None else "valueFrom")
            yield Variable(where, (*path, index, "name"), entry["name"], entry.get("value"), source)


def resolved_elsewhere(unknown: Unknown, resource: StackResource, stack: Stack) -> bool:
    """An address is settled by own resources, or by the stack's ConfigMap or Secret that has it: that one is judged."""
    reference = at(resource.props, unknown.path)
    if isinstance(reference, dict):
        wanted = [dig(reference, name, "key") for name in ("configMapKeyRef", "secretKeyRef")]
        there = keys_of(reference, stack)
        return any(isinstance(one, str) and one in there for one in wanted)
    return resolved_by_own_resources(unknown, resource, stack)


# A property or variable of such a name may hold an address; `values` are a chart's, whose blocks have any name.
_ADDRESS = re.compile(
    r"ur[il]s?$|hosts?$|endpoints?$|address(es)?$|server|dsn$|site$|proxy$|externalname$", re.IGNORECASE
)
_HELD = frozenset({"env", "args", "command", "data", "stringData", "values"})


def hidden_addresses(resource: Resource) -> Iterator[Unknown]:
    """Values that may be addresses and can't be known, and addresses of known services that are kept elsewhere."""
    for leaf in settings_of_pods(resource):
        if isinstance(leaf.value, Unknown) and (
            not _HELD.isdisjoint(map(str, leaf.path)) or leaf.name in BLOCKS or _ADDRESS.search(leaf.name)
        ):
            yield leaf.value
    for environment in environments(resource):
        for variable in environment.variables:
            if variable.source is not None and variable.name in _addresses():
                yield Unknown(variable.path)


@functools.cache
def _addresses() -> frozenset[str]:
    return frozenset(name for row in table("services.csv") for name in several(row["addresses"]))
