"""The reader of values: whatever wraps a place, it is read; what only looks like one is not."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from policies.framework.resources import Resource
from policies.readers.tables import table
from policies.readers.values.places import place, places_in, says_no_place
from policies.readers.values.reading import read

WORDS = {row["word"] for row in table("places.csv") if "." not in row["word"]}

ABROAD = st.sampled_from(
    ["us-east-1", "eu-west-3", "us-central1", "europe-west4-b", "eastus", "ap-southeast-2"]
)
AT_HOME = st.sampled_from(
    ["ap-south-1", "ap-south-2a", "asia-south1", "asia-south2-c", "centralindia", "aps1-az1"]
)
WRAPPERS: list[Callable[[str], str]] = [
    lambda text: json.dumps({"settings": [{"value": text}]}),
    lambda text: yaml.safe_dump({"exporters": {"store": {"config": text}}}) + "more: 1\n",
    lambda text: f"version = 1\n\n[sink]\nbody = {json.dumps(text)}\n",
    lambda text: base64.b64encode(text.encode()).decode(),
    lambda text: base64.b64encode(gzip.compress(text.encode())).decode(),
]
INNERMOST: list[Callable[[str], str]] = [
    lambda place: json.dumps({"region": place}),
    lambda place: f"sink:\n  region: {place}\n",
    lambda place: f"# where it goes\nexport STORE_REGION={place}\n",
    lambda place: f"export STORE_REGION={place}\nexport LOG_LEVEL=info\n",
    lambda place: f"update --quiet --region {place}",
    lambda place: f"#!/bin/sh\naws s3 sync /var/log s3://logs --region {place} --quiet\n",
    lambda place: f"[OUTPUT]\n    Name s3\n    region {place}\n",
]


def abroad(text: Any, type_: str = "kubernetes:core/v1:ConfigMap") -> list[str]:
    return [
        value.word
        for value in read(Resource(type_, "urn", {"data": {"file": text}})).values
        if value.is_abroad
    ]


@given(ABROAD, st.sampled_from(INNERMOST), st.lists(st.sampled_from(WRAPPERS), max_size=4))
def test_a_place_abroad_is_read_through_whatever_wraps_it(
    place: str, innermost: Callable[[str], str], wrappers: list[Callable[[str], str]]
) -> None:
    text = innermost(place)
    for wrap in wrappers:
        text = wrap(text)
    assert place in abroad(text)


@given(AT_HOME, st.sampled_from(INNERMOST), st.lists(st.sampled_from(WRAPPERS), max_size=4))
def test_an_indian_place_is_abroad_in_no_wrapping(
    place: str, innermost: Callable[[str], str], wrappers: list[Callable[[str], str]]
) -> None:
    text = innermost(place)
    for wrap in wrappers:
        text = wrap(text)
    assert abroad(text) == []


@given(st.text(max_size=400))
def test_any_text_is_read_without_breaking(text: str) -> None:
    for type_ in ("kubernetes:core/v1:Secret", "aws:lambda/function:Function"):
        assert isinstance(abroad(text, type_), list)


@pytest.mark.parametrize(
    "text",
    [
        "# region: us-east-1\nenabled: true\n",
        "replicas: 1\ndescription: it was once in us-east-1\n",
        '{"Statement": [{"Effect": "Deny", "Action": "*", "Resource": "arn:aws:sqs:us-east-1:111122223333:q"}]}',
        "matchExpressions:\n- key: region\n  operator: NotIn\n  values: [us-east-1]\n",
        '{"title": "d", "panels": [], "templating": {"list": [{"query": "us-east-1"}]}}',
        "SELECT * FROM orders WHERE region = 'EU'",
        "see https://docs.example.org/eu-west-1/guide for more\n",
        "We moved away from us-east-1 a long time ago, and nobody misses it.",
    ],
)
def test_words_that_send_nothing_anywhere(text: str) -> None:
    assert abroad(text) == []


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("postgres://u:p@db.eu-central-1.rds.example.net:5432/app", "db.eu-central-1.rds.example.net"),
        ("p:us-central1:orders", "p:us-central1:orders"),
        ("https://orders-abcdefghij-uc.a.run.app/x", "orders-abcdefghij-uc.a.run.app"),
        ("projects/p/locations/europe-west4/queues/q", "projects/p/locations/europe-west4/queues/q"),
        ("arn:aws:sqs:us-gov-west-1:111122223333:q", "arn:aws:sqs:us-gov-west-1:111122223333:q"),
        ("US_EAST_1", "US_EAST_1"),
        ("s3://logs/x?region=us-west-2", "us-west-2"),
    ],
)
def test_places_inside_longer_words(text: str, word: str) -> None:
    assert word in abroad(text)


def test_mail_goes_to_people() -> None:
    mail = {"emailAddresses": ["ops@shop.de"], "endpoint": "ops@shop.de", "url": "https://api.shop.de/v1"}
    found = read(Resource("aws:never/seen:Before", "urn", mail)).values
    assert {value.word for value in found if value.is_abroad} == {"api.shop.de"}


def test_aliases_that_stand_for_billions_are_not_written_out() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    assert abroad("\n".join([*lines, "region: us-east-1"])) == ["us-east-1"]


def test_what_is_beyond_the_bounds_is_said_to_be_unread() -> None:
    assert read(Resource("aws:never/seen:Before", "urn", {"a": ["x"] * 20_000})).unread == ()
    many = "".join(f"K{n}=v{n}\n" for n in range(150_000))
    assert read(Resource("aws:never/seen:Before", "urn", {"a": many, "b": "us-east-1"})).unread


@given(
    st.one_of(st.text("abeinorstuw129-_", max_size=15), st.sampled_from(sorted(WORDS))),
    st.sampled_from(["", "x-", "x"]),
)
def test_a_word_that_says_no_place_is_none_and_has_none_in_it(word: str, before: str) -> None:
    """The one quick look never says less than the two that it spares."""
    text = before + word
    if says_no_place(text):
        assert place(text, "region") is None
        assert places_in(text) == []


@pytest.mark.parametrize("key", ["region", "bucket", "zone", "storageAccount", "datasetId", "anything"])
def test_short_words_in_secrets_are_decoded(key: str) -> None:
    packed = {"data": {key: base64.b64encode(b"eu-west-1").decode()}}
    found = read(Resource("kubernetes:core/v1:Secret", "urn", packed)).values
    assert [value.word for value in found if value.is_abroad] == ["eu-west-1"]
