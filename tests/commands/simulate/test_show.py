"""The page and the data of a replay, the verdict; and that bad input ends in one message with nothing started."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from commands.simulate import chart, command, design, show, speeds
from commands.simulate.account import History, Line, NodeLife, Work
from commands.simulate.design import NoDesignError
from commands.simulate.trace import Row
from infra.catalog.resolved import resolve
from infra.pricing.rupees import format_inr
from infra.settings.aws_pools import AwsPool
from tests import browser

pytestmark = pytest.mark.slow

LIVES = (
    NodeLife("a", "train", "g6.12xlarge", True, 4, 0, 20, reclaimed=True),
    NodeLife("b", "serve", "g6.xlarge", False, 1, 5, 48),
)
HISTORY = History(
    48, LIVES, (Work("job", "train", 4, 1, 20, kept=18, why="reclaim"),), (), jobs=1, finished=0
)
RUN = show.Run("traces/team.csv", 48, 40, seed=1, reclaims=1, start_minutes=5, wall=60)


LOCAL = design.read("local", "local")


def of(
    name: str, serve: float, train: float, fabric: float, seeds: tuple[float, ...] = (), **more: Any
) -> show.Result:
    """A design whose pools cost so many USD; the trace uses nothing of `fabric`."""
    lines = tuple(
        Line(pool, 10, 5 if used else 0, 0, usd, usd, 1, 0, used)
        for pool, usd, used in (("serve", serve, True), ("train", train, True), ("fabric", fabric, False))
        if used or usd
    )
    made = replace(show.priced(LOCAL, HISTORY), lines=lines)
    return show.Result(replace(LOCAL, name=name), HISTORY, made, seeds=seeds, **more)


@pytest.fixture(scope="module")
def results() -> list[show.Result]:
    dearer = [replace(life, spot=False) for life in LIVES]
    return [
        show.Result.of(LOCAL, HISTORY),
        show.Result.of(replace(LOCAL, name="<sure>"), replace(HISTORY, nodes=tuple(dearer))),
    ]


def test_the_page_needs_nothing_from_outside(results: list[show.Result]) -> None:
    page = show.page(RUN, results)
    assert page.count("<svg viewBox") > 2
    assert "&lt;sure&gt;" in page and "<sure>" not in page
    for outside in ("http://", "https://", "src=", "<script", "<link", "@import"):
        assert outside not in page


def test_the_data_is_json_with_rupees_at_the_stacks_rate(results: list[show.Result]) -> None:
    local = json.loads(show.as_json(RUN, results))["designs"][0]
    rate = results[0].design.currency.usd_inr
    assert local["inr"] == pytest.approx((local["account"]["lines"][0]["usd"] + 43 * 0.9664) * rate, rel=1e-3)
    assert local["gpu_hours"]["lost"] == 4


usd = st.floats(0, 1e6)


@given(usd, usd, usd, usd, usd, usd, st.lists(st.tuples(usd, usd), max_size=4))
def test_the_verdict_never_contradicts_the_used_pools(
    a1: float, a2: float, a3: float, b1: float, b2: float, b3: float, luck: list[tuple[float, float]]
) -> None:
    seeds = [(a1 + a2, b1 + b2), *luck]
    first = of("first", a1, a2, a3, tuple(one for one, _ in seeds))
    second = of("second", b1, b2, b3, tuple(other for _, other in seeds))
    said, rate = show.verdict([first, second]), LOCAL.currency.usd_inr
    difference = (b1 + b2 - a1 - a2) * rate
    if abs(difference) < 0.5:
        assert "cost the same" in said
        return
    cheaper = "first" if difference > 0 else "second"
    assert f"{cheaper} is cheaper by {format_inr(abs(difference))}" in said
    saved = [(dear - cheap) * (1 if difference > 0 else -1) * rate for cheap, dear in seeds]
    if luck:
        assert ("Not surely" in said) == (min(saved) <= 0)
        assert f"{format_inr(min(saved))} to {format_inr(max(saved))}" in said


def test_an_idle_pool_is_told_apart_and_turns_no_verdict() -> None:
    told = show.conclusions([of("local", 10, 10, 900), of("dev", 20, 40, 0)])
    assert told[0].startswith("On the pools that the trace uses, local is cheaper")
    assert told[1].startswith("On local the trace uses nothing of fabric (₹")
    assert all("dev the trace uses nothing" not in line for line in told)


def test_without_all_of_a_stack_there_is_no_verdict() -> None:
    half = of("half", 1, 1, 0)
    half = replace(half, design=replace(half.design, left_out=("bench",)))
    told = show.conclusions([of("local", 10, 10, 0), half])
    assert told[0].startswith("No verdict: bench of half stand on premises")
    assert "Left out of half, on premises: bench." in told


def test_services_on_other_gpus_and_unknown_prices_give_no_verdict() -> None:
    other = of("other", 1, 1, 0, services=("chat (L4, L40S)",))
    assert show.verdict([of("local", 10, 10, 0), other]).startswith(
        "No verdict: other GPUs under chat (L4, L40S)"
    )
    unknown = show.Result.of(LOCAL, replace(HISTORY, pools=("serve", "train")))
    lines = tuple(replace(line, usd=None) for line in unknown.account.lines)
    unknown = replace(unknown, account=replace(unknown.account, lines=lines))
    assert show.verdict([of("local", 10, 10, 0), unknown]) == "No verdict: a price is not known."


def test_less_work_is_said_and_a_bad_model_tells_no_range() -> None:
    less = of("less", 1, 1, 0, seeds=(2, 2))
    lines = tuple(replace(line, worked=0.0) for line in less.account.lines)
    less = replace(less, account=replace(less.account, lines=lines))
    assert "see ₹ a worked GPU-hour" in show.verdict([less, of("local", 10, 10, 0, seeds=(20, 20))])
    off = replace(less, model_off=0.3)
    assert "the model that plays them is 30% off" in show.verdict(
        [off, of("local", 10, 10, 0, seeds=(20, 20))]
    )


def test_jobs_on_faster_gpus_take_other_hours_and_their_work_counts_alike() -> None:
    pools = [
        AwsPool(name="train", gpu="L40S", gpus_per_node=4, max_nodes=2),
        AwsPool(name="serve", gpu="L40S", max_nodes=2),
    ]
    resolved = {pool.name: resolve("ap-south-1", pool) for pool in pools}
    place = replace(LOCAL.places[0], pools=resolved)
    fast = replace(LOCAL, name="fast", places=(place,))
    rows = [
        Row(at_hours=0, kind="job", name="sft", pool="train", pods=1, gpus=4, hours=6, checkpoint_minutes=30),
        Row(at_hours=1, kind="replicas", name="chat", pool="serve", pods=1, gpus=1),
    ]
    own, faster, services = speeds.rows_for(fast, LOCAL, rows)
    (one,) = faster
    assert (one.gpu, one.reference, services) == ("L40S", "L4", ["chat (L4, L40S)"])
    assert one.factor == pytest.approx(362 / 121)  # neither was measured: the same share of the tensor rate
    assert own[0].hours == pytest.approx(6 / one.factor)
    assert own[1] == rows[1]
    assert speeds.rows_for(LOCAL, LOCAL, rows) == (rows, [], [])
    result = of("fast", 1, 1, 0, faster=(one,))
    assert result.work == pytest.approx(5 + 5 * one.factor)
    assert speeds.training_speed("H100") / speeds.training_speed("A100") == pytest.approx(
        989 * 0.36 / (312 * 0.55)
    )


def test_layers_are_stacked_and_end_where_the_replay_ends() -> None:
    drawn = chart.drawing(HISTORY, most=5)
    # What the trace uses below, though it came later: the line of work runs over it.
    assert [(layer.pool, layer.spot, layer.idle) for layer in drawn.layers] == [
        ("train", True, False),
        ("serve", False, True),
    ]
    assert drawn.reclaims == ((300.0, 64.0),)  # at 20 of 48 hours, on top of the four that work
    assert all(layer.path.endswith("Z") for layer in drawn.layers)


@pytest.mark.parametrize(
    ("hours", "first"), [(6, ["Mon", "01:00"]), (24, ["Mon", "03:00"]), (48, ["Mon", "06:00"])]
)
def test_few_days_have_hours_as_ticks_and_never_too_many(hours: float, first: list[str]) -> None:
    names = [name for _, name in chart.drawing(replace(HISTORY, hours=hours), most=5).days]
    assert names[:2] == first
    assert len(names) <= 8
    week = chart.drawing(replace(HISTORY, hours=168), most=5).days
    assert [name for _, name in week] == ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


def test_the_page_can_be_read_on_a_phone(results: list[show.Result], tmp_path: Path) -> None:
    page = show.page(RUN, results)
    size = re.search(r"max-width: 640px\) \{ svg text \{ font-size: (\d+)px", page)
    box = re.search(r'viewBox="-\d+ -\d+ (\d+) \d+" role="img"', page)
    assert size and box
    assert int(size[1]) * (390 - 26) / int(box[1]) >= 10, "the axis' text is smaller than 10 px on a phone"
    program = next(filter(None, map(shutil.which, browser.NAMES)), None)
    if program is None:
        pytest.skip("no Chromium here to look at the page with")
    (tmp_path / "page.html").write_text(page)
    # A window of Chromium's is 500 px wide at least: a frame is as narrow as a phone.
    frame = tmp_path / "phone.html"
    frame.write_text(
        '<body style="margin:0"><iframe src="page.html" style="width:390px;height:1600px;border:0">'
    )
    seen = browser.Browser(program, tmp_path / "profile")
    assert seen.colours(seen.picture(frame, tmp_path / "phone.png")) > 50, "the page is blank"


def test_blocks_show_the_mean_of_each_stretch() -> None:
    assert chart.blocks(HISTORY, "train", 4, width=4) == "█▅  "
    assert chart.blocks(HISTORY, "none", 0, width=4) == "    "


@pytest.fixture
def nothing_starts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def started(*_: object) -> None:
        raise AssertionError("something was started")

    monkeypatch.setattr(command, "scratch", started)
    monkeypatch.setattr(command.install, "ensure", started)
    yield


@pytest.mark.usefixtures("nothing_starts")
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"days": 0}, "days: 0; allowed: more than 0"),
        ({"days": float("nan")}, "days: nan"),
        ({"reclaims": -1}, "reclaims: -1"),
        ({"start_minutes": 999}, "start-minutes: 999"),
        ({"stack": "pord"}, "no stack pord.*the nearest is prod"),
        ({"against": "none.yaml"}, "none.yaml: no such file"),
        ({"trace": Path("none.csv")}, "no such file"),
    ],
)
def test_bad_input_ends_in_one_message(
    options: dict[str, object], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as end:
        command.simulate(**options)  # type: ignore[arg-type]
    assert end.value.exit_code == 1
    printed = " ".join(capsys.readouterr().out.split())
    assert printed.startswith("✗ ")
    assert re.search(said, printed), printed


def test_pools_of_a_file_stand_in_for_the_stacks(tmp_path: Path) -> None:
    file = tmp_path / "big.yaml"
    file.write_text("- {name: train, gpu: L4, gpusPerNode: 4, maxNodes: 1}\n")
    read = design.read(str(file), "local")
    assert (read.name, list(read.pools), read.places[0].region) == ("big", ["train"], "ap-south-1")


@pytest.mark.parametrize(
    "text", ["", "a: [", "pools: none", "[1]", "- {name: train, gpu: L4, maxNodes: none}"]
)
def test_a_file_without_right_pools_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(text)
    with pytest.raises(NoDesignError, match=r"wrong\.yaml"):
        design.read(str(file), "local")
