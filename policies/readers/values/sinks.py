"""Properties that hold the address of where records and logs are delivered (data/sink_addresses.csv)."""

from __future__ import annotations

import functools

from policies.readers.tables import table


def is_sink(keys: tuple[str, ...]) -> bool:
    """Whether what stands below these keys is the address of a sink."""
    needed = _above().get(keys[-1].lower()) if keys else None
    if needed is None:
        return False
    above = {key.lower() for key in keys[:-1]}
    return any(above.issuperset(names) for names in needed)


@functools.cache
def _above() -> dict[str, tuple[tuple[str, ...], ...]]:
    """The names that must be above a property, by its own. A name of which dots are part is one name."""
    known: dict[str, tuple[tuple[str, ...], ...]] = {}
    for row in table("sink_addresses.csv"):
        *above, last = row["property"].split(" > ")
        known[last] = (*known.get(last, ()), tuple(above))
    return known
