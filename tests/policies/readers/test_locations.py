"""The parser of places: what it takes, what it refuses, and that no text breaks it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.readers import locations

INDIAN = [
    "ap-south-1",
    "ap-south-2",
    "ap-south-1a",
    "aps1-az1",
    "ap-south-1-del-1a",
    "asia-south1",
    "asia-south2-c",
]
NEAR_MISSES = [
    *(
        "ap-southeast-1",
        "asia-southeast1",
        "ASIA",
        "asia",
        "ASIA1",
        "AP-SOUTH-1",
        "IN",
        "in",
        "",
        " ",
        "India",
        "Mumbai",
    ),
    *(
        "ap-south",
        "ap-south-",
        "ap-south-11",
        "ap-south-1\n",
        "ap-south-1aa",
        "ap-south-1-bkk-1a",
        "ap-south-1-del-1",
    ),
    *(
        "aps1",
        "aps1-az",
        "aps1-az123",
        "apse1-az1",
        "aps11-az1",
        "asia-south",
        "asia-south1-",
        "asia-south1-ab",
    ),
    *("asia-south10", "xasia-south1", "asia-south3", "global", "dual-region-india1", "arn:aws:s3:::lake"),
]
text = st.text(st.sampled_from("apsouthein1234-az:/ ABIN\n\u00a0\u0661"), max_size=24) | st.text(max_size=40)


@pytest.mark.parametrize("name", INDIAN)
def test_indian(name: str) -> None:
    found = locations.place(name)
    assert found
    assert found.region in locations.AWS_REGIONS | locations.GCP_REGIONS


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_near_misses(name: str) -> None:
    assert locations.place(name) is None


@given(text)
def test_what_is_taken_starts_with_a_listed_name(name: str) -> None:
    listed = (*locations.AWS_REGIONS, *locations.GCP_REGIONS, *locations.AWS_ZONE_ID_PREFIXES)
    if locations.place(name):
        assert name.startswith(listed) or any(f"s/{place}" in name for place in locations.GCP_REGIONS)


@given(st.sampled_from(INDIAN), text)
def test_padding_is_never_forgiven(name: str, padding: str) -> None:
    for padded in (padding + name, name + padding):
        if padded != name and (found := locations.aws_place(padded)):
            assert padded in INDIAN or found.kind == "zone"


@given(text)
def test_nothing_breaks_it(name: str) -> None:
    assert locations.gcp_location(name) is None or name.strip() != ""
    assert locations.looks_like_a_place(name) or not locations.aws_place(name)
    assert locations.arn(name) is None or name.startswith("arn:")
    place = locations.gcp_path_place(name)
    assert place is None or place in name


@given(st.sampled_from(INDIAN).filter(lambda name: name[0] == "a"))
def test_every_listed_place_looks_like_one(name: str) -> None:
    assert locations.looks_like_a_place(name)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "us-east-1",
            "eu-west-3b",
            "us-west-2-lax-1a",
            "use1-az1",
            "us-gov-west-1",
            "cn-north-1",
            "mx-central-1",
        ),
        *("us-central1", "europe-west4-a", "AP-SOUTHEAST-1 "),
    ],
)
def test_foreign_places_look_like_places(name: str) -> None:
    assert locations.looks_like_a_place(name)


@pytest.mark.parametrize(
    "name", ["s3://bucket/path", "Z0123456789", "example.com", "/data", "Asia/Kolkata", "default"]
)
def test_paths_and_zones_of_other_kinds_do_not(name: str) -> None:
    assert not locations.looks_like_a_place(name)


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("arn:aws:kms:ap-south-1:000000000000:key/k", "ap-south-1"),
        ("arn:aws:s3:::lake/prefix:with:colons", ""),
        ("arn:aws-cn:kms:cn-north-1:000000000000:key/k", "cn-north-1"),
        ("arn:aws:kms:*:000000000000:key/k", "*"),
        ("arn:aws:iam::policy", None),
        ("arn:::::", None),
        ("lake-alias-s3alias", None),
        ("", None),
    ],
)
def test_arns(text: str, region: str | None) -> None:
    found = locations.arn(text)
    assert (found.region if found else None) == region
