"""The page and the data of a replay, the verdict; and that bad input ends in one message with nothing started."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import typer

from infra.settings.pools import GpuPool
from localcloud.simulate import chart, command, design, show
from localcloud.simulate.account import History, NodeLife, Work
from localcloud.simulate.design import NoDesign

LIVES = (
    NodeLife("a", "train", "g6.12xlarge", True, 4, 0, 20, reclaimed=True),
    NodeLife("b", "serve", "g6.xlarge", False, 1, 5, 48),
)
HISTORY = History(
    48, LIVES, (Work("job", "train", 4, 1, 20, kept=18, why="reclaim"),), (), jobs=1, finished=0
)
RUN = show.Run("traces/team.csv", 48, 40, seed=1, reclaims=1, start_minutes=5, wall=60)


@pytest.fixture(scope="module")
def results() -> list[show.Result]:
    local = design.read("local", "local")
    pools = {**local.pools, "train": GpuPool(name="train", gpu="L40S", gpus_per_node=4, max_nodes=2)}
    dearer = [replace(life, spot=False) for life in LIVES]
    return [
        show.Result.of(local, HISTORY),
        show.Result.of(replace(local, name="<sure>", pools=pools), replace(HISTORY, nodes=tuple(dearer))),
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


def test_the_verdict_says_which_is_cheaper_and_what_is_not_alike(results: list[show.Result]) -> None:
    said = show.verdict(results)
    assert said.startswith("local is cheaper by ₹")
    assert "train (L4, L40S)" in said
    assert show.verdict([results[0], results[0]]) == "local and local cost the same."
    less = show.Result.of(results[0].design, replace(HISTORY, work=()))
    assert "see ₹ a worked GPU-hour" in show.verdict([less, results[1]])


def test_pools_on_which_nothing_ran_are_named(results: list[show.Result]) -> None:
    assert show.unused(results[0]).startswith("On local nothing ran on serve (₹")


def test_layers_are_stacked_and_end_where_the_replay_ends() -> None:
    drawn = chart.drawing(HISTORY, most=5)
    assert [(layer.pool, layer.spot) for layer in drawn.layers] == [("serve", False), ("train", True)]
    assert drawn.reclaims == ((400.0, 0.0),)  # at 20 of 48 hours, on top of all five
    assert all(layer.path.endswith("Z") for layer in drawn.layers)


def test_blocks_show_the_mean_of_each_stretch() -> None:
    assert chart.blocks(HISTORY, "train", 4, width=4) == "█▅  "
    assert chart.blocks(HISTORY, "none", 0, width=4) == "    "


@pytest.fixture
def nothing_starts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def started(*_: object) -> None:
        raise AssertionError("something was started")

    monkeypatch.setattr(command, "scratch", started)
    monkeypatch.setattr(command.toolchain, "ensure", started)
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
    assert (read.name, list(read.pools), read.region) == ("big", ["train"], "ap-south-1")


@pytest.mark.parametrize(
    "text", ["", "a: [", "pools: none", "[1]", "- {name: train, gpu: L4, maxNodes: none}"]
)
def test_a_file_without_right_pools_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(text)
    with pytest.raises(NoDesign, match=r"wrong\.yaml"):
        design.read(str(file), "local")
