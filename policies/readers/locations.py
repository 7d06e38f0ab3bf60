"""What counts as a place in India, for AWS and Google Cloud: names of regions, zones and local zones, ARNs, paths.

A name that is not listed here is not in India: there is no "close enough". `AP-SOUTH-1`, `ap-south-1 ` and `IN` are
refused, since a cloud would refuse them too or read them as something else; Google alone writes its multi-purpose
`location` in capitals as well (`ASIA-SOUTH1`), so `gcp_location` takes both.

Source: AWS regions and zones page and the S3 access-point guide's list of opt-in regions; Google Cloud locations page;
read November 2026. Kept apart from `infra/geography.py` on purpose: the pack also judges other people's stacks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Cloud = Literal["aws", "gcp"]
Kind = Literal["region", "zone"]

AWS_REGIONS = {"ap-south-1": "Mumbai", "ap-south-2": "Hyderabad"}
GCP_REGIONS = {"asia-south1": "Mumbai", "asia-south2": "Delhi"}
# Two regions as one place. A bucket at IN may also name its two regions, and only then is it sure which they are.
# Key rings at `in` are in use (public code, read 2026-11-24); Google's tables of places could not be reached.
GCP_PAIRS = {"in": "Mumbai and Delhi"}
# A local zone stands in another city, and not always in its region's country: only these two are known to be in India.
AWS_LOCAL_ZONES = {"ap-south-1-ccu-1": "Kolkata", "ap-south-1-del-1": "Delhi"}
# Zone IDs name the same building in every account; zone letters do not.
AWS_ZONE_ID_PREFIXES = {
    "aps1": "ap-south-1",
    "aps2": "ap-south-2",
    "aps1-ccu1": "ap-south-1",
    "aps1-del1": "ap-south-1",
}

EXPECTED_AWS = "ap-south-1 (Mumbai) or ap-south-2 (Hyderabad)"
EXPECTED_GCP = "asia-south1 (Mumbai) or asia-south2 (Delhi)"
EXPECTED = {"aws": EXPECTED_AWS, "gcp": EXPECTED_GCP}

_AWS_ZONE = re.compile(r"(?P<parent>[a-z0-9-]+-\d)(?P<letter>[a-z])")
_AWS_ZONE_ID = re.compile(r"(?P<prefix>[a-z0-9-]+)-az\d{1,2}")
_GCP_ZONE = re.compile(r"(?P<region>[a-z]+-[a-z]+\d)-[a-z]")
_GCP_PATH = re.compile(r"(?:^|/)(?:locations|regions|zones)/(?P<place>[^/]+)(?:/|$)")
_SHAPE_OF_A_PLACE = re.compile(
    r"(af|ap|ca|cn|eu|eusc|il|me|mx|sa|us)(-[a-z]+)+-\d+([a-z]|-[a-z]+-\d+[a-z]?)?"  # AWS region, zone, local zone
    r"|[a-z]{3,5}\d(-[a-z]{3}\d)?-az\d+"  # AWS zone ID
    r"|(africa|asia|australia|europe|me|northamerica|southamerica|us)-[a-z]+\d+(-[a-z])?"  # Google Cloud
)


@dataclass(frozen=True)
class Place:
    """A region or zone in India."""

    cloud: Cloud
    kind: Kind
    region: str
    city: str


@dataclass(frozen=True)
class Arn:
    """The fields of an ARN; `region` is empty for global services and for S3, whose ARNs carry none."""

    partition: str
    service: str
    region: str
    account: str
    resource: str


def aws_place(name: str) -> Place | None:
    """The Indian place that AWS calls `name` (region, zone, zone ID, local zone), or None."""
    if name in AWS_REGIONS:
        return Place("aws", "region", name, AWS_REGIONS[name])
    if match := _AWS_ZONE_ID.fullmatch(name):
        region = AWS_ZONE_ID_PREFIXES.get(match["prefix"])
        return Place("aws", "zone", region, AWS_REGIONS[region]) if region else None
    if match := _AWS_ZONE.fullmatch(name):
        return _aws_zone(match["parent"])
    return None


def gcp_place(name: str) -> Place | None:
    """The Indian place that Google Cloud calls `name` (region, zone, or a path that ends in one), or None."""
    if match := _GCP_PATH.search(name):
        name = match["place"]
    if name in GCP_REGIONS:
        return Place("gcp", "region", name, GCP_REGIONS[name])
    match = _GCP_ZONE.fullmatch(name)
    if match and match["region"] in GCP_REGIONS:
        return Place("gcp", "zone", match["region"], GCP_REGIONS[match["region"]])
    return None


def gcp_location(name: str) -> Place | None:
    """As `gcp_place`, for the property `location`, which Google also writes in capitals."""
    return gcp_place(name.lower() if name.isupper() else name)


def gcp_key_place(name: str) -> Place | None:
    """As `gcp_place`, for key rings, which may also be in both Indian regions at once."""
    if name in GCP_PAIRS:
        return Place("gcp", "region", name, GCP_PAIRS[name])
    return gcp_place(name)


def place(name: str) -> Place | None:
    """The Indian place of either cloud that `name` stands for, or None."""
    return aws_place(name) or gcp_place(name)


def looks_like_a_place(text: str) -> bool:
    """Whether `text` has the shape of some cloud's region or zone, wherever it is and however it is cased or padded."""
    return _SHAPE_OF_A_PLACE.fullmatch(text.strip().lower()) is not None


def arn(text: str) -> Arn | None:
    """Read an ARN; None when `text` is not one. `arn:aws:iam::policy` (five fields) is not: AWS has no such ARN."""
    if not text.startswith("arn:"):
        return None
    fields = text.split(":", 5)
    if len(fields) < 6 or not fields[1] or not fields[2]:
        return None
    return Arn(*fields[1:])


def gcp_path_place(text: str) -> str | None:
    """The place inside a Google resource path (`projects/p/locations/asia-south1/keyRings/r`), or None without one."""
    match = _GCP_PATH.search(text)
    return match["place"] if match else None


def _aws_zone(parent: str) -> Place | None:
    if parent in AWS_REGIONS:
        return Place("aws", "zone", parent, AWS_REGIONS[parent])
    if parent in AWS_LOCAL_ZONES:
        return Place("aws", "zone", parent.rsplit("-", 2)[0], AWS_LOCAL_ZONES[parent])
    return None
