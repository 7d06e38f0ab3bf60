"""docs/verified.md: what judged each claim of this project, and what never did.

`python -m localcloud.verified` writes the page from `verified.yaml`, the tables of the local cloud and the pinned
versions; a test holds that it is up to date.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from localcloud.directories import PROJECT
from localcloud.kubernetes.crds import charts
from localcloud.providers.aws import table as aws_table
from localcloud.providers.gcp import table as gcp_table
from localcloud.toolchain.tools import tools

TABLE = Path(__file__).with_name("verified.yaml")
PAGE = PROJECT / "docs" / "verified.md"
PROVIDERS = Path(__file__).parent / "providers"
PACKAGES = (
    "botocore",
    "moto",
    "google-api-python-client",
    "pulumi-aws",
    "pulumi-gcp",
    "pulumi-kubernetes",
)


def page() -> str:
    """The whole page, as Markdown."""
    table = yaml.safe_load(TABLE.read_text())
    return "\n\n".join(
        [
            "# What was verified, and by what",
            "Written by `python -m localcloud.verified` from `localcloud/verified.yaml` and the tables that it counts. "
            "No account of a cloud and no EFA card took part in anything below, and a GPU once: the last column says "
            "whose word is missing.",
            "## Who judged",
            _judges(table["judges"]),
            "## Claims",
            _rows(("claim", "judged by", "in", "never judged by"), map(_claim, table["claims"])),
            "## Stand-ins, in numbers",
            _stand_ins(),
            "## Habits of the clouds that are played",
            _rows(("cloud", "habit", "source", "read"), _habits()),
            "",
        ]
    )


def versions() -> dict[str, str]:
    """The versions of what judges: programs of the toolchain by name, Python packages by theirs."""
    programs = {name: tools()[name].version for name in ("pulumi", "kubernetes", "karpenter")}
    return {**programs, **{name: version(name) for name in PACKAGES}}


def habits() -> dict[str, list[dict[str, Any]]]:
    """The habits of each cloud that the local cloud plays, from the tables beside the providers."""
    return {
        cloud: yaml.safe_load((PROVIDERS / cloud / "habits.yaml").read_text()) for cloud in ("aws", "gcp")
    }


def _judges(judges: Mapping[str, str]) -> str:
    return "\n".join(f"- **{name}**: {what.format(**versions())}" for name, what in judges.items())


def _claim(row: Mapping[str, Any]) -> tuple[str, ...]:
    tests = ", ".join(f"[{Path(test).stem}](../{test})" for test in row["tests"])
    return row["claim"], ", ".join(row["judges"]), tests, row["never"]


def _stand_ins() -> str:
    kept = aws_table.kept_types()
    operations = sorted({operation for names in kept.values() for operation in names})
    real = sorted(chart for chart, entry in charts().items() if entry.get("modules"))
    open_schemas = sorted(chart for chart, entry in charts().items() if entry.get("open"))
    replaced = {file: _rows_of(file) for file in ("aws/replaced.csv", "gcp/replaced.csv")}
    return "\n".join(
        [
            f"- The `aws` provider is our own: {len(aws_table.tokens())} types over moto. Of {len(kept)} of them an "
            f"operation is checked against botocore's model and kept, not carried out: {', '.join(operations)}.",
            f"- The `gcp` provider is our own: {len(gcp_table.tokens())} types, checked and kept; nothing is carried "
            "out but clusters and nodes.",
            "- What forces a new resource was read in the Terraform providers' sources, "
            + " and ".join(f"{count} rows of `{file}`" for file, count in replaced.items())
            + "; a test holds the tables of both providers to them.",
            f"- Custom resources: real definitions for {', '.join(real)}; open schemas for {', '.join(open_schemas)}, "
            "whose objects the unit tests hold against the definitions of those releases.",
        ]
    )


def _rows_of(file: str) -> int:
    with (PROVIDERS / file).open(encoding="utf-8") as table:
        return sum(1 for _ in csv.DictReader(table))


def _habits() -> Iterator[tuple[str, ...]]:
    for cloud, rows in habits().items():
        for row in rows:
            yield {"aws": "AWS", "gcp": "Google"}[cloud], row["what"].strip(), row["source"], str(row["read"])


def _rows(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)


def write() -> None:
    """Write docs/verified.md."""
    PAGE.write_text(page())


if __name__ == "__main__":
    write()
