"""What a page is made of: sections of tables, as data. The template draws them all alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

# What fits into 328 pixels: three columns, and so many letters in their longest cells.
_NARROW_COLUMNS, _NARROW_LETTERS = 3, 34
_LONGEST_WORD = 24
# How a cell is coloured; its text says the same.
Mood = Literal["", "good", "warn", "bad"]


@dataclass(frozen=True)
class Cell:
    """The text of a cell. `share` (0 to 1) draws a bar under it, `most` a lighter one behind that."""

    text: str
    mood: Mood = ""
    share: float | None = None
    most: float | None = None

    @property
    def long(self) -> bool:
        """Whether it has a word that may be broken anywhere, as no column is as wide: a query, a path."""
        return any(len(word) > _LONGEST_WORD for word in self.text.split())


@dataclass(frozen=True)
class Column:
    """A column's heading; `number` ones stand to the right."""

    name: str
    number: bool = False


@dataclass(frozen=True)
class Table:
    """A table with a caption. `last_is_sum`: its last row adds the others up. `folded`: shown when it is asked for."""

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    last_is_sum: bool = False
    folded: bool = False

    @property
    def narrow(self) -> bool:
        """Whether a phone has room for it as it is; a wider one becomes a card for each row there."""
        most = [max((len(line[at].text) for line in self.rows), default=0) for at in range(len(self.columns))]
        return len(self.columns) <= _NARROW_COLUMNS and sum(most) <= _NARROW_LETTERS


@dataclass(frozen=True)
class Plot:
    """A curve through points, x rising, with a line and a word at some x (`marks`)."""

    caption: str
    points: Sequence[tuple[float, float]]
    marks: Mapping[float, str] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The points of the curve in a box of 100 to 40, as SVG has them: y falls."""
        return " ".join(f"{self.x(x):.2f},{40 * (1 - y / self.highest):.2f}" for x, y in self.points)

    def x(self, x: float) -> float:
        """Where an x is in the box."""
        first, last = self.points[0][0], self.points[-1][0]
        return 100 * (x - first) / ((last - first) or 1)

    @property
    def highest(self) -> float:
        """The top of the box; its bottom is zero."""
        return max(y for _, y in self.points) or 1.0


@dataclass(frozen=True)
class Section:
    """A part of the page with its own heading. `paragraphs` stand before its tables, and plots before those."""

    id: str
    title: str
    paragraphs: Sequence[Cell]
    tables: Sequence[Table]
    plots: Sequence[Plot] = ()


@dataclass(frozen=True)
class Figure:
    """One of the few figures at the top: what it is, and where the page says more."""

    name: str
    text: str
    more: str
    section: str
    mood: Mood = ""


def columns(*names: str) -> list[Column]:
    """Columns by their headings; `#` before one makes it a column of numbers."""
    return [Column(name.removeprefix("#"), name.startswith("#")) for name in names]


def row(*cells: str | Cell) -> list[Cell]:
    """A row of cells, plain texts among them."""
    return [cell if isinstance(cell, Cell) else Cell(cell) for cell in cells]


def listed(words: Iterable[str], none: str = "none") -> str:
    """Words with commas between, each once."""
    return ", ".join(dict.fromkeys(words)) or none
