# pyright: reportMissingImports=false
"""How often unshifted and shifted windows raise an alarm, without Evidently. Prints JSON."""

from __future__ import annotations

import json

import numpy
from population import rows

from workloads.drift.programs import distance
from workloads.drift.programs.job import Kind
from workloads.drift.programs.profile import counts, features, in_terms_of
from workloads.drift.programs.thresholds import noise

KINDS: dict[str, Kind] = {
    "amount": "numeric",
    "age": "numeric",
    "income": "numeric",
    "bank": "category",
    "known": "category",
}
REFERENCE, WINDOW, WINDOWS = 10_000, 1_000, 1_000
MINIMUM = {"distance": 0.1, "psi": 0.25}  # job.py


def main() -> None:
    """Rates, by what was shifted: passing chance alone, and passing what counts too."""
    sample = rows(REFERENCE, 1)
    found = features(sample, KINDS, frozenset())
    reference = in_terms_of(sample, found, frozenset())
    limits = {name: each.at(REFERENCE, WINDOW) for name, each in noise(reference, found).items()}

    def alarms(count: int, first: int, **shift: float) -> dict[str, float]:
        raised = numpy.zeros((count, 2), dtype=bool)
        for at in range(count):
            window = in_terms_of(rows(WINDOW, first + at, **shift), found, frozenset())
            for feature in found:
                before, after = (counts(side[feature.name], feature) for side in (reference, window))
                psi = distance.psi(before, after)
                far = (
                    distance.category(before, after)
                    if feature.kind == "category"
                    else distance.numeric(
                        distance.values(reference[feature.name]), distance.values(window[feature.name])
                    )
                )
                by_distance, by_psi = limits[feature.name]
                raised[at, 0] |= far >= by_distance or psi >= by_psi
                raised[at, 1] |= far >= max(by_distance, MINIMUM["distance"]) or psi >= max(
                    by_psi, MINIMUM["psi"]
                )
        chance, counted = raised.mean(axis=0)
        return {"chance": float(chance), "counted": float(counted)}

    print(
        json.dumps(
            {
                "unshifted": alarms(WINDOWS, 10_000),
                "amount 0.25": alarms(100, 20_000, amount=0.25),
                "bank 0.15": alarms(100, 30_000, bank=0.15),
                "limits": limits,
            }
        )
    )


if __name__ == "__main__":
    main()
