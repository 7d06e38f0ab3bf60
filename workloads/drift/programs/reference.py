"""A reference: what the model learnt from, kept as a sample, bins, and the noise of each feature."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas

from . import text
from .job import DriftError, Job, Kind
from .lake import get, put
from .profile import Feature, features, in_terms_of
from .table import Table
from .thresholds import Noise, counted, noise

FORMAT = 1
_DOCUMENT, _SAMPLE = "reference.json", "sample.parquet"


@dataclass(frozen=True)
class Reference:
    """What windows are compared with. `types` are those of the columns, as DuckDB calls them."""

    rows: int
    kinds: Mapping[str, Kind]
    types: Mapping[str, str]
    features: tuple[Feature, ...]
    counts: Mapping[str, list[int]]
    noise: Mapping[str, Noise]
    words: frozenset[str]
    outcome: tuple[int, int] | None
    """Rows with a label, and those of them that were predicted right."""
    sample: pandas.DataFrame

    def check(self, table: Table, where: str) -> None:
        """DriftError where a column of the reference is gone, or has another type."""
        for column in self.kinds:
            if (now := table.columns.get(column)) is None:
                raise DriftError(
                    f"{where}: column {column} is gone; mend its source, or fit the reference anew"
                )
            if now != (was := self.types[column]):
                raise DriftError(
                    f"{where}: column {column} is {now}, and was {was}; mend its source, or fit anew"
                )


def fitted(job: Job, table: Table) -> Reference:
    """The reference of a table, with thresholds by simulation."""
    if table.rows < job.min_rows:
        raise DriftError(
            f"the reference has {table.rows} rows; {job.min_rows} are the fewest that say anything"
        )
    of_outcome = () if job.outcome is None else (job.outcome.label,)
    kinds = table.kinds(job.features, (*job.ignore, *of_outcome))
    if not kinds:
        raise DriftError(
            f"none of the columns can drift: {', '.join(table.columns)}; see ignore and features"
        )
    sample = table.sample(list(kinds), job.sample_rows)
    texts = [column for column, kind in kinds.items() if kind == "text"]
    words = text.vocabulary(value for column in texts for value in sample[column].dropna().astype(str))
    found = tuple(features(sample, kinds, words))
    if not found:
        raise DriftError(f"each column is the same in all rows: {', '.join(kinds)}")
    seen = in_terms_of(sample, found, words)
    return Reference(
        table.rows,
        kinds,
        {column: table.columns[column] for column in kinds},
        found,
        {**counted(seen, found), **table.counts(found)},
        noise(seen, found),
        words,
        table.right(job.outcome.label, job.outcome.prediction) if job.outcome else None,
        seen,
    )


def write(reference: Reference, folder: str) -> None:
    """Keep it: the sample first, so that a document is never there without it."""
    document = {**_plain(reference), "format": FORMAT}
    with tempfile.TemporaryDirectory() as scratch:
        reference.sample.to_parquet(Path(scratch) / _SAMPLE)
        put(f"{folder}/{_SAMPLE}", (Path(scratch) / _SAMPLE).read_bytes())
    put(f"{folder}/{_DOCUMENT}", json.dumps(document, indent=1).encode())


def _plain(reference: Reference) -> dict[str, Any]:
    return {
        "rows": reference.rows,
        "kinds": dict(reference.kinds),
        "types": dict(reference.types),
        "features": [asdict(feature) for feature in reference.features],
        "counts": dict(reference.counts),
        "noise": {name: asdict(each) for name, each in reference.noise.items()},
        "words": sorted(reference.words),
        "outcome": reference.outcome,
    }


def read(folder: str) -> Reference:
    """The reference in a folder. DriftError: there is none, or another version of the program wrote it."""
    content, sample = get(f"{folder}/{_DOCUMENT}"), get(f"{folder}/{_SAMPLE}")
    if content is None or sample is None:
        raise DriftError(f"{folder} has no {_DOCUMENT} or no {_SAMPLE}; make both with the command fit")
    try:
        document = json.loads(content)
    except ValueError as error:
        raise DriftError(f"{folder}/{_DOCUMENT} is not JSON: {error}; fit it anew") from error
    if (form := document.get("format")) != FORMAT:
        raise DriftError(
            f"{folder} is a reference of format {form}, and this program reads {FORMAT}: run the image that wrote it, "
            "or fit it anew"
        )
    return Reference(
        rows=document["rows"],
        kinds=document["kinds"],
        types=document["types"],
        features=tuple(_feature(each) for each in document["features"]),
        counts=document["counts"],
        noise={name: Noise(**each) for name, each in document["noise"].items()},
        words=frozenset(document["words"]),
        outcome=tuple(document["outcome"]) if document["outcome"] else None,
        sample=pandas.read_parquet(BytesIO(sample)),
    )


def _feature(plain: dict[str, Any]) -> Feature:
    return Feature(**{**plain, "edges": tuple(plain["edges"]), "levels": tuple(plain["levels"])})
