"""The schema of policy configs is what the controls say, and refuses what the engine takes without a word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from policies.configuration import profiles
from policies.configuration.schema import FILE, schema
from policies.pack import run

PROJECT = Path(__file__).parents[3]
SCHEMA: dict[str, Any] = json.loads(FILE.read_text())
RES_01 = "dpdp-res-01-resource-location-in-india"
ACC_01 = "dpdp-acc-01-no-public-object-storage"
ENC_01 = "dpdp-enc-01-storage-under-a-customer-key"


def problems(config: Any) -> list[str]:
    return [error.message for error in Draft202012Validator(SCHEMA).iter_errors(config)]


def test_the_file_is_that_of_the_controls() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert schema() == SCHEMA, "python -m policies.cli generate"


def test_every_policy_has_its_page_and_its_level() -> None:
    named = dict(SCHEMA["properties"])
    del named["all"]
    policies = {policy.name: policy for policy in run().policies}
    assert named.keys() == policies.keys()
    assert {f"{ENC_01}-stack", "dpdp-unresolved-values", "dpdp-exempt-findings"} <= named.keys()
    for name, one in named.items():
        title, _, page = one["description"].rpartition(". ")
        assert title == policies[name].description
        assert (PROJECT / page).is_file()
        assert not problems({name: one["default"]})


@pytest.mark.parametrize("file", sorted(profiles.FOLDER.glob("*.json")), ids=lambda file: file.stem)
def test_a_profile_is_a_config(file: Path) -> None:
    assert problems(json.loads(file.read_text())) == []


@pytest.mark.parametrize(
    "right",
    [
        {},
        {"all": "advisory", RES_01: "mandatory"},
        {ACC_01: "remediate"},
        {
            "dpdp-enc-05-keys-rotate-and-are-protected": {
                "enforcementLevel": "remediate",
                "gcpRotationDays": 30,
            }
        },
        {ENC_01: {"customerKey": False}},
        {f"{ENC_01}-stack": {"enforcementLevel": "disabled", "inForceFrom": "2026-11-13"}},
        {"dpdp-unresolved-values": "advisory", "dpdp-exempt-findings": "disabled"},
    ],
)
def test_what_is_right_passes(right: dict[str, Any]) -> None:
    assert problems(right) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {RES_01: "mandatery"},
        {RES_01: "remediate"},  # the engine's own, but it has nothing to fill in
        {"all": "remediate"},
        {f"{ACC_01}-stack": "remediate"},
        {RES_01: {"enforcementLevel": "off"}},
        {"dpdp-res-01": "advisory"},
        {"$schema": "policy-config.schema.json"},  # the engine would read a level
        {RES_01: {"customerKey": False}},
        {ENC_01: {"customerKey": "no"}},
        {ENC_01: {"customerkey": False}},
        {"dpdp-log-03-logs-kept-for-a-year": {"minimumDays": 90}},
        {"all": {"customerKey": False}},
        {RES_01: True},
        [],
    ],
)
def test_what_is_wrong_is_refused(wrong: Any) -> None:
    assert problems(wrong)
