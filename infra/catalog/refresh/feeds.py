"""Public feeds that need no login: where each is, what it covers, how it is parsed, and whether it still moves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from urllib.parse import urlparse

from infra.catalog.refresh import karpenter_gcp, skypilot, spot_advisor, spot_table, spotlake
from infra.catalog.refresh.answers import FeedError, FeedRow, FeedRows, Known
from infra.geography import Cloud

MIB = 2**20
Download = Callable[[str, int], bytes]


@dataclass(frozen=True)
class Feed:
    """One address. `moves_days`: the content is new at least so often, or it may have stopped.

    `beside_login`: it tells what no login is asked for, so that it is read with one too.
    """

    name: str
    cloud: Cloud
    url: str
    covers: str
    parse: Callable[[bytes, Known, date], FeedRows]
    moves_days: int
    most_bytes: int
    beside_login: bool = False

    @property
    def label(self) -> str:
        """Its address's host, and its name."""
        return f"{urlparse(self.url).hostname} ({self.name})"


# Of two rows of the same day the earlier feed's counts. Licences: docs/catalog.md.
FEEDS = (
    Feed(
        "SpotLake",
        "aws",
        "https://d26bk4799jlxhe.cloudfront.net/latest_data/latest_aws.json",
        "spot by zone, on demand and placement scores in Mumbai",
        spotlake.parse,
        2,
        64 * MIB,
        beside_login=True,
    ),
    Feed(
        "SkyPilot catalogue",
        "aws",
        "https://raw.githubusercontent.com/skypilot-org/skypilot-catalog/master/catalogs/v9/aws/vms.csv",
        "spot by zone and on demand in Mumbai",
        skypilot.parse,
        2,
        32 * MIB,
    ),
    Feed(
        "AWS spot price table",
        "aws",
        "https://website.spot.ec2.aws.a2z.com/spot.json",
        "spot of the lowest zone in Mumbai and Hyderabad",
        spot_table.parse,
        2,
        32 * MIB,
    ),
    Feed(
        "AWS Spot Advisor",
        "aws",
        "https://spot-bid-advisor.s3.amazonaws.com/spot-advisor-data.json",
        "interruption bands in Mumbai and Hyderabad",
        spot_advisor.parse,
        14,
        16 * MIB,
        beside_login=True,
    ),
    Feed(
        "Karpenter's Google prices",
        "gcp",
        "https://raw.githubusercontent.com/cloudpilot-ai/karpenter-provider-gcp/main/pkg/providers/pricing/"
        "initial-prices.json",
        "spot and on demand in Mumbai and Delhi",
        karpenter_gcp.parse,
        60,
        16 * MIB,
    ),
)


@dataclass(frozen=True)
class Reading:
    """What became of one feed: its rows and its new digest, or why there are none."""

    feed: Feed
    rows: FeedRows | None
    digest: FeedRow | None
    why: str = ""
    first: bool = True


def read_feed(
    feed: Feed, known: Known, digests: Iterable[FeedRow], today: date, download: Download
) -> Reading:
    """One feed. Where it sent the same as last time, its rows keep the day on which that was first read."""
    before = next((row for row in digests if row.feed == feed.name), None)
    try:
        body = download(feed.url, feed.most_bytes)
        digest = sha256(body).hexdigest()
        same = before is not None and before.sha256 == digest
        day = before.as_of if before and same else today
        rows = feed.parse(body, known, day)
    except FeedError as error:
        return Reading(feed, None, None, str(error))
    return Reading(
        feed, rows, FeedRow(feed=feed.name, sha256=digest, as_of=day, source=feed.url), first=not same
    )


def age(reading: Reading, today: date) -> str:
    """How old a feed is, and by whose word."""
    if reading.rows is None or reading.digest is None:
        return reading.why
    own = reading.rows.as_of
    if own != reading.digest.as_of:
        age_of = f"of {own} by its own time, {(today - own).days} days old"
        still = (today - own).days > reading.feed.moves_days
    elif reading.first:
        return f"of {own}; new since it was last read, or read for the first time"
    else:
        age_of = f"unchanged since {own}, {(today - own).days} days ago"
        still = (today - own).days > reading.feed.moves_days
    doubt = f"; it should be new within {reading.feed.moves_days} days: it may stand still" if still else ""
    return age_of + doubt


def renewed(digests: Sequence[FeedRow], readings: Iterable[Reading]) -> tuple[FeedRow, ...]:
    """The digests, with those of the feeds that were read now."""
    fresh = {reading.digest.feed: reading.digest for reading in readings if reading.digest}
    kept = {row.feed: row for row in digests}
    return tuple((kept | fresh).values())
