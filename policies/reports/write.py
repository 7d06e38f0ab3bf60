"""All reports of one record, as files in a folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from policies.framework.record import Record
from policies.reports.evidence import as_csv, as_json, as_page, evidence
from policies.reports.junit import junit
from policies.reports.positions import Positions
from policies.reports.sarif import sarif


def reports(record: Record, positions: Positions) -> dict[str, str]:
    """Every file that machines and auditors read, by its name."""
    found = evidence(record, positions)
    return {
        "findings.json": record.model_dump_json(by_alias=True, indent=1) + "\n",
        "findings.sarif": json.dumps(sarif(record, positions), indent=1, ensure_ascii=False) + "\n",
        "junit.xml": junit(record, positions),
        "evidence.json": as_json(found),
        "evidence.csv": as_csv(found),
        "evidence.html": as_page(found),
    }


def write(files: Mapping[str, str], folder: Path) -> None:
    """Write them, and take away those of an earlier run."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
