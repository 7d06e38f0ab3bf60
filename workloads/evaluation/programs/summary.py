"""A verdict as Markdown, for the summary of a job in CI."""

from __future__ import annotations

from workloads.evaluation.programs.verdict import Verdict


def summary(verdict: Verdict) -> str:
    """What people read first: passed or not, why, and the slices."""
    passed = "passes" if verdict.passed else "is blocked"
    golden, model = verdict.golden_set, verdict.candidate
    lines = [f"## {model['name']} {passed}: golden set {golden['name']} {golden['version']}", ""]
    lines += [f"- {reason}" for reason in verdict.reasons]
    if change := verdict.difference:
        lines.append(
            f"- difference to production {change.mean:+.1%}, between {change.low:+.1%} and {change.high:+.1%}; "
            f"{change.better} cases better, {change.worse} worse"
        )
    else:
        lines.append("- nothing is in production: held to the floors alone")
    lines += ["", "| Slice | Cases | Candidate | Production |", "|---|---|---|---|"]
    for name, found in {"all": verdict.mean, **verdict.slices}.items():
        production = "–" if found.production is None else f"{found.production:.0%}"
        lines.append(f"| {name} | {found.cases} | {found.candidate:.0%} | {production} |")
    return "\n".join(lines) + "\n"
