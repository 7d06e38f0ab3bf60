"""Windows of time, and the files of the lake that are of one of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from .job import LENGTHS, DriftError, Period
from .lake import local_copies

_FORMS: dict[Period, str] = {"day": "%Y-%m-%d", "hour": "%Y-%m-%dT%H"}


@dataclass(frozen=True)
class Window:
    """A whole day or hour of UTC, by the time at which it starts."""

    period: Period
    start: datetime

    @property
    def name(self) -> str:
        """`2026-11-27`, or `2026-11-27T09`."""
        return self.start.strftime(_FORMS[self.period])

    @property
    def end(self) -> datetime:
        """When it is over."""
        return self.start + LENGTHS[self.period]

    @property
    def folder(self) -> str:
        """Where its files are, as Hive names partitions."""
        return self.start.strftime("date=%Y-%m-%d" if self.period == "day" else "date=%Y-%m-%d/hour=%H")

    def before(self, count: int) -> Window:
        """The window so many periods earlier."""
        return Window(self.period, self.start - count * LENGTHS[self.period])


def newest(period: Period, now: datetime) -> Window:
    """The last window that is over."""
    day = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    start = day.replace(hour=0) if period == "day" else day
    return Window(period, start).before(1)


def named(period: Period, name: str, now: datetime) -> Window:
    """The window called so. DriftError: it is none, or it is not over, which a clock that is ahead would have it be."""
    try:
        start = datetime.strptime(name, _FORMS[period]).replace(tzinfo=UTC)
    except ValueError as error:
        form = newest(period, now).name
        raise DriftError(f"{name} is no window of one {period}; write it as {form}") from error
    window = Window(period, start)
    if window.end > now:
        raise DriftError(
            f"window {name} ends at {window.end:%Y-%m-%d %H:%M} UTC, and it is {now:%Y-%m-%d %H:%M}: wait for its end, "
            "or set the clock of whoever wrote it"
        )
    return window


def fetch(samples: str, window: Window, folder: Path) -> list[Path]:
    """The window's Parquet files, copied into `folder` where they are remote. DriftError: there are none."""
    return parquet(f"{samples.rstrip('/')}/{window.folder}", folder)


def parquet(uri: str, folder: Path) -> list[Path]:
    """The Parquet files below `uri`, on this machine. DriftError: there are none."""
    found = local_copies(uri, ".parquet", folder)
    if not found:
        raise DriftError(f"{uri} has no Parquet file: the partition is missing, or nothing was sampled")
    return found


def quoted(files: Iterable[Path]) -> str:
    """The files as a list of SQL."""
    return "[" + ", ".join("'" + str(file).replace("'", "''") + "'" for file in files) + "]"
