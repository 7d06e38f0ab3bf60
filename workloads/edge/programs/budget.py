"""What a bundle may weigh, and how long its download takes on India's connections."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from workloads.training.trainer.recipe import RecipeError

TABLE = Path(__file__).with_name("connections.yaml")


@dataclass(frozen=True)
class Connection:
    """`bits_per_second`: what a download may count on."""

    name: str
    bits_per_second: int

    def seconds(self, size: int) -> float:
        """Of a download of `size` bytes."""
        return 8 * size / self.bits_per_second


def connections() -> dict[str, Connection]:
    """The table, by name, the slowest first."""
    rows = yaml.safe_load(TABLE.read_text())
    return {row["name"]: Connection(row["name"], row["bitsPerSecond"]) for row in rows}


def download_seconds(size: int) -> dict[str, float]:
    """By connection."""
    return {name: round(one.seconds(size), 1) for name, one in connections().items()}


def check(what: str, size: int, most_bytes: int | None, most_seconds: dict[str, float]) -> None:
    """RecipeError if `what` weighs more, or takes longer to download, than was allowed."""
    if most_bytes is not None and size > most_bytes:
        raise RecipeError(f"{what} has {size:,} bytes; maxBytes allows {most_bytes:,}")
    known = connections()
    for name, most in most_seconds.items():
        if name not in known:
            raise RecipeError(f"maxSeconds names {name}: give {', '.join(known)}")
        if (seconds := known[name].seconds(size)) > most:
            raise RecipeError(
                f"{what} takes {seconds:,.0f} s to download by {name}; maxSeconds allows {most:,.0f}: quantise it to "
                "fewer bits, or allow more"
            )
