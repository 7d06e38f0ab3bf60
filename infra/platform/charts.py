"""The table of charts that every cluster gets (charts.yaml)."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from infra.contracts.needs import Chart


def charts() -> Mapping[str, Chart]:
    """Every chart of charts.yaml by name, in the order of the file."""
    table = yaml.safe_load(Path(__file__).with_name("charts.yaml").read_text())
    return {name: Chart(name=name, **row) for name, row in table.items()}
