"""Custom resource definitions that Helm charts bring: fetched with the toolchain, registered when a chart is installed.

`charts.yaml` says which chart brings what. The real definitions come from Go modules pinned, with their hashes, in
`toolchain/crds`; the rest have an open schema of the right group, versions, kind and scope.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from localcloud.directories import PROJECT, crds_dir
from localcloud.kubernetes.api import Api, Object, UnknownKindError

MODULES = PROJECT / "localcloud" / "toolchain" / "crds"
CHARTS = Path(__file__).parent / "charts.yaml"
ESTABLISHED_SECONDS = 30


class CrdsUnavailableError(Exception):
    """Definitions could not be fetched, or were not; the message says by whose words."""


@functools.cache
def charts() -> dict[str, dict[str, Any]]:
    """The table of charts, by name: where their CustomResourceDefinitions are."""
    return yaml.safe_load(CHARTS.read_text())


def collect(go: str, target: Path) -> None:
    """Fetch the modules with the Go program `go` and write each chart's definitions to `target/CHART/NAME.json`."""
    sources = [(chart, source) for chart, entry in charts().items() for source in entry.get("modules", ())]
    folders = _download(go, sorted({source["module"] for _, source in sources}))
    for chart, source in sources:
        found = list(_definitions(folders[source["module"]] / source["path"]))
        if not found:
            raise CrdsUnavailableError(f"{source['module']} has no definitions in {source['path']}")
        (target / chart).mkdir(parents=True, exist_ok=True)
        for definition in found:
            # As JSON, which reads many times faster: Kueue's alone are a megabyte.
            file = target / chart / f"{definition['metadata']['name']}.json"
            file.write_text(json.dumps(definition))


def install(api: Api, chart: str) -> list[str]:
    """Register what a chart brings and wait until the API server serves it; returns the definitions' names."""
    definitions = list(definitions_of(chart))
    for definition in definitions:
        api.apply(definition, force=True)
    deadline = time.monotonic() + ESTABLISHED_SECONDS
    for definition in definitions:
        _wait_until_established(api, definition, deadline)
    return [definition["metadata"]["name"] for definition in definitions]


def definitions_of(chart: str) -> Iterator[Object]:
    """The definitions of a chart and of those that it includes; none for a chart that is not listed."""
    entry = charts().get(chart, {})
    for included in entry.get("includes", ()):
        yield from definitions_of(included)
    if entry.get("modules"):
        yield from _collected(chart)
    for group in entry.get("open", ()):
        for scope in ("Namespaced", "Cluster"):
            for kind, plural in group.get(scope, {}).items():
                yield _open_definition(group["group"], group["versions"], kind, plural, scope)


def _collected(chart: str) -> Iterator[Object]:
    files = sorted((crds_dir() / chart).glob("*.json"))
    if not files:
        raise CrdsUnavailableError(
            f"the definitions of chart {chart} are not in {crds_dir()}: run `make up` again"
        )
    for file in files:
        yield json.loads(file.read_text())


def _open_definition(group: str, versions: list[str], kind: str, plural: str, scope: str) -> Object:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": scope,
            "names": {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()},
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": version == versions[0],
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": {"status": {}},
                }
                for version in versions
            ],
        },
    }


def _wait_until_established(api: Api, definition: Object, deadline: float) -> None:
    while time.monotonic() < deadline:
        live = api.get(definition) or {}
        conditions = live.get("status", {}).get("conditions") or ()
        established = any(c["type"] == "Established" and c["status"] == "True" for c in conditions)
        if established and _served(api, definition["spec"]):
            return
        time.sleep(0.05)
    raise CrdsUnavailableError(
        f"{definition['metadata']['name']} was not established in {ESTABLISHED_SECONDS} s"
    )


def _served(api: Api, spec: Object) -> bool:
    """An established definition is served a moment later, when the API server has made its handler."""
    versions = [version["name"] for version in spec["versions"] if version.get("served")]
    try:
        for version in versions:
            api.kind(f"{spec['group']}/{version}", spec["names"]["kind"])
    except UnknownKindError:
        return False
    return True


def _download(go: str, modules: list[str]) -> dict[str, Path]:
    # One Go for everything, and go.sum as it is: what was pinned is what is fetched.
    env = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"}
    command = [go, "mod", "download", "-json", *modules]
    done = subprocess.run(command, cwd=MODULES, env=env, capture_output=True, text=True, check=False)
    answers = list(_documents(done.stdout))
    errors = [answer["Error"] for answer in answers if "Error" in answer]
    if done.returncode or errors:
        raise CrdsUnavailableError("\n".join(errors) or done.stderr.strip())
    return {answer["Path"]: Path(answer["Dir"]) for answer in answers}


def _documents(text: str) -> Iterator[dict[str, str]]:
    """The JSON objects that Go prints one after the other."""
    decoder = json.JSONDecoder()
    text = text.strip()
    while text:
        document, end = decoder.raw_decode(text)
        yield document
        text = text[end:].lstrip()


def _definitions(folder: Path) -> Iterator[Object]:
    # Safe, and in C where PyYAML has it.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for file in sorted(folder.glob("*.yaml")):
        for document in yaml.load_all(file.read_text(), Loader=loader):
            if document and document.get("kind") == "CustomResourceDefinition":
                yield document
