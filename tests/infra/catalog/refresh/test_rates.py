"""The rate of the dollar: the ECB's cross, FBIL behind it, and noise that ends in one line."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.catalog.exchange_rate import RateRow
from infra.catalog.refresh.answers import FeedError
from infra.catalog.refresh.rates import parse_ecb, parse_fbil, read_rate
from tests.infra.catalog.refresh import feed_excerpts as excerpts

TODAY = date(2026, 12, 1)
OLD = RateRow(usd_inr=94.9552, as_of=date(2026, 10, 30), source="a test")
FBIL = json.dumps(excerpts.FBIL).encode()
ECB = excerpts.ECB.encode()


def read(ecb: bytes | None, fbil: bytes | None, known: RateRow = OLD) -> tuple[RateRow | None, list[str]]:
    asked: list[str] = []

    def download(url: str, most_bytes: int) -> bytes:
        asked.append(url)
        body = ecb if "ecb.europa.eu" in url else fbil
        if body is None:
            raise FeedError("answered 503")
        return body

    found = read_rate(known, TODAY, download)
    for url in asked[1:]:
        assert "fromDate=2026-11-10&toDate=2026-12-01" in url
    return found


def test_the_ecbs_cross_comes_first() -> None:
    rate, lines = read(ECB, FBIL)
    assert lines == []
    assert rate == RateRow(
        usd_inr=95.2691,
        as_of=date(2026, 11, 30),
        source="European Central Bank, euro reference rates: INR 106.0345 over USD 1.1130",
    )


@pytest.mark.parametrize("ecb", [None, b"", ECB.replace(b"2026-11-30", b"2026-10-29")])
def test_fbil_is_behind_it(ecb: bytes | None) -> None:
    rate, (line,) = read(ecb, FBIL)
    assert rate
    assert (rate.usd_inr, rate.as_of) == (95.2, date(2026, 11, 24))
    assert "FBIL" in rate.source
    assert line.startswith("www.ecb.europa.eu: ")


@pytest.mark.parametrize(
    ("ecb", "says"),
    [
        (ECB.replace(b"106.0345", b"1060.345"), "its rate of 952.69 is +903% off that of 2026-10-30"),
        (ECB.replace(b"2026-11-30", b"2026-12-02"), "its rate is of 2026-12-02, which is to come"),
        (ECB.replace(b"2026-11-30", b"2026-10-01"), "older than the one that is there"),
        (ECB.replace(b"1.1130", b"0"), "names no day with rates"),
        (ECB.replace(b"1.1130", b"NaN"), "names no day with rates"),
        (ECB.replace(b"'INR'", b"'INX'"), "names no day with rates"),
        (ECB.replace(b" time='2026-11-30'", b""), "names no day with rates"),
        (ECB.replace(b"<gesmes:Env", b'<!DOCTYPE x [<!ENTITY a "aa">]><gesmes:Env'), "a document type"),
        (ECB.decode().replace("UTF-8", "UTF-16").encode("utf-16"), "is no XML"),
    ],
)
def test_no_good_rate_keeps_the_old(ecb: bytes, says: str) -> None:
    rate, lines = read(ecb, b"[]")
    assert rate is None
    assert says in lines[0]
    assert lines[1] == "www.fbil.org.in: has no fixing of INR / 1 USD"


XML = st.lists(
    st.tuples(
        st.sampled_from(["time", "currency", "rate", "x"]),
        st.sampled_from(
            ["2026-11-30", "INR", "USD", "1.1", "-1", "inf", "1e-320", "1e308", "0", "today", ""]
        ),
    ),
    max_size=8,
).map(
    lambda pairs: "".join(
        ["<Cube xmlns='http://www.ecb.int/vocabulary/2002-08-01/eurofxref'>"]
        + [
            f"<Cube {name}='{value}' {'rate' if name == 'currency' else 'y'}='{1.5}'/>"
            for name, value in pairs
        ]
        + ["</Cube>"]
    ).encode()
)


@given(body=st.binary(max_size=300) | XML | st.integers(0, len(ECB)).map(lambda end: ECB[:end]))
def test_noise_for_the_ecb_ends_in_one_line(body: bytes) -> None:
    try:
        rate = parse_ecb(body)
    except FeedError as error:
        assert "\n" not in str(error)
    else:
        assert rate.usd_inr > 0


FIXING = st.fixed_dictionaries(
    {
        "processRunDate": st.text(max_size=20) | st.dates().map(str) | st.integers(),
        "subProdName": st.just("INR / 1 USD"),
        "rate": st.floats() | st.text(max_size=5) | st.none(),
    }
)


@given(
    body=st.binary(max_size=200) | st.lists(FIXING, max_size=3).map(lambda found: json.dumps(found).encode())
)
def test_noise_for_fbil_ends_in_one_line(body: bytes) -> None:
    try:
        rate = parse_fbil(body)
    except FeedError as error:
        assert "\n" not in str(error)
    else:
        assert 0 < rate.usd_inr < float("inf")


@given(inr=st.floats(1, 1000), usd=st.floats(0.01, 100), back=st.integers(0, 3000))
def test_the_cross_is_the_quotient_on_its_day(inr: float, usd: float, back: int) -> None:
    day = TODAY - timedelta(days=back)
    body = ECB.replace(b"106.0345", repr(inr).encode()).replace(b"1.1130", repr(usd).encode())
    rate = parse_ecb(body.replace(b"2026-11-30", str(day).encode()))
    assert rate.usd_inr == pytest.approx(inr / usd, abs=1e-4)
    assert rate.as_of == day
