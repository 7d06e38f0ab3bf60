"""`make catalog` without a login: public feeds, as excerpts in their own forms, into copies of the shipped tables."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import CliRunner

from commands import catalog as command
from infra.catalog.refresh import aws, gcp, take
from infra.catalog.refresh.answers import FeedError, FeedRows, Known, NoCredentialsError
from infra.catalog.refresh.feeds import FEEDS, Feed
from infra.catalog.refresh.merge import Tables, impossible, load, save
from infra.catalog.tables import DATA, CatalogError, PlacementRow, PriceRow
from tests.infra.catalog.refresh import feed_excerpts as excerpts

pytestmark = pytest.mark.slow

APP = typer.Typer()
APP.command()(command.catalog)
KNOWN = take.known_of(load(DATA))
TODAY = date(2026, 12, 1)
Run = Callable[..., str]


@pytest.fixture
def run(tables_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`run(day)` says what the command prints on a day, without a login of either cloud."""

    def none() -> None:
        raise NoCredentialsError("set one")

    monkeypatch.setattr(aws, "session", none)
    monkeypatch.setattr(gcp, "services", none)
    monkeypatch.setattr(command, "console", Console(width=200, highlight=False))

    def invoke(day: date = TODAY, *words: str) -> str:
        class Clock(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> Clock:
                return cls(day.year, day.month, day.day, 6, tzinfo=UTC)

        monkeypatch.setattr(command, "datetime", Clock)
        done = CliRunner().invoke(APP, words)
        if done.exception:
            raise done.exception
        return done.output

    return invoke


def price(tables: Tables, region: str, name: str, purchase: str, zone: str = "") -> PriceRow:
    (row,) = (
        row
        for row in tables.prices
        if (row.region, row.machine_type, row.purchase, row.zone) == (region, name, purchase, zone)
    )
    return row


def test_without_a_login_feeds_are_read(run: Run, tables_folder: Path, public: dict[str, bytes]) -> None:
    public.update(excerpts.ALL)
    said = run()
    made = load(tables_folder)
    assert list(impossible(made)) == []

    h100 = price(made, "ap-south-1", "p5.48xlarge", "spot", "aps1-az1")
    assert (h100.usd_hour, h100.as_of, h100.source) == (18.5941, date(2026, 11, 28), "spotlake latest")
    # SpotLake saw none in this zone, and SkyPilot did.
    assert price(made, "ap-south-1", "p5.48xlarge", "spot", "aps1-az2").source == "skypilot latest"
    metal = price(made, "ap-south-1", "g4dn.metal", "spot", "aps1-az1")
    assert (metal.usd_hour, metal.as_of, metal.source) == (4.0383, TODAY, "skypilot latest")
    # Rounded by the feed: the price on demand, and not above it.
    rounded = price(made, "ap-south-1", "g6f.4xlarge", "spot", "aps1-az1")
    assert (rounded.usd_hour, rounded.source) == (1.14076, "spotlake latest")
    # Of the lowest zone: only where no zone's price is known.
    l40s = price(made, "ap-south-2", "g6e.xlarge", "spot")
    assert (l40s.usd_hour, l40s.basis, l40s.as_of) == (0.7, "lowest-zone", TODAY)
    assert not [
        row for row in made.prices if row.machine_type == "p5.48xlarge" and row.source == "aws spot table"
    ]
    # 0.935 times the on-demand price, which the table repeats where it saw none.
    assert price(made, "ap-south-2", "m6i.large", "spot").basis == "not-observed"
    l4 = price(made, "asia-south1", "g2-standard-4", "spot")
    assert (l4.usd_hour, l4.source) == (0.33935, "karpenter-gcp latest")

    bands = {(row.region, row.machine_type): row for row in made.interruptions}
    assert (bands["ap-south-1", "g6.48xlarge"].band, bands["ap-south-1", "g6.48xlarge"].as_of) == (
        ">20%",
        TODAY,
    )
    assert bands["ap-south-2", "g6e.xlarge"].band == "5-10%"
    scores = {(row.machine_type, row.zone): row for row in made.placement}
    assert scores["g6f.4xlarge", "aps1-az3"].score == 2

    (rate,) = made.exchange_rates
    assert (rate.usd_inr, rate.as_of) == (pytest.approx(95.2691, abs=1e-4), date(2026, 11, 30))
    assert "over USD" in rate.source
    assert "d26bk4799jlxhe.cloudfront.net (SpotLake): spot by zone" in said
    assert (
        "of 2026-11-28 by its own time, 3 days old; it should be new within 2 days: it may stand still"
        in said
    )
    assert "aws has no credentials (set one): public feeds are read instead" in said
    assert "₹95.2691 to the dollar of 2026-11-30, was ₹94.9552 of 2026-10-30" in said


def test_what_is_not_told_stays(run: Run, tables_folder: Path, public: dict[str, bytes]) -> None:
    public.update(excerpts.ALL)
    old = load(tables_folder)
    run()
    made = load(tables_folder)
    assert made.machines == old.machines
    assert made.offerings == old.offerings
    same = [row for row in old.prices if row.machine_type.startswith("g5.")]
    assert same
    assert all(row in made.prices for row in same)


def test_a_feed_that_stands_still_is_told_and_makes_nothing_younger(
    run: Run, tables_folder: Path, public: dict[str, bytes]
) -> None:
    public.update(excerpts.ALL)
    run(date(2026, 12, 1))
    first = {path.name: path.read_bytes() for path in tables_folder.iterdir()}
    said = run(date(2026, 12, 9))
    assert (
        "unchanged since 2026-12-01, 8 days ago; it should be new within 2 days: it may stand still" in said
    )
    assert {path.name: path.read_bytes() for path in tables_folder.iterdir()} == first
    public["aws/vms.csv"] = excerpts.SKYPILOT.replace("4.038300", "4.1").encode()
    said = run(date(2026, 12, 10))
    assert (
        "(SkyPilot catalogue): spot by zone and on demand in Mumbai; 4 rows, of 2026-12-10; new since" in said
    )
    assert price(load(tables_folder), "ap-south-1", "g4dn.metal", "spot", "aps1-az1").as_of == date(
        2026, 12, 10
    )


@pytest.mark.parametrize(
    ("source", "day", "wins"),
    [
        ("aws spot history", date(2026, 11, 29), False),
        ("aws spot history", date(2026, 11, 28), False),
        ("aws spot history", date(2026, 11, 27), True),
        ("spotlake 1012c7c", date(2026, 11, 28), True),
        ("spotlake 1012c7c", date(2026, 11, 29), False),
    ],
)
def test_a_price_that_was_observed_later_stays(
    run: Run, tables_folder: Path, public: dict[str, bytes], source: str, day: date, wins: bool
) -> None:
    old = load(tables_folder)
    mine = price(old, "ap-south-1", "p5.48xlarge", "spot", "aps1-az1")
    mine = mine.model_copy(update={"usd_hour": 20.5, "as_of": day, "source": source})
    others = [
        row
        for row in old.prices
        if (row.machine_type, row.purchase, row.zone) != ("p5.48xlarge", "spot", "aps1-az1")
    ]
    save(
        Tables(old.machines, old.offerings, (*others, mine), old.interruptions, old.placement), tables_folder
    )
    public["latest_aws.json"] = excerpts.ALL["latest_aws.json"]
    run()
    usd = price(load(tables_folder), "ap-south-1", "p5.48xlarge", "spot", "aps1-az1").usd_hour
    assert usd == (18.5941 if wins else 20.5)


def test_a_guess_gives_way_to_an_observation_of_any_day() -> None:
    old = load(DATA)
    guess = next(row for row in old.prices if row.basis == "derived-weak" and row.region == "ap-south-1")
    seen = guess.model_copy(update={"basis": "observed", "as_of": date(2020, 1, 1), "usd_hour": 9000.0})
    made, _, lines = take.take(old, [FeedRows(seen.as_of, (seen,))])
    assert lines == []
    assert seen in made.prices


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (
            excerpts.spotlake_row("p5.48xlarge", "aps1-az1", 1, 66.048, 70.5),
            "spot 70.5 USD/h .* is above on-demand 66.048",
        ),
        (
            excerpts.spotlake_row("p6-b200.48xlarge", "aps1-az1", 1, -1, 7),
            "price in aps1-az1, and is not offered there",
        ),
        (
            excerpts.spotlake_row("p6-b200.48xlarge", "aps1-az1", 1, -1, -1),
            "score in aps1-az1, and is not offered there",
        ),
        (excerpts.spotlake_row("p5.48xlarge", "aps1-az1", 1, 66.048, "cheap"), "SpotPrice is 'cheap'"),
        (excerpts.spotlake_row("p5.48xlarge", "aps1-az1", 11, 66.048, 18), "SPS is '11'"),
        (
            excerpts.spotlake_row("p5.48xlarge", "aps1-az1", 1, 66.048, 18, Time="2027-01-01 00:00:00"),
            "of 2027-01-01",
        ),
        (
            excerpts.spotlake_row("p5.48xlarge", "aps1-az3", 1, 65.0, 18),
            "several on-demand prices in ap-south-1",
        ),
    ],
)
def test_a_row_that_cannot_be_is_dropped_alone(
    run: Run, tables_folder: Path, public: dict[str, bytes], row: dict[str, Any], says: str
) -> None:
    public["latest_aws.json"] = json.dumps(
        [*excerpts.SPOTLAKE[:3], row, excerpts.spotlake_row("p5.48xlarge", "aps1-az2", 3, 66.048, 19.5)]
    ).encode()
    said = " ".join(run().split())
    assert "! dropped: " in said
    assert re.search(says, said), said
    made = load(tables_folder)
    assert list(impossible(made)) == []
    assert all(row.as_of <= TODAY for row in (*made.prices, *made.placement))
    assert price(made, "ap-south-1", "g6f.4xlarge", "spot", "aps1-az3").usd_hour == 0.3
    assert price(made, "ap-south-1", "p5.48xlarge", "on-demand").usd_hour == 66.048


def test_an_on_demand_price_below_a_spot_price_that_stays_is_dropped(
    run: Run, tables_folder: Path, public: dict[str, bytes]
) -> None:
    cheap = [excerpts.spotlake_row("p5.48xlarge", "aps1-az1", 1, 1.5, 1.0)]
    public["latest_aws.json"] = json.dumps(cheap).encode()
    assert "is above on-demand 1.5 (2026-11-28, observed) (spotlake latest)" in run()
    made = load(tables_folder)
    assert price(made, "ap-south-1", "p5.48xlarge", "on-demand").usd_hour == 66.048
    assert price(made, "ap-south-1", "p5.48xlarge", "spot", "aps1-az1").usd_hour == 1.0


def test_the_price_of_a_region_stands_again_where_that_of_its_zone_is_dropped() -> None:
    old = load(DATA)
    spot = price(old, "asia-south1", "n1-standard-4+1xT4", "spot")
    zone = spot.model_copy(
        update={"zone": "asia-south1-a", "usd_hour": 1.0, "as_of": TODAY, "basis": "observed"}
    )
    listed = price(old, "asia-south1", "n1-standard-4+1xT4", "on-demand")
    listed = listed.model_copy(update={"usd_hour": spot.usd_hour / 2, "as_of": TODAY, "basis": "observed"})
    made, _, lines = take.take(old, [FeedRows(TODAY, (zone, listed))])
    assert made.prices == old.prices
    assert len(lines) == 2


@pytest.mark.parametrize("end", list(excerpts.ALL))
@pytest.mark.parametrize("body", [None, b"", b"<html>moved</html>", b"[]", b"{}", b"\xff\xfe"])
def test_a_feed_that_fails_leaves_its_rows_and_one_line(
    run: Run, tables_folder: Path, public: dict[str, bytes], end: str, body: bytes | None
) -> None:
    public.update(excerpts.ALL)
    run()
    first = load(tables_folder)
    del public[end]
    if body is not None:
        public[end] = body
    said = run(date(2026, 12, 2))
    if end.endswith("xml"):
        assert "! www.ecb.europa.eu: " in said
        assert "! the rate of the dollar is kept: ₹95.2691 of 2026-11-30" in said
    else:
        (feed,) = (feed for feed in FEEDS if feed.url.endswith(end))
        (line,) = (line for line in said.splitlines() if line.startswith(f"! {feed.label}"))
        assert line.endswith("; its rows are kept")
    assert load(tables_folder) == first
    assert sorted(path.suffix for path in tables_folder.iterdir() if path.suffix not in (".csv", ".md")) == []


def test_nothing_at_all_changes_nothing(run: Run, tables_folder: Path) -> None:
    first = load(tables_folder)
    with pytest.raises(CatalogError, match="Nothing was refreshed: aws has no credentials"):
        run()
    assert load(tables_folder) == first


def test_one_cloud_reads_no_feed_of_the_other(
    run: Run, tables_folder: Path, public: dict[str, bytes]
) -> None:
    public.update(excerpts.ALL)
    said = run(TODAY, "--clouds", "gcp")
    assert "Karpenter's Google prices" in said
    assert "SpotLake" not in said


def test_the_name_of_a_source_is_in_sources_md() -> None:
    told = (DATA / "SOURCES.md").read_text()
    for feed in FEEDS:
        rows = feed.parse(
            excerpts.ALL[next(end for end in excerpts.ALL if feed.url.endswith(end))], KNOWN, TODAY
        )
        for row in (*rows.prices, *rows.bands, *rows.scores):
            assert f"| {row.source} |" in told


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=12,
)


def _in_one_line(feed: Feed, body: bytes, known: Known) -> None:
    try:
        rows = feed.parse(body, known, TODAY)
    except FeedError as error:
        assert "\n" not in str(error)
        return
    assert rows.prices or rows.bands or rows.scores or rows.dropped
    assert all("\n" not in line for line in rows.dropped)
    assert all(0 < row.usd_hour < float("inf") for row in rows.prices)
    assert rows.as_of <= TODAY


@pytest.mark.parametrize("feed", FEEDS, ids=lambda feed: feed.name)
@given(body=st.binary(max_size=200) | ANY_JSON.map(lambda found: json.dumps(found).encode()))
def test_noise_ends_in_one_line(feed: Feed, body: bytes) -> None:
    _in_one_line(feed, body, KNOWN)


@pytest.mark.parametrize("feed", FEEDS, ids=lambda feed: feed.name)
@given(data=st.data())
def test_a_feed_with_a_hole_ends_in_rows_or_one_line(feed: Feed, data: st.DataObject) -> None:
    """One value anywhere in the excerpt is another, or one span of its text is cut."""
    body = excerpts.ALL[next(end for end in excerpts.ALL if feed.url.endswith(end))]
    if not feed.url.endswith(".json") or data.draw(st.booleans()):
        begin = data.draw(st.integers(0, len(body)))
        end = data.draw(st.integers(begin, len(body)))
        _in_one_line(feed, body[:begin] + data.draw(st.binary(max_size=5)) + body[end:], KNOWN)
        return
    document = json.loads(body)
    parent: Any = document
    at: Any = None
    node, steps = document, data.draw(st.integers(1, 6))
    for _ in range(steps):
        at = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        if not isinstance(node[at], dict | list) or not node[at]:
            break
        parent, node = node, node[at]
    else:
        node, at = parent, at
    node[at] = data.draw(ANY_JSON)
    _in_one_line(feed, json.dumps(document).encode(), KNOWN)


@given(data=st.data())
def test_whatever_feeds_say_the_tables_stay_possible(data: st.DataObject) -> None:
    """Rows of any price, day and zone: the result contradicts nothing, and no row is there twice."""
    old = load(DATA)
    offered = data.draw(st.lists(st.sampled_from(old.offerings), min_size=1, max_size=4))
    zones = st.sampled_from(["", "aps1-az1", "aps1-az2", "aps1-az3", "asia-south1-a", "nowhere"])
    rows = [
        PriceRow(
            region=row.region,
            machine_type=row.machine_type,
            purchase="spot" if zone else data.draw(st.sampled_from(["spot", "on-demand"])),
            zone=zone,
            usd_hour=data.draw(st.floats(0.001, 200)),
            basis=data.draw(st.sampled_from(["observed", "lowest-zone"])),
            as_of=data.draw(st.dates(date(2026, 1, 1), date(2026, 12, 1))),
            source="a feed",
        )
        for row in offered
        for zone in data.draw(st.lists(zones, max_size=4))
    ]
    scores = [
        PlacementRow(
            region=row.region,
            machine_type=row.machine_type,
            zone=row.zone,
            score=3,
            as_of=row.as_of,
            source="a feed",
        )
        for row in rows
        if row.zone
    ]
    half = len(rows) // 2
    made, changes, _ = take.take(
        old, [FeedRows(TODAY, tuple(rows[:half]), tuple(scores)), FeedRows(TODAY, tuple(rows[half:]))]
    )
    assert list(impossible(made)) == []
    keys = [(row.region, row.machine_type, row.purchase, row.zone) for row in made.prices]
    assert len(keys) == len(set(keys))
    zoned = {key[:3] for key in keys if key[3]}
    assert not zoned & {key[:3] for key in keys if not key[3]}
    logins = [row for row in old.prices if row not in made.prices]
    told = {(row.region, row.machine_type, row.purchase) for row in rows}
    assert {(row.region, row.machine_type, row.purchase) for row in logins} <= told
    assert {change.kind for change in changes} <= {"new", "changed", "same", "kept", "gone"}
