"""The answers of two models side by side as one HTML file: what changed comes first, and nothing is fetched."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from workloads.evaluation.programs.cases import Case, expected
from workloads.evaluation.programs.golden import GoldenSet
from workloads.evaluation.programs.results import Answer, Results
from workloads.evaluation.programs.verdict import Verdict

STYLE = """
:root{color-scheme:light dark;--bad:#b3261e;--good:#1b6e3c;--line:#8884;--soft:#8881}
body{font:16px/1.5 system-ui,"Noto Sans","Noto Sans Devanagari","Noto Sans Tamil","Noto Sans Bengali",sans-serif;
margin:0 auto;padding:1rem;max-width:72rem;overflow-wrap:anywhere}
h1{font-size:1.4rem;margin:0 0 .5rem}h2{font-size:1.1rem;margin:1.5rem 0 .5rem}
.bad{color:var(--bad)}.good{color:var(--good)}
table{border-collapse:collapse;width:100%}th,td{text-align:right;
padding:.25rem .5rem;border-bottom:1px solid var(--line)}
th:first-child,td:first-child{text-align:left}
article{border:1px solid var(--line);border-radius:.5rem;margin:.75rem 0;padding:.75rem}
article header{display:flex;flex-wrap:wrap;gap:.25rem .75rem;font-weight:600}
article header small{font-weight:400;opacity:.8}
.sides{display:grid;grid-template-columns:repeat(3,1fr);gap:.75rem}
.sides div{background:var(--soft);border-radius:.25rem;padding:.5rem;white-space:pre-wrap}
.sides b{display:block;font-size:.8rem;font-weight:600}
@media(max-width:40rem){.sides{grid-template-columns:1fr}}
summary{cursor:pointer;margin:1.5rem 0 .5rem;font-weight:600}
"""


def page(golden: GoldenSet, verdict: Verdict, candidate: Results, production: Results | None) -> str:
    """The whole page. It has the answers in full: it is as personal as the golden set."""
    title = f"{candidate.model} {'passes' if verdict.passed else 'is blocked'}"
    after = {answer.id: answer for answer in candidate.answers}
    before = {answer.id: answer for answer in production.answers} if production else {}
    ranked = sorted(golden.cases, key=lambda case: _rank(after[case.id], before.get(case.id)))
    cut = sum(_rank(after[case.id], before.get(case.id)) < _SAME for case in ranked)
    articles = [_article(case, after[case.id], before.get(case.id)) for case in ranked]
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>",
        f'<h1 class="{"good" if verdict.passed else "bad"}">{escape(title)}</h1>',
        f"<p>{escape(_lead(golden, verdict, candidate, production))}</p>",
        *_reasons(verdict),
        *_slices(verdict),
        f"<h2>{cut} cases that changed or failed</h2>",
        *articles[:cut],
        f"<details><summary>{len(ranked) - cut} cases that pass as before</summary>",
        *articles[cut:],
        "</details></body></html>",
    ]
    return "\n".join(parts)


# Worse, better, errors, failed on both sides; then what is as good as it was.
_SAME = 4


def _rank(after: Answer, before: Answer | None) -> int:
    if after.passed is None or (before and before.passed is None):
        return 2
    if before and before.passed != after.passed:
        return 1 if after.passed else 0
    return _SAME if after.passed else 3


def _lead(golden: GoldenSet, verdict: Verdict, candidate: Results, production: Results | None) -> str:
    example = "; an example, which judges no model that people use" if golden.example else ""
    against = f"{production.model} {production.revision}".strip() if production else "nothing in production"
    text = (
        f"Revision {candidate.revision or 'unknown'} against {against}, by the golden set {golden.name} "
        f"{golden.version} ({golden.digest[:12]}, {len(golden.cases)} cases{example}), {verdict.at}."
    )
    if change := verdict.difference:
        text += f" Difference {change.mean:+.1%}, between {change.low:+.1%} and {change.high:+.1%}."
    return text


def _reasons(verdict: Verdict) -> Iterator[str]:
    if verdict.reasons:
        yield "<ul>"
        yield from (f'<li class="bad">{escape(reason)}</li>' for reason in verdict.reasons)
        yield "</ul>"


def _slices(verdict: Verdict) -> Iterator[str]:
    yield "<table><tr><th>Slice</th><th>Cases</th><th>Candidate</th><th>Production</th></tr>"
    for name, found in {"all": verdict.mean, **verdict.slices}.items():
        production = "–" if found.production is None else f"{found.production:.0%}"
        worse = found.production is not None and found.candidate < found.production
        yield (
            f"<tr><td>{escape(name)}</td><td>{found.cases}</td>"
            f"<td{_bad(worse)}>{found.candidate:.0%}</td><td>{production}</td></tr>"
        )
    yield "</table>"


def _bad(worse: bool) -> str:
    return ' class="bad"' if worse else ""


def _article(case: Case, after: Answer, before: Answer | None) -> str:
    slices = ", ".join(case.slices.model_dump().values())
    language = "" if case.slices.language == "mixed" else f' lang="{escape(case.slices.language)}"'
    sides = [_side("Candidate", after)]
    sides += [_side("Production", before)] if before else []
    sides.append(f"<div><b>Expected</b>{escape(expected(case))}</div>")
    return (
        f"<article{language}><header>{escape(case.id)}<small>{escape(case.kind)}, {escape(slices)}</small></header>"
        f'<p>{escape(case.prompt)}</p><div class="sides">{"".join(sides)}</div></article>'
    )


def _side(name: str, answer: Answer) -> str:
    state, style = {True: ("passes", "good"), False: ("fails", "bad"), None: ("error", "bad")}[answer.passed]
    why = f"<i>{escape(answer.error or answer.why)}</i>" if answer.error or answer.why else ""
    return f'<div><b class="{style}">{name} {state}</b>{escape(answer.text)}{why and chr(10)}{why}</div>'
