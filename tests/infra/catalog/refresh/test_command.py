"""`make catalog` on copies of the shipped tables, with clouds that answer as told."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner, Result

from commands import catalog as command
from infra.catalog.refresh import aws, gcp
from infra.catalog.refresh.answers import Answer, NoCredentialsError, Unread
from infra.catalog.refresh.merge import Tables, load, merge, save
from infra.catalog.tables import MachineRow, OfferingRow, PriceRow, Row, write
from infra.settings.purchase import PricedPurchase
from tests.infra.catalog.refresh import feed_excerpts as excerpts

SEEN: dict[str, Any] = {"as_of": date(2026, 12, 1), "source": "a test"}
APP = typer.Typer()
APP.command()(command.catalog)

Refresh = Callable[..., Result]


@pytest.fixture(autouse=True)
def no_google_login(monkeypatch: pytest.MonkeyPatch) -> None:
    """Google Cloud is asked without a login, and what is printed is not wrapped."""

    def none() -> None:
        raise NoCredentialsError("set GOOGLE_APPLICATION_CREDENTIALS")

    monkeypatch.setattr(gcp, "services", none)
    monkeypatch.setattr(command, "console", Console(width=160, highlight=False))


@pytest.fixture
def refresh(tables_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Refresh:
    """`refresh(answers)` runs the command where AWS gives these answers."""

    def run(answers: list[Answer | Unread], clouds: str = "aws,gcp") -> Result:
        monkeypatch.setattr(aws, "session", lambda: None)
        monkeypatch.setattr(aws, "read", lambda *_: answers)
        return CliRunner().invoke(APP, ["--clouds", clouds])

    return run


def told_again(tables: Tables, region: str, without: str = "") -> Answer:
    """What the tables say of a region, but of one machine type, told today."""
    offered = [row for row in tables.offerings if row.region == region and row.machine_type != without]
    types = {row.machine_type for row in offered}
    prices = [row for row in tables.prices if row.region == region and row.machine_type in types]
    machines = [row for row in tables.machines if row.machine_type in types]
    return Answer(region, _seen(machines), _seen(offered), _seen(prices))


R = TypeVar("R", bound=Row)


def _seen(rows: Sequence[R]) -> tuple[R, ...]:
    return tuple(type(row).model_validate(row.model_dump() | SEEN) for row in rows)


def price(
    name: str, purchase: PricedPurchase, usd: float, region: str = "ap-south-1", zone: str = ""
) -> PriceRow:
    return PriceRow(
        region=region, machine_type=name, purchase=purchase, zone=zone, usd_hour=usd, basis="observed", **SEEN
    )


def with_prices(answer: Answer, *prices: PriceRow) -> Answer:
    return Answer(answer.region, answer.machines, answer.offerings, prices)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_no_login_and_no_feed_changes_nothing(tables_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = bytes_of(tables_folder)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tables_folder / "none"))
    result = CliRunner().invoke(APP, [])
    assert result.exit_code == 1
    said = str(result.exception)
    assert said.startswith(
        "Nothing was refreshed: aws has no credentials (set AWS_PROFILE, or AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY); gcp has no credentials (set GOOGLE_APPLICATION_CREDENTIALS); "
    )
    for host in (
        "d26bk4799jlxhe.cloudfront.net (SpotLake)",
        "raw.githubusercontent.com (SkyPilot catalogue)",
        "website.spot.ec2.aws.a2z.com (AWS spot price table)",
        "spot-bid-advisor.s3.amazonaws.com (AWS Spot Advisor)",
        "raw.githubusercontent.com (Karpenter's Google prices)",
        "www.ecb.europa.eu",
        "www.fbil.org.in",
    ):
        assert f"{host}: could not be reached" in said
    assert "\n" not in said
    assert bytes_of(tables_folder) == before


def test_what_became_of_the_rows_is_told(refresh: Refresh, tables_folder: Path) -> None:
    shipped = load(tables_folder)
    derived = price("g5.xlarge", "on-demand", 9.0).model_copy(update={"basis": "derived"})
    old = replace(
        shipped,
        prices=(
            *(
                row
                for row in shipped.prices
                if row.machine_type not in ("g5.xlarge", "g6.xlarge", "g7e.2xlarge")
            ),
            price("g6.xlarge", "on-demand", 0.8),
            derived,
        ),
    )
    save(old, tables_folder)
    mumbai = told_again(old, "ap-south-1", without="g4dn.metal")
    fresh = with_prices(mumbai, price("g6.xlarge", "on-demand", 1.0), price("g7e.2xlarge", "spot", 2.5))
    result = refresh([fresh, Unread("ap-south-2", "it is opt-in and not enabled in this account")])
    assert result.exit_code == 0, result.exception
    printed = " ".join(result.output.split())
    assert (
        "ap-south-2 was not read: it is opt-in and not enabled in this account: public feeds are read instead"
        in printed
    )
    assert (
        "gcp has no credentials (set GOOGLE_APPLICATION_CREDENTIALS): public feeds are read instead"
        in printed
    )
    assert "aws prices.csv: 1 new, 1 changed, 0 same" in printed
    assert "machines.csv g4dn.metal: gone" in printed
    assert "offerings.csv ap-south-1 g4dn.metal: gone" in printed
    assert "0.8 │ 1 │ +25.0% │ observed" in printed

    new = load(tables_folder)
    by_key = {(row.region, row.machine_type, row.purchase): row for row in new.prices}
    assert by_key["ap-south-1", "g6.xlarge", "on-demand"].usd_hour == 1.0
    assert by_key["ap-south-1", "g7e.2xlarge", "spot"].usd_hour == 2.5
    assert ("ap-south-1", "g4dn.metal", "spot") not in by_key
    assert by_key["ap-south-1", "g5.xlarge", "on-demand"] == derived  # not told
    for region in ("ap-south-2", "asia-south1", "asia-south2"):
        assert [row for row in new.prices if row.region == region] == [
            row for row in old.prices if row.region == region
        ]
        assert [row for row in new.offerings if row.region == region] == [
            row for row in old.offerings if row.region == region
        ]


def test_rows_that_are_told_again_only_get_their_day(refresh: Refresh, tables_folder: Path) -> None:
    old = load(tables_folder)
    result = refresh([told_again(old, "ap-south-1")])
    assert result.exit_code == 0, result.exception
    assert ", 0 changed," in result.output
    new = load(tables_folder)
    assert [row.model_dump(exclude={"as_of", "source"}) for row in new.prices] == [
        row.model_dump(exclude={"as_of", "source"}) for row in old.prices
    ]
    assert {row.as_of for row in new.offerings if row.region == "ap-south-1"} == {SEEN["as_of"]}


def test_a_machine_priced_anew_by_zone_keeps_no_other_price_of_that_way(tables_folder: Path) -> None:
    old = load(tables_folder)
    mumbai = told_again(old, "ap-south-1")
    fresh = [
        price("g6e.xlarge", "spot", 0.9, zone="aps1-az1"),
        price("p5.48xlarge", "spot", 20, zone="aps1-az3"),
    ]
    made, changes = merge(old, [with_prices(mumbai, *fresh)])
    for row in fresh:
        kept = [
            other
            for other in made.prices
            if (other.region, other.machine_type, other.purchase) == ("ap-south-1", row.machine_type, "spot")
        ]
        assert kept == [row]
    gone = {change.key for change in changes if change.kind == "gone" and change.table == "prices"}
    assert ("ap-south-1", "g6e.xlarge", "spot", "aps1-az3") in gone
    assert ("ap-south-1", "p5.48xlarge", "spot", "aps1-az1") in gone
    assert any(row.machine_type == "p5.48xlarge" and row.purchase == "on-demand" for row in made.prices)


def test_a_machine_whose_region_was_not_read_waits(tables_folder: Path) -> None:
    old = load(tables_folder)
    by_hand = MachineRow.model_validate(old.machines[0].model_dump() | {"machine_type": "p9.huge"})
    old = replace(old, machines=(*old.machines, by_hand))
    made, _ = merge(old, [told_again(old, "ap-south-1", without="g6e.xlarge")])
    assert by_hand in made.machines
    assert "g6e.xlarge" in {row.machine_type for row in made.machines}  # Hyderabad has it still


@pytest.mark.parametrize(
    ("prices", "says"),
    [
        (
            [price("p5.48xlarge", "spot", 70)],
            r"p5\.48xlarge in ap-south-1: spot 70 USD/h .* on-demand 66\.048",
        ),
        (
            [price("p6-b200.48xlarge", "spot", 7, zone="aps1-az1")],
            r"p6-b200\.48xlarge has a price in aps1-az1, and is not offered there: in ap-south-1 it is in aps1-az2",
        ),
        ([price("p9.huge", "spot", 70)], r"p9\.huge in ap-south-1 has a price and is not offered there"),
        ([price("p4d.24xlarge", "spot", 7, "ap-south-2")], r"p4d\.24xlarge in ap-south-2 has a price"),
    ],
)
def test_an_impossible_price_is_refused(
    refresh: Refresh, tables_folder: Path, prices: list[PriceRow], says: str
) -> None:
    before = bytes_of(tables_folder)
    result = refresh([with_prices(told_again(load(tables_folder), "ap-south-1"), *prices)])
    assert result.exit_code == 1
    with pytest.raises(Exception, match=f"nothing was written: {says}"):
        raise result.exception or AssertionError
    assert bytes_of(tables_folder) == before


@pytest.mark.parametrize(
    ("offering", "says"),
    [
        (("g6.xlarge", ("aps2-az1",)), r"g6\.xlarge in ap-south-1: aps2-az1 is no zone of that region"),
        (("p9.huge", ("aps1-az1",)), r"p9\.huge is offered in ap-south-1 and has no row in machines\.csv"),
    ],
)
def test_an_impossible_offering_is_refused(
    refresh: Refresh, tables_folder: Path, offering: tuple[str, tuple[str, ...]], says: str
) -> None:
    before = bytes_of(tables_folder)
    mumbai = told_again(load(tables_folder), "ap-south-1")
    row = OfferingRow(region="ap-south-1", machine_type=offering[0], zones=offering[1], **SEEN)
    result = refresh([Answer(mumbai.region, mumbai.machines, (*mumbai.offerings, row), mumbai.prices)])
    with pytest.raises(Exception, match=says):
        raise result.exception or AssertionError
    assert bytes_of(tables_folder) == before


def test_a_disk_that_is_full_leaves_the_old_tables(
    refresh: Refresh, tables_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = bytes_of(tables_folder)

    def full(path: Path, rows: list[Any]) -> None:
        if path.name == "prices.csv":
            raise OSError("No space left on device")
        write(path, rows)

    monkeypatch.setattr("infra.catalog.refresh.merge.write", full)
    result = refresh([told_again(load(tables_folder), "ap-south-1")])
    assert isinstance(result.exception, OSError)
    assert bytes_of(tables_folder) == before


def test_unread_regions_alone_change_nothing(refresh: Refresh, tables_folder: Path) -> None:
    before = bytes_of(tables_folder)
    result = refresh([Unread("ap-south-1", "the login may not ec2:DescribeInstanceTypes")], clouds="aws")
    assert str(result.exception).startswith(
        "Nothing was refreshed: ap-south-1 was not read: the login may not ec2:DescribeInstanceTypes; "
    )
    assert bytes_of(tables_folder) == before


def test_an_unknown_cloud_is_refused(refresh: Refresh) -> None:
    assert str(refresh([], clouds="aws,azure").exception) == "clouds azure: allowed is aws, gcp or aws,gcp"


def test_with_a_login_only_what_no_login_tells_is_read_from_feeds(
    refresh: Refresh, tables_folder: Path, public: dict[str, bytes]
) -> None:
    public.update(excerpts.ALL)
    public["latest_aws.json"] = public["latest_aws.json"].replace(b"2026-11-28", b"2026-10-01")
    old = load(tables_folder)
    answers = [told_again(old, region) for region in ("ap-south-1", "ap-south-2")]
    said = refresh(answers, clouds="aws").output
    assert "SpotLake" in said
    assert "Spot Advisor" in said
    assert "SkyPilot" not in said
    assert "AWS spot price table" not in said
    new = load(tables_folder)
    bands = {(row.region, row.machine_type): row.source for row in new.interruptions}
    assert bands["ap-south-1", "g6.48xlarge"] == "aws spot advisor"
    scores = {(row.machine_type, row.zone): row.source for row in new.placement}
    assert scores["g6f.4xlarge", "aps1-az3"] == "spotlake latest"
    # The login's are of today, SpotLake's older.
    assert {row.source for row in new.prices if row.region == "ap-south-1"} == {SEEN["source"]}


def test_a_zone_that_no_longer_offers_a_machine_takes_its_rows_along(
    refresh: Refresh, tables_folder: Path
) -> None:
    old = load(tables_folder)
    mumbai = told_again(old, "ap-south-1", without="g4dn.metal")
    offerings = tuple(
        OfferingRow.model_validate(row.model_dump() | {"zones": ("aps1-az3",)})
        if row.machine_type == "g5.xlarge"
        else row
        for row in mumbai.offerings
    )
    result = refresh([replace(mumbai, offerings=offerings, prices=())])
    assert result.exit_code == 0, result.exception
    new = load(tables_folder)
    zones = {row.zone for row in new.prices if row.machine_type == "g5.xlarge" and row.purchase == "spot"}
    assert zones == {"aps1-az3"}
    assert {row.zone for row in new.placement if row.machine_type == "g5.xlarge"} == {"aps1-az3"}
    metal = [row for row in (*new.interruptions, *new.placement) if row.machine_type == "g4dn.metal"]
    assert metal == []
