"""The architecture as a picture that a phone can show: packages one below the other, an arc for each arrow.

Arcs on the right lead down, from a package to one that it imports. One that leads up, or to a neighbour, breaks the
order and is drawn on the left in red. Widths are classes, so that the picture changes with the architecture and not
with each import.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from textwrap import wrap

from commands.architecture.imports import Architecture, Package

SVG = "http://www.w3.org/2000/svg"
WIDTH = 420
LEFT, RIGHT = 14, 268
NAME, LINE = 19, 14
CHARACTERS = 38
GAP, INSET = 8, 7
# An arc's class: the least number of imports, its width, and how the legend calls it.
CLASSES = ((20, 3.4, "20 imports or more"), (5, 1.7, "5 to 19"), (1, 0.8, "1 to 4"))
# How far apart arcs leave and arrive, where a box has room for it.
PORT = 2.1

STYLE = """
  svg { color-scheme: light dark; font-family: system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif; }
  .layer { fill: #f3f5f8; stroke: #d5dbe3; } .name { fill: #1b2330; font: 600 13px ui-monospace, Menlo, monospace; }
  .says { fill: #55606e; font-size: 11.5px; } .arc { fill: none; stroke: #2b6cb0; } .head { fill: #2b6cb0; }
  .w2 { stroke-opacity: .9; } .w1 { stroke-opacity: .65; } .w0 { stroke-opacity: .5; }
  .wrong { stroke: #c62828; stroke-opacity: 1; } .wronghead { fill: #c62828; }
  @media (prefers-color-scheme: dark) {
    .layer { fill: #1a212b; stroke: #36404d; } .name { fill: #e8edf3; } .says { fill: #a2adba; }
    .arc { stroke: #6cb0f5; } .head { fill: #6cb0f5; } .wrong { stroke: #ff6b6b; } .wronghead { fill: #ff6b6b; }
  }
""".strip("\n")


@dataclass(frozen=True)
class Placed:
    """A package's box: its upper edge and height."""

    package: Package
    y: float
    height: float

    @property
    def middle(self) -> float:
        """The middle of the box, in pixels from the top."""
        return self.y + self.height / 2


def draw(architecture: Architecture) -> str:
    """The picture as SVG."""
    placed, bands, bottom = _place(architecture)
    body = [*bands, *(line for box in placed.values() for line in _text(box)), *_arcs(architecture, placed)]
    legend = [*_legend(bottom + 16)]
    height = bottom + 16 + 16 * len(CLASSES)
    return "\n".join(
        [
            f'<svg xmlns="{SVG}" viewBox="0 0 {WIDTH} {height:g}" role="img" aria-labelledby="t d">',
            '<title id="t">The architecture: a package imports only from packages below it</title>',
            f'<desc id="d">{escape("; ".join(_sentences(architecture)))}</desc>',
            f"<style>\n{STYLE}\n</style>",
            *_heads(),
            *body,
            *legend,
            "</svg>\n",
        ]
    )


def width_class(number: int) -> int:
    """The class of an arrow of so many imports, the widest first."""
    return next(i for i, (least, _, _) in enumerate(CLASSES) if number >= least)


def _sentences(architecture: Architecture) -> Iterator[str]:
    for package in architecture.packages:
        below = [imported for importer, imported in architecture.arrows if importer == package.name]
        yield f"{package.name} imports {', '.join(below) or 'no other package'}"


def _place(architecture: Architecture) -> tuple[dict[str, Placed], list[str], float]:
    """Where each package is, the bands of the layers behind them, and where the last one ends."""
    placed: dict[str, Placed] = {}
    bands, y = [], 4.0
    for layer in architecture.layers:
        top = y
        y += INSET
        for package in layer:
            height = NAME + LINE * len(wrap(package.sentence, CHARACTERS))
            placed[package.name] = Placed(package, y, height)
            y += height + INSET
        bands.append(
            f'<rect class="layer" x="{LEFT}" y="{top:g}" width="{RIGHT - LEFT}" height="{y - top:g}" rx="6"/>'
        )
        y += GAP
    return placed, bands, y - GAP


def _text(box: Placed) -> Iterator[str]:
    yield f'<text class="name" x="{LEFT + 10}" y="{box.y + 12:g}">{escape(box.package.name)}</text>'
    for i, line in enumerate(wrap(box.package.sentence, CHARACTERS), start=1):
        yield f'<text class="says" x="{LEFT + 10}" y="{box.y + 13 + LINE * i:g}">{escape(line)}</text>'


def _arcs(architecture: Architecture, placed: dict[str, Placed]) -> Iterator[str]:
    """Thin arcs first, so that the wide ones lie on top; within a width in the order of the packages."""
    depth = {package.name: i for i, layer in enumerate(architecture.layers) for package in layer}
    longest = max(abs(placed[b].middle - placed[a].middle) for a, b in architecture.arrows)
    thin_first = sorted(architecture.arrows.items(), key=lambda arrow: -width_class(arrow[1]))
    for (importer, imported), number in thin_first:
        rank = width_class(number)
        right = depth[imported] > depth[importer]
        start, end = _ports(architecture, placed, importer, imported)
        bow = 22 + 166 * (abs(end - start) / longest) ** 0.85
        x, far, tip = (RIGHT, RIGHT + bow, RIGHT + 5) if right else (LEFT, LEFT - 18, LEFT - 6)
        kind, head = (f"w{2 - rank}", "head") if right else ("wrong", "wronghead")
        yield (
            f'<path class="arc {kind}" stroke-width="{CLASSES[rank][1]:g}" marker-end="url(#{head})" '
            f'd="M{x} {start:.1f}C{far:.1f} {start:.1f} {far:.1f} {end:.1f} {tip} {end:.1f}">'
            f"<title>{importer} imports {imported} ({CLASSES[rank][2]})</title></path>"
        )


def _ports(
    architecture: Architecture, placed: dict[str, Placed], importer: str, imported: str
) -> tuple[float, float]:
    """Where an arc leaves and arrives: nested, those from above in the upper half of a box."""
    order = [package.name for package in architecture.packages]
    leaving = sorted((b for a, b in architecture.arrows if a == importer), key=order.index, reverse=True)
    arriving = sorted((a for a, b in architecture.arrows if b == imported), key=order.index, reverse=True)
    above, below = placed[imported], placed[importer]
    start = below.middle + 3 + _spread(below, len(leaving)) * leaving.index(imported)
    end = above.middle - 3 - _spread(above, len(arriving)) * (len(arriving) - 1 - arriving.index(importer))
    return start, end


def _spread(box: Placed, arcs: int) -> float:
    return min(PORT, (box.height / 2 - 3) / arcs)


def _heads() -> Iterator[str]:
    for name in ("head", "wronghead"):
        yield (
            f'<marker id="{name}" class="{name}" markerUnits="userSpaceOnUse" markerWidth="6" markerHeight="6" '
            'refX="1" refY="3" orient="auto"><path d="M0 0L6 3L0 6z"/></marker>'
        )


def _legend(y: float) -> Iterator[str]:
    for i, (_, width, words) in enumerate(CLASSES):
        at = y + 16 * i
        yield f'<path class="arc w{2 - i}" stroke-width="{width:g}" d="M{LEFT + 10} {at:g}h34"/>'
        yield f'<text class="says" x="{LEFT + 52}" y="{at + 4:g}">{words}</text>'
