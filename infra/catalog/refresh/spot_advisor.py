"""AWS Spot Advisor: the band of how often spot nodes of a machine type were taken back, by region.

`ranges[]` gives each band's `index` and `label`; `spot_advisor.REGION.Linux.TYPE.r` is the index. The file names no
time.
"""

from __future__ import annotations

from datetime import date
from typing import Any, get_args

from infra.catalog.refresh.answers import FeedError, FeedRows, Known
from infra.catalog.refresh.reading import each, parse_json, part
from infra.catalog.tables import Band, InterruptionRow

SOURCE = "aws spot advisor"


def parse(body: bytes, known: Known, day: date) -> FeedRows:
    """Bands of the machines that are `known`, as of `day`.

    Raises:
        FeedError: it has another form or other bands, or no row of a known machine.
    """
    document = parse_json(body, dict)
    labels = _labels(document)
    ours = [
        (region, name, part(document, "spot_advisor", region, "Linux", name).get("r"))
        for region, name in known.zones
        if name in part(document, "spot_advisor", region, "Linux")
    ]

    def row(fact: tuple[str, str, Any]) -> InterruptionRow:
        region, name, index = fact
        band: Any = (labels.get(index) if isinstance(index, int) else None) or repr(index)
        return InterruptionRow(region=region, machine_type=name, band=band, as_of=day, source=SOURCE)

    bands, dropped = each(ours, lambda fact: f"{fact[1]} in {fact[0]}", row)
    if not bands:
        raise FeedError("has no row of a machine in the catalogue")
    return FeedRows(day, bands=tuple(bands), dropped=tuple(dropped))


def _labels(document: dict[str, Any]) -> dict[int, str]:
    found = document.get("ranges")
    ranges = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    labels = {one["index"]: one.get("label") for one in ranges if isinstance(one.get("index"), int)}
    if sorted(map(str, labels.values())) != sorted(get_args(Band)):
        raise FeedError(f"its bands are {', '.join(map(repr, labels.values()))[:80] or 'none'}")
    return {index: str(label) for index, label in labels.items()}
