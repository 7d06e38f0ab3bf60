"""A result as one HTML page without anything from elsewhere: a plot a feature, those that drifted first."""

from __future__ import annotations

from html import escape

from .lake import put
from .result import FeatureResult, Result

WIDTH, HEIGHT, GAP = 320, 90, 3
STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1c2430; }
h1 { font-size: 1.4rem; margin-bottom: .2rem } h2 { font-size: 1rem; margin: 0 }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(21rem, 1fr)); gap: 1rem; margin-top: 1.5rem }
.card { border: 1px solid #d5dae1; border-radius: 8px; padding: .8rem } .drifted { border: 2px solid #b3261e }
.note { color: #56606d; font-size: .85rem; margin: .1rem 0 .4rem } .bad { color: #b3261e; font-weight: 600 }
svg { width: 100%; height: auto } .before { fill: #9aa5b4 } .now { fill: #1f6feb } .drifted .now { fill: #b3261e }
.key i { display: inline-block; width: .8em; height: .8em; margin: 0 .3em 0 1em; border-radius: 2px }
"""


def write(uri: str, result: Result) -> None:
    """Keep the page."""
    put(uri, html(result).encode())


def html(result: Result) -> str:
    """The page."""
    drifted = [feature for feature in result.features if feature.drifted]
    still = [feature for feature in result.features if not feature.drifted]
    if drifted:
        count = f"{len(drifted)} of {len(result.features)} features drifted"
        verdict = f'<p class="bad">{count}{", and drift is confirmed" if result.confirmed else ""}.</p>'
    else:
        verdict = f"<p>None of {len(result.features)} features drifted.</p>"
    cards = "".join(_card(feature) for feature in [*drifted, *still])
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Drift of {escape(result.model)}, {escape(result.window)}</title><style>{STYLE}</style></head><body>
<h1>Drift of {escape(result.model)}</h1>
<p class="note">Window {escape(result.window)} (UTC), {result.rows:,} rows, distances on {result.sampled:,} of them</p>
{verdict}{_outcome(result)}{_retraining(result)}
<p class="note key">Shares of rows: <i style="background:#9aa5b4"></i>reference
<i style="background:#1f6feb"></i>this window</p>
<div class="grid">{cards}</div></body></html>
"""


def _outcome(result: Result) -> str:
    if not (outcome := result.outcome):
        return ""
    verdict = "worse than" if outcome.worse else "as good as"
    said = f"{outcome.right:.1%} of {outcome.rows:,} predictions of {escape(outcome.window)} were right"
    return f"<p>{said}, {outcome.reference:.1%} in the reference: {verdict} it.</p>"


def _retraining(result: Result) -> str:
    if not result.retraining:
        return ""
    verb = "started" if result.retraining["started"] else "not started"
    return f"<p>Retraining {verb}: {escape(result.retraining['reason'])}.</p>"


def _card(feature: FeatureResult) -> str:
    kind = "Wasserstein, in standard deviations" if feature.kind == "numeric" else "Jensen–Shannon"
    return f"""<div class="card{" drifted" if feature.drifted else ""}"><h2>{escape(feature.name)}</h2>
<p class="note">{kind}: {feature.distance:.3f} of {feature.distance_threshold:.3f};
PSI {feature.psi:.3f} of {feature.psi_threshold:.3f}</p>{_bars(feature)}
<p class="note">{escape(", ".join(feature.bins[:-1]))}</p></div>"""


def _bars(feature: FeatureResult) -> str:
    highest = max(*feature.reference, *feature.current, 1e-9)
    slot = WIDTH / len(feature.bins)
    width = max(1.0, (slot - GAP) / 2)
    drawn = []
    for at, (label, before, now) in enumerate(
        zip(feature.bins, feature.reference, feature.current, strict=True)
    ):
        for side, (share, kind) in enumerate(((before, "before"), (now, "now"))):
            tall = HEIGHT * share / highest
            left = at * slot + side * width
            said = f"{escape(label)}: {share:.1%}"
            drawn.append(
                f'<rect class="{kind}" x="{left:.1f}" y="{HEIGHT - tall:.1f}" width="{width:.1f}" '
                f'height="{tall:.1f}"><title>{said}</title></rect>'
            )
    words = f"Shares of {escape(feature.name)} by bin"
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{words}">{"".join(drawn)}</svg>'
