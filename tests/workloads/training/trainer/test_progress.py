"""Where the time went, what it cost, and how it is shown."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("fsspec")

from workloads.training.trainer.ledger import MOST_LOSSES, Ledger
from workloads.training.trainer.metrics import METRICS, flops_per_token, peak_flops
from workloads.training.trainer.progress import Progress, Reading
from workloads.training.trainer.recipe import Recipe
from workloads.training.trainer.report import bars, curve, page

RECIPE = Recipe.read(
    '{"steps": 100, "batch": 4, "data": {"sequenceLength": 25}, "cost": {"inrPerHour": 3600}}'
)


class Recorded:
    """Metrics that are kept."""

    def __init__(self) -> None:
        self.values: dict[str, float | None] = {}

    def set(self, name: str, value: float | None, **labels: str) -> None:
        assert name in METRICS
        self.values[name + "".join(labels.values())] = value


def ledger(*runs: tuple[float, float], **seconds: float) -> Ledger:
    return Ledger(**seconds, runs=[list(run) for run in runs], _clock=lambda: runs[-1][1])  # type: ignore[arg-type]


def test_goodput_is_over_all_starts_and_every_second_has_one_cause() -> None:
    book = ledger((0, 40), (60, 100), useful_seconds=50, stall_seconds=4, startup_seconds=16)
    assert book.wall_seconds == 100
    assert book.paid_seconds == 80
    assert book.goodput == 0.5
    assert book.lost() == {"checkpoints": 4, "starts": 16, "waiting": 20, "again": 10}


SECONDS = st.floats(0, 1e5)


@given(useful=SECONDS, stall=SECONDS, start=SECONDS, gap=SECONDS, run=SECONDS)
def test_no_share_is_negative_or_above_one(
    useful: float, stall: float, start: float, gap: float, run: float
) -> None:
    runs = [(0.0, run), (run + gap, 2 * run + gap)]
    book = ledger(*runs, useful_seconds=useful, stall_seconds=stall, startup_seconds=start)
    assert 0 <= book.goodput <= 1
    assert all(seconds >= 0 for seconds in book.lost().values())


def test_a_checkpoint_holds_what_counts_and_not_the_starts() -> None:
    first = ledger((0, 10), useful_seconds=5, stall_seconds=1, startup_seconds=2)
    first.add_loss(3, 1.5)
    document = first.document()
    assert set(document) == {"useful_seconds", "stall_seconds", "startup_seconds", "losses"}
    second = Ledger()
    second.restore(document)
    assert (second.useful_seconds, second.losses) == (5, [(3, 1.5)])


def test_losses_of_any_length_fit_a_page() -> None:
    book = Ledger()
    for step in range(3 * MOST_LOSSES):
        book.add_loss(step, 1.0)
    assert MOST_LOSSES / 2 <= len(book.losses) <= MOST_LOSSES
    assert book.losses[0] == (0, 1.0)


def test_a_line_says_all_and_the_metrics_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([100.0, 110.0])
    monkeypatch.setattr("workloads.training.trainer.progress.time.perf_counter", lambda: next(now))
    metrics: Any = Recorded()
    book = ledger((0, 100), useful_seconds=80)
    progress = Progress(RECIPE, book, metrics, 0, flops=10, peak=1000)
    line = progress.line(Reading(20, 2.5, 1e-3, 0.5))
    assert line == (
        "step=20/100 loss=2.500000 left=0:00:40 tokens_per_second=200 mfu=2.000 "
        "goodput=0.800 inr=100.00 inr_to_end=50.00"
    )
    assert metrics.values["training_tokens_per_second"] == 200
    assert metrics.values["training_cost_inr"] == 100
    assert metrics.values["training_lost_secondsagain"] == 20


def test_without_a_known_peak_there_is_no_mfu() -> None:
    assert peak_flops("NVIDIA H100 80GB HBM3") == 989e12
    assert peak_flops("NVIDIA H100 PCIe") == 756e12
    assert peak_flops("Some card") is None
    assert "mfu" not in Progress(RECIPE, ledger((0, 1)), Recorded(), 0, 1, None).line(Reading(1, 1, 1, 1))  # type: ignore[arg-type]


def test_a_token_costs_six_flops_a_parameter_and_its_attention() -> None:
    assert flops_per_token(1000, 2, 10, 100) == 6000 + 12000


def test_the_page_shows_everything_and_asks_no_network() -> None:
    book = ledger((0, 100), useful_seconds=80)
    for step in range(10):
        book.add_loss(step, 5 - step / 10)
    text = page(RECIPE, book)
    assert "80.0 %" in text
    assert "₹100.00" in text
    assert text.count("<svg") == 2
    assert "://" not in text and "<script" not in text
    assert curve([]) == "<p>No step was reported.</p>"


@given(st.lists(st.tuples(st.integers(0, 10**9), st.floats(-1e6, 1e6)), max_size=20))
def test_a_curve_stays_in_its_frame(points: list[tuple[int, float]]) -> None:
    drawn = curve(sorted(points))
    if points:
        pairs = drawn.split('points="')[1].split('"')[0].split()
        assert len(pairs) == len(points)
        for pair in pairs:
            x, y = (float(part) for part in pair.split(","))
            assert 47.9 <= x <= 672.1 and 47.9 <= y <= 192.1


def test_bars_are_as_long_as_their_seconds() -> None:
    drawn = bars({"a": 10, "b": 5})
    widths = [
        float(part.split('"')[0])
        for part in drawn.split('x="120"')[1:]
        for part in [part.split('width="')[1]]
    ]
    assert widths == [480, 240]
