"""Models: what serves and trains them in the stack, from which weights and data, and where they came from.

A stack's pods are known by their resources alone: those with GPUs, with a model's name, or with a recipe of a model.
"""

from __future__ import annotations

import csv
import functools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commands.page.document import Cell, Section, Table, columns, listed, row
from commands.page.lineage import Version
from commands.page.state import State
from infra.contracts.labels import GPU_RESOURCE, INTERNET_EGRESS, POOL_LABEL
from infra.pricing.node_counts import number
from infra.pricing.resources import plain

PODS = Path(__file__).parent / "data" / "pods.csv"
CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
# The words that name a model on the command line of an engine: vLLM, SGLang (workloads/serving/engines.yaml).
NAMES_MODEL = re.compile(r"--served-model-name[= ](\S+)")
PLACE = re.compile(r"\b(?:s3|gs)://[^\s,;\"']+")
Tree = Mapping[str, Any]


@dataclass(frozen=True)
class Runner:
    """What makes pods that serve or train: its name, namespace, what it does, its model, and `places` in the lake, or
    elsewhere, that it reads or writes. `pods` and `gpus` are its own, all together."""

    name: str
    namespace: str
    does: str
    model: str
    places: tuple[str, ...]
    pool: str
    pods: int
    gpus: int
    images: tuple[str, ...]


def section(state: State, versions: Sequence[Version] | None) -> Section:
    """What serves and trains here, and the lineage, where a file of it is given."""
    found = runners(state)
    words = [] if found else [Cell("Nothing of this stack serves or trains a model.")]
    tables = [_runners(found)] if found else []
    if versions is None:
        words.append(
            Cell("Where each model came from is not in a stack's state: LINEAGE=lineage.json shows it.")
        )
    else:
        tables.append(_lineage(versions, {one.name for one in found}))
    return Section("models", "Models", words, tables)


def runners(state: State) -> list[Runner]:
    """Everything that serves or trains, in the order of the program."""
    does = _does()
    files = {_key(one): one["inputs"].get("data") or {} for one in state.of(CONFIG_MAP)}
    found = (_runner(one, does[one["type"]], files) for one in state.of(*does))
    return [one for one in found if one.model or one.gpus]


@functools.cache
def _does() -> Mapping[str, str]:
    with PODS.open(newline="") as file:
        return {line["type"]: line["does"] for line in csv.DictReader(file)}


def _key(resource: Tree) -> tuple[str, str, str]:
    metadata = resource["inputs"].get("metadata") or {}
    return resource["provider"], str(metadata.get("namespace")), str(metadata.get("name"))


def _runner(resource: Tree, does: str, files: Mapping[tuple[str, str, str], Tree]) -> Runner:
    provider, namespace, name = _key(resource)
    spec = resource["inputs"].get("spec") or {}
    pods = list(pod_specs(spec))
    containers = [one for pod in pods for one in pod["containers"]]
    words = " ".join(word for one in containers for word in _words(one))
    mounted = (files.get((provider, namespace, name), {}) for pod in pods for name in _config_maps(pod))
    recipes = [found for data in mounted for found in _recipes(data)]
    each = int(number(spec.get("replicas", spec.get("parallelism", 1))) or 0)
    return Runner(
        name,
        namespace,
        does,
        listed([*NAMES_MODEL.findall(words), *(model for model, _ in recipes)], none=""),
        tuple(dict.fromkeys([*PLACE.findall(words), *(data for _, data in recipes if data), *_hub(spec)])),
        listed((str(plain(pod, "nodeSelector", POOL_LABEL) or "") for pod in pods), none=""),
        each * len(pods),
        each * sum(_gpus(one) for one in containers),
        tuple(dict.fromkeys(str(one.get("image")) for one in containers)),
    )


def pod_specs(tree: Any) -> Iterator[Tree]:
    """Every spec of pods in a resource, however deep its kind has them."""
    if isinstance(tree, list):
        for one in tree:
            yield from pod_specs(one)
    elif isinstance(tree, Mapping):
        if isinstance(tree.get("containers"), list):
            yield tree
        else:
            for one in tree.values():
                yield from pod_specs(one)


def _words(container: Tree) -> list[str]:
    """The command line of a container and the values of its variables."""
    values = (one.get("value") for one in container.get("env") or ())
    given = (*(container.get("command") or ()), *(container.get("args") or ()), *values)
    return [word for word in given if isinstance(word, str)]


def _config_maps(pod: Tree) -> list[str]:
    return [str(one["configMap"].get("name")) for one in pod.get("volumes") or () if one.get("configMap")]


def _recipes(data: Tree) -> Iterator[tuple[str, str]]:
    """The model and the data of each recipe among mounted files: JSON that has both."""
    for file, text in data.items():
        if not file.endswith(".json") or not isinstance(text, str):
            continue
        try:
            recipe = json.loads(text)
        except ValueError:
            continue  # a file of another program's, in a form of its own
        model, uri = plain(recipe, "model", "name"), plain(recipe, "data", "uri")
        if isinstance(model, str):
            yield model, _named(uri) if isinstance(uri, str) else ""


def _named(uri: str) -> str:
    return uri if "://" in uri else f"data that is {uri}"


def _hub(spec: Tree) -> list[str]:
    """Where its network policies let it fetch from anywhere, as weights without a place of their own are."""
    labels = plain(spec, "template", "metadata", "labels") or {}
    return ["a hub of models, over the internet"] if INTERNET_EGRESS.items() <= labels.items() else []


def _gpus(container: Tree) -> int:
    return int(number(plain(container, "resources", "limits", GPU_RESOURCE) or 0) or 0)


def _runners(found: Sequence[Runner]) -> Table:
    names = columns("name", "does", "model", "pool", "#pods", "#GPUs", "reads and writes", "image")
    rows = [
        row(
            f"{one.namespace}/{one.name}",
            one.does,
            one.model or "not said",
            one.pool or "any",
            str(one.pods),
            str(one.gpus),
            listed(one.places, none="no place by its command line"),
            listed(one.images),
        )
        for one in found
    ]
    return Table("What serves and trains, as the program asks for it", names, rows)


def _lineage(versions: Sequence[Version], here: set[str]) -> Table:
    rows = [
        row(
            f"{one.model} {one.version}".strip(),
            one.stage or "none",
            one.run or "not said",
            one.data or "not said",
            one.code or "not said",
            _stands(one.deployment, here),
        )
        for one in versions
    ]
    names = columns("model", "stage", "run", "data", "code", "deployed as")
    return Table("Lineage: from data to run to model to deployment", names, rows)


def _stands(deployment: str, here: set[str]) -> Cell:
    if not deployment:
        return Cell("nowhere")
    if deployment in here:
        return Cell(f"{deployment}, which stands", "good")
    return Cell(f"{deployment}, which this stack has not", "warn")
