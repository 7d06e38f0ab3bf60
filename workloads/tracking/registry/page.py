"""The lineage of a model as one page: no network, no script, readable on a phone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any

STYLE = """
:root{color-scheme:light dark;--line:#8886;--soft:#8882}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem}
h1,h2{line-height:1.2}section{border:1px solid var(--line);border-radius:.5rem;padding:.75rem 1rem;margin:1rem 0}
ol{display:flex;flex-wrap:wrap;gap:.5rem;list-style:none;padding:0;margin:0}
li{flex:1 1 11rem;background:var(--soft);border-radius:.4rem;padding:.5rem .75rem;min-width:0}
li b{display:block}dl{margin:.25rem 0 0}dt{font-size:.8rem;line-height:1;opacity:.7}
dd{margin:0 0 .35rem;overflow-wrap:anywhere}
code{font-size:.9em;overflow-wrap:anywhere}
.stage{border-radius:1rem;padding:.1rem .7rem;font-size:.9rem;border:1px solid var(--line)}
.production{background:#0a62;border-color:#0a6}.candidate{background:#07c2;border-color:#07c}
.scroll{overflow-x:auto}table{border-collapse:collapse}td,th{text-align:left;padding:.3rem .8rem .3rem 0}
"""


def render(lineage: Mapping[str, Any]) -> str:
    """The page, of what `lineage.of` found."""
    name = escape(lineage["model"])
    return "".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>Lineage of {name}</title><style>{STYLE}</style></head><body><h1>Lineage of {name}</h1>",
            *map(_version, lineage["versions"]),
            *_changes(lineage["changes"]),
            "</body></html>",
        ]
    )


def _version(version: Mapping[str, Any]) -> str:
    run, stage = version["run"], version["stage"]
    label = f' <span class="stage {stage}">{stage}</span>' if stage else ""
    shown = {
        "Data": {"commit": _short(version["data"]["commit"])},
        "Run": {
            "run": escape(run["name"] or run["id"][:12]),
            "status": escape(run["status"]),
            "code": _short(run["codeCommit"]),
            "image": _short(run["image"].partition("@sha256:")[2], run["image"]),
            "recipe": _short(run["recipe"]),
            "seed": escape(run["seed"]),
            **{escape(key): f"{value:.6g}" for key, value in run["metrics"].items()},
        },
        "Version": {
            "files": _short(version["digest"]),
            "folder": escape(version["source"]),
            "registered": _time(version["registered"]),
        },
        "Deployments": {
            escape(each["at"]): f"since {_time(each['since'])}" for each in version["deployments"]
        }
        or {"none noted": "-"},
    }
    steps = "".join(f"<li><b>{step}</b>{_facts(facts)}</li>" for step, facts in shown.items())
    return f"<section><h2>Version {version['version']}{label}</h2><ol>{steps}</ol></section>"


def _facts(facts: Mapping[str, str]) -> str:
    return f"<dl>{''.join(f'<dt>{name}</dt><dd>{value}</dd>' for name, value in facts.items() if value)}</dl>"


def _time(iso: str) -> str:
    return f"{datetime.fromisoformat(iso).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _short(digest: str, whole: str = "") -> str:
    """Twelve characters; a pointer, or a copy of the text, has all."""
    return f'<code title="{escape(whole or digest)}">{escape(digest[:12])}</code>' if digest else ""


def _changes(changes: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    rows = "".join(
        f"<tr><td>{_time(each['at'])}</td><td>{each['action']}</td><td>{each['version']}</td>"
        f"<td>{'refused: ' + each['refused'] if each['refused'] else ''}</td><td>{escape(each['by'])}</td>"
        f"<td>{_verdict(each['verdict'])}</td></tr>"
        for each in changes
    )
    if rows:
        head = "<tr><th>When</th><th>What</th><th>Version</th><th></th><th>By</th><th>Verdict</th></tr>"
        yield f'<h2>Promotions</h2><div class="scroll"><table>{head}{rows}</table></div>'


def _verdict(verdict: Mapping[str, Any] | None) -> str:
    if verdict is None:
        return ""
    golden = verdict["goldenSet"]
    return (
        f"{_short(verdict['digest'])} by {escape(golden['name'])} {escape(golden['version'])} "
        f"{_short(golden['digest'])}, {_time(verdict['judged'])}, signed by {_short(verdict['signedBy'])}"
    )
