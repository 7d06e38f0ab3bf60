"""A page of plots at the end of a training, in one file and without a network."""

from __future__ import annotations

import html

from .ledger import RUNS_FOLDER, Ledger
from .publication import Folder
from .recipe import Recipe

WIDTH, HEIGHT, MARGIN = 720, 240, 48


def write_report(folder: Folder, recipe: Recipe, ledger: Ledger) -> None:
    """Writes report.html beside the checkpoints."""
    folder.write(RUNS_FOLDER, "report.html", page(recipe, ledger).encode())


def page(recipe: Recipe, ledger: Ledger) -> str:
    """The page as HTML."""
    cost = recipe.cost.inr_per_hour * ledger.paid_seconds / 3600
    facts = {
        "Model": recipe.model.name,
        "Data": recipe.data.uri,
        "Steps": f"{recipe.steps:,}",
        "Starts": str(len(ledger.runs)),
        "Time": f"{ledger.wall_seconds:,.0f} s",
        "Goodput": f"{100 * ledger.goodput:.1f} %",
        "Cost": f"₹{cost:,.2f}",
    }
    rows = "".join(f"<tr><th>{name}</th><td>{html.escape(value)}</td></tr>" for name, value in facts.items())
    shares = {"trained": ledger.useful_seconds, **ledger.lost()}
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Training</title>'
        "<style>body{font:16px sans-serif;max-width:48rem;margin:2rem auto}"
        "th{text-align:left;padding-right:2rem}</style>"
        f"<h1>Training</h1><table>{rows}</table><h2>Loss</h2>{curve(ledger.losses)}"
        f"<h2>Where the time went</h2>{bars(shares)}</html>"
    )


def curve(points: list[tuple[int, float]]) -> str:
    """A line of values over steps, as SVG."""
    if not points:
        return "<p>No step was reported.</p>"
    steps, values = [step for step, _ in points], [value for _, value in points]
    low, high = min(values), max(values)
    across = max(1, steps[-1] - steps[0])
    up = (high - low) or 1.0

    def place(step: int, value: float) -> str:
        x = MARGIN + (WIDTH - 2 * MARGIN) * (step - steps[0]) / across
        y = HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * (value - low) / up
        return f"{x:.1f},{y:.1f}"

    line = " ".join(place(step, value) for step, value in points)
    return _svg(
        f'<polyline fill="none" stroke="#0a5" stroke-width="2" points="{line}"/>'
        f'<text x="0" y="{MARGIN}">{high:.3f}</text><text x="0" y="{HEIGHT - MARGIN}">{low:.3f}</text>'
        f'<text x="{MARGIN}" y="{HEIGHT - 16}">step {steps[0]}</text>'
        f'<text x="{WIDTH - 2 * MARGIN}" y="{HEIGHT - 16}">step {steps[-1]}</text>'
    )


def bars(seconds: dict[str, float]) -> str:
    """Horizontal bars of seconds by cause, as SVG."""
    longest = max([*seconds.values(), 1e-9])
    height = HEIGHT / max(1, len(seconds))
    drawn = []
    for at, (name, value) in enumerate(seconds.items()):
        y, width = at * height, (WIDTH - 240) * value / longest
        drawn.append(
            f'<rect x="120" y="{y + 4:.1f}" width="{width:.1f}" height="{height - 8:.1f}" fill="#0a5"/>'
        )
        drawn.append(f'<text x="0" y="{y + height / 2 + 5:.1f}">{html.escape(name)}</text>')
        drawn.append(f'<text x="{126 + width:.1f}" y="{y + height / 2 + 5:.1f}">{value:,.1f} s</text>')
    return _svg("".join(drawn))


def _svg(body: str) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="100%" font-size="13" role="img">{body}</svg>'
