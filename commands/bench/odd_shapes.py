"""What the policy pack takes for one resource of an odd shape: a long text, many leaves, much depth, many statements.

    python -m commands.bench.odd_shapes

The whole pack answers, through its own servicer and without an engine, as it does for each resource of a preview. Times
are of the processor, so that other work on the machine says nothing. No two lines of a text are alike, and all that the
pack keeps of words that it has read is cleared before each repeat: only its tables are in memory, as in a preview.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from commands.console import console
from policies.runner.offline import AnalyzedResource, analyse

MIB = 1 << 20
_LINE = "NAME_{0}=value-{0} ENDPOINT_{0}=https://service-{0}.ap-south-1.amazonaws.com # where traces go\n"
_BLOCK = "- name: entry-{0}\n  region: ap-south-1\n  url: https://service-{0}.ap-south-1.amazonaws.com\n"
_CONFIG_MAP = "kubernetes:core/v1:ConfigMap"


def measure(repeats: int = 3) -> Mapping[str, float]:
    """Seconds of the processor for each shape, the best of some repeats, each with nothing kept of the ones before."""
    analyse([_resource("aws:sqs/queue:Queue", {})])  # tables are read once
    return {name: min(_seconds(resource) for _ in range(repeats)) for name, resource in shapes()}


def shapes() -> Iterator[tuple[str, AnalyzedResource]]:
    """The shapes, each as one resource."""
    for name, text in texts().items():
        yield f"1 MiB of {name} in a ConfigMap", _resource(_CONFIG_MAP, {"data": {"file": text}})
    leaves = {f"property{number}": f"value-{number}" for number in range(20_000)}
    yield "20,000 leaves", _resource("aws:never/seen:Before", leaves)
    yield "depth 500", _resource("aws:sfn/stateMachine:StateMachine", {"definition": json.dumps(_deep(500))})
    statements = [
        {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": f"arn:aws:s3:::bucket-{number}/*"}
        for number in range(5_000)
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    yield "5,000 statements", _resource("aws:iam/policy:Policy", {"policy": policy})


def texts() -> Mapping[str, str]:
    """Texts of one MiB, by what they are."""
    return {
        "one letter": "a" * MIB,
        "`a-`": "a-" * (MIB // 2),
        "environment lines": _filled(_LINE),
        "YAML": _filled(_BLOCK),
        "JSON": json.dumps([_entry(number) for number in range(MIB // len(json.dumps(_entry(9999))))]),
    }


def show(found: Mapping[str, float]) -> None:
    """Print the seconds of each shape."""
    table = Table(title="The pack on one resource of an odd shape", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("shape")
    table.add_column("processor, s", justify="right")
    for name, seconds in found.items():
        table.add_row(name, f"{seconds:.2f}")
    console.print(table)


def _seconds(resource: AnalyzedResource) -> float:
    _forget()
    start = time.process_time()
    analyse([resource])
    return time.process_time() - start


def _forget() -> None:
    """Clear what the pack keeps of the words that it reads. What it keeps without a bound are its own tables."""
    for name, module in list(sys.modules.items()):
        if name.startswith("policies."):
            for kept in vars(module).values():
                if hasattr(kept, "cache_clear") and kept.cache_parameters()["maxsize"] is not None:
                    kept.cache_clear()


def _resource(type_: str, props: Mapping[str, Any]) -> AnalyzedResource:
    return AnalyzedResource(type_, f"urn:pulumi:bench::bench::{type_}::odd", props)


def _filled(line: str) -> str:
    """One MiB of lines, no two of them alike."""
    return "".join(line.format(number) for number in range(MIB // len(line) + 1))[:MIB]


def _entry(number: int) -> dict[str, str]:
    return {"region": "ap-south-1", "url": f"https://service-{number}.ap-south-1.amazonaws.com"}


def _deep(levels: int) -> Any:
    tree: Any = "ap-south-1"
    for _ in range(levels):
        tree = {"region": tree}
    return tree


if __name__ == "__main__":
    show(measure())
