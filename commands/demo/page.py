"""The page at the end of the demo: a section for each stage, what it would cost in rupees, and the policies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from commands.demo.platform import STACK
from commands.page.document import Cell, Plot, Section, Table, columns, row
from commands.stacks import settings_of
from infra.catalog.resolved import resolve
from infra.pricing.rupees import format_price

Found = Mapping[str, Any]
# Nodes with a GPU that each stage had at a time, by pool: the job's, the gate's and the servers'.
NODES: Mapping[str, Mapping[str, int]] = {
    "train": {"train": 2},
    "compress": {"train": 1},
    "serve": {"serve": 1},
    "drift": {"serve": 1},
    "retrain": {"train": 2, "serve": 1},
    "promote": {"serve": 2},
}


def sections(done: Mapping[str, Found]) -> list[Section]:
    """What each stage found, in the order of the loop."""
    return [
        _features(done["features"]),
        _training(done["train"]),
        _compression("compress", "Made smaller", done["compress"]),
        _serving(done["serve"], done["promote"]),
        _gates(done["serve"], done["promote"]),
        _drift(done["drift"]),
        _compression("retrain", "Trained again, and made smaller", done["retrain"]),
        _rupees(done),
    ]


def _rupees(done: Mapping[str, Found]) -> Section:
    """The seconds of the stages at the price of the nodes that the pools would have had."""
    settings = settings_of(STACK)
    assert settings.aws and settings.aws.cluster
    region = settings.aws.region
    inr = {
        pool.name: resolve(region, pool).usd_per_hour * settings.currency.usd_inr
        for pool in settings.aws.cluster.pools
    }
    lines = list(_hours(done, inr))
    total = sum(rupees for *_, rupees in lines)
    most = max(rupees for *_, rupees in lines)
    rows = [
        row(stage, nodes, f"{seconds:,}", Cell(format_price(rupees), share=rupees / most))
        for stage, nodes, seconds, rupees in lines
    ]
    said = (
        "What the nodes with GPUs would have cost for as long, on spot. The rest of the platform costs by the month: "
        "`make cost STACK=demo`."
    )
    table = Table(
        "By stage",
        columns("Stage", "Nodes", "#Seconds", "₹"),
        [*rows, row("all", "", "", format_price(total))],
        True,
    )
    return Section("rupees", "In rupees, on the real pools", [Cell(said)], [table])


def _hours(done: Mapping[str, Found], inr: Mapping[str, float]) -> Iterator[tuple[str, str, int, float]]:
    for stage, nodes in NODES.items():
        seconds = done[stage]["stageSeconds"]
        hourly = sum(count * inr[pool] for pool, count in nodes.items())
        said = " and ".join(f"{count} of {pool}" for pool, count in nodes.items())
        yield stage, said, seconds, hourly * seconds / 3600


def _features(found: Found) -> Section:
    lines = [row(name, str(value)) for name, value in found["account"].items()]
    table = Table("What a model gets of one account", columns("Feature", "#Value"), lines)
    return Section("features", "Features", [Cell("The lake's last days, as Redis serves them.")], [table])


def _training(found: Found) -> Section:
    stopped, resumed = (found[name][0] if found[name] else None for name in ("stopped", "resumed"))
    said = (
        f"One of its spot nodes was taken back at step {stopped}; the job saved, waited for a new node, and went on "
        f"at step {resumed}."
        if stopped
        else "No node was taken back: the job had ended before."
    )
    curve = _curve(found, {stopped: "a node is taken back"} if stopped else {})
    return Section("train", "Training on spot", [Cell(said)], [], [curve])


def _curve(found: Found, marks: Mapping[float, str]) -> Plot:
    return Plot("Loss by step", [(int(step), loss) for step, loss in found["losses"].items()], marks)


def _compression(id: str, title: str, found: Found) -> Section:
    card = found["card"]
    lines = [
        row(
            language,
            f"{each['before']:.4g}",
            f"{each['after']:.4g}",
            Cell(f"{each['agreement']:.1%}", share=each["agreement"]),
        )
        for language, each in card["quality"].items()
    ]
    table = Table(
        "Judged by language", columns("Language", "#Perplexity before", "#after", "Same first choice"), lines
    )
    curves = [_curve(found, {})] if "losses" in found else []
    return Section(id, title, [Cell(f"Method {card['method']}.")], [table], curves)


def _serving(first: Found, second: Found) -> Section:
    before = {each["question"]: each for each in first["answers"]}
    lines = [
        row(
            each["question"],
            _answer(before.get(each["question"])),
            _answer(each),
            each["again"],
        )
        for each in second["answers"]
    ]
    table = Table(
        "Asked as users ask", columns("Question", "The first model", "The better model", "Asked again"), lines
    )
    each_took = [
        [answer[name] for found in (first, second) for answer in found["answers"]]
        for name in ("seconds", "secondsAgain")
    ]
    took = [median(seconds) for seconds in each_took]
    rows = [
        row(who, Cell(f"{1000 * seconds:,.0f}", share=seconds / max(took)))
        for who, seconds in zip(("the model", "the cache"), took, strict=True)
    ]
    from_whom = Table("Milliseconds to an answer, median", columns("From", "Milliseconds"), rows)
    return Section("serve", "What users get", [], [table, from_whom])


def _answer(each: Mapping[str, Any] | None) -> Cell:
    if each is None:
        return Cell("not asked: nobody knew the answer")
    return Cell(each["said"].strip() or "nothing", "good" if each["right"] else "bad")


def _gates(*found: Found) -> Section:
    lines = []
    for at, each in enumerate(found, start=1):
        verdict = each["verdict"]
        mean = verdict["mean"]["candidate"]
        mood = "good" if verdict["passed"] else "bad"
        lines.append(
            row(
                f"candidate {at}",
                Cell(f"{mean:.0%}", share=mean),
                Cell("passed" if verdict["passed"] else "blocked", mood),
            )
        )
    return Section(
        "gate",
        "The golden set",
        [],
        [Table("Cases that passed", columns("Model", "Share", "Verdict"), lines)],
    )


def _drift(found: Found) -> Section:
    result = found["result"]
    lines = [
        row(
            each["name"],
            Cell(
                f"{each['distance']:.3f}", "bad" if each["drifted"] else "", share=min(1.0, each["distance"])
            ),
            f"{each['distance_threshold']:.3f}",
        )
        for each in result["features"]
    ]
    said: Sequence[Cell] = [Cell(str(result.get("retraining", {}).get("reason", "")))]
    return Section(
        "drift",
        "What is asked has changed",
        said,
        [Table("Distance from what the model learnt", columns("Feature", "Distance", "#Threshold"), lines)],
    )
