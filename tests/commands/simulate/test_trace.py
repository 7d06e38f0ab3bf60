"""Traces: what is shipped fits every stack, and everything wrong is named at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commands.simulate import design, synthetic, trace
from commands.simulate.command import TRACE
from commands.simulate.design import Design
from commands.simulate.trace import COLUMNS, TraceError
from tests.examples import examples

HEADER = ",".join(COLUMNS)


@pytest.fixture(scope="module")
def local() -> Design:
    return design.read("local", "local")


def refused(file: Path, text: str, *designs: Design) -> list[str]:
    """The refusal's lines, each problem as `line N, column: given (nearest)`."""
    file.write_text(text, encoding="utf-8")
    with pytest.raises(TraceError) as error:
        trace.read(file, designs)
    assert str(error.value).startswith(f"{file}: {len(error.value.problems)} cell")
    return [f"{p.path}: {p.given} ({p.nearest})" for p in error.value.problems]


def test_the_shipped_trace_runs_on_every_stack() -> None:
    designs = [design.read(name, name) for name in ("local", "dev", "prod")]
    rows = trace.read(TRACE, designs)
    assert {row.kind for row in rows} == {"job", "replicas"}
    assert 100 < sum((row.hours or 0) * row.pods * row.gpus for row in rows) < 1000
    assert rows[-1].at_hours < 7 * 24


def test_the_shipped_trace_is_what_the_generator_makes() -> None:
    assert TRACE.read_text(encoding="utf-8").splitlines() == synthetic.week(1)
    assert synthetic.week(2) == synthetic.week(2) != synthetic.week(1)


def test_every_wrong_cell_is_named_at_once(tmp_path: Path, local: Design) -> None:
    lines = (
        HEADER,
        "0,replicas,chat,serve,1,1,,",  # right
        "-1,jobs,Fine Tune,train,1,4,2,30",
        "1,job,a,train,0,x,,",
        "# a comment, and a blank line",
        "",
        "1,replicas,chat,serve,1,1,2,",
        "1,job,a,train",
        "1,job,a,train,1,1,nan,0",
        "1,job,a,trian,1,1,1,",
        "1,job,a,serve,1,2,1,",
        "1,job,a,train,3,4,1,",
        "1,job,a,train,1,1,1,30",  # right
    )
    assert refused(tmp_path / "t.csv", "\n".join(lines), local) == [
        "line 3, at_hours: -1 (None)",
        "line 3, kind: jobs (job)",
        "line 3, name: Fine Tune (fine-tune)",
        "line 4, pods: 0 (1)",
        "line 4, gpus: x (None)",
        "line 4, hours: blank (None)",
        "line 7, hours: 2 (None)",
        "line 8, all: 4 cells: 1,job,a,train (None)",
        "line 9, hours: nan (None)",
        "line 9, checkpoint_minutes: 0 (None)",
        "line 10, pool: trian (train)",
        "line 11, gpus: 2 (1)",
        "line 12, pods: 3 (2)",
    ]


def test_a_service_stays_what_it_is(tmp_path: Path, local: Design) -> None:
    rows = f"{HEADER}\n0,replicas,chat,serve,1,1,,\n5,replicas,chat,train,1,2,,\n"
    assert refused(tmp_path / "t.csv", rows, local) == ["line 3, pool: train (serve)", "line 3, gpus: 2 (1)"]


def test_a_pool_that_stands_with_no_nodes_serves_nothing(tmp_path: Path) -> None:
    prod = design.read("prod", "prod")
    rows = f"{HEADER}\n0,job,a,pretrain,1,8,1,\n"
    assert refused(tmp_path / "t.csv", rows, prod) == ["line 2, pods: 1 (0)"]


def test_a_pool_of_shared_gpus_is_refused(tmp_path: Path) -> None:
    pools = tmp_path / "shared.yaml"
    pools.write_text("- {name: serve, gpu: L4, maxNodes: 2, sharing: {mode: time-slicing, parts: 4}}\n")
    shared = design.read(str(pools), "local")
    text = f"{HEADER}\n0,replicas,chat,serve,1,1,,\n"
    assert refused(tmp_path / "t.csv", text, shared) == ["line 2, pool: serve (None)"]


def test_a_row_runs_on_the_first_pool_that_there_is(tmp_path: Path, local: Design) -> None:
    file = tmp_path / "t.csv"
    file.write_text(f"{HEADER}\n0,job,a,batch|train|serve,1,1,1,\n")
    (row,) = trace.read(file, [local])
    pool = trace.pool_of(row, local.pools)
    assert pool and pool.name == "train"


def test_both_designs_must_serve_the_trace(tmp_path: Path, local: Design) -> None:
    rows = f"{HEADER}\n0,job,a,fabric,1,8,1,\n"
    assert refused(tmp_path / "t.csv", rows, local, design.read("dev", "dev")) == [
        "line 2, pool: fabric (None)"
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "nothing"), ("a,b\n1,2\n", "a,b"), (HEADER, "nothing"), (f"{HEADER},more\n", f"{HEADER},more")],
)
def test_what_is_no_trace_is_refused(tmp_path: Path, local: Design, text: str, said: str) -> None:
    (only,) = refused(tmp_path / "t.csv", text, local)
    assert f": {said} (" in only


def test_a_missing_file_names_the_shipped_one(tmp_path: Path, local: Design) -> None:
    with pytest.raises(TraceError, match=r"no such file[\s\S]*team\.csv"):
        trace.read(tmp_path / "none.csv", [local])
    with pytest.raises(TraceError, match="CSV file in UTF-8"):
        trace.read(tmp_path, [local])


@settings(max_examples=examples(200), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(alphabet=st.characters(codec="utf-8"), max_size=200), header=st.booleans())
def test_any_text_is_read_or_refused(tmp_path: Path, local: Design, text: str, header: bool) -> None:
    file = tmp_path / "t.csv"
    file.write_text(f"{HEADER}\n{text}" if header else text, encoding="utf-8")
    try:
        trace.read(file, [local])
    except TraceError as error:
        assert error.problems
