"""Profiles are configurations that the pack takes, and change what the table says they change."""

from __future__ import annotations

import json

import pytest
from pulumi.runtime.proto import analyzer_pb2 as proto

from policies import pack
from policies.configuration import profiles
from policies.configuration.profiles import PROFILES, UnknownProfileError, file_of
from policies.configuration.written import config
from tests.policies.harness import Shown, run

ABROAD = Shown("aws:sqs/queue:Queue", {"region": "us-east-1", "tags": {"dpdp:data-class": "internal"}})


def test_the_files_are_those_of_the_table() -> None:
    written = {file.stem: json.loads(file.read_text()) for file in profiles.FOLDER.glob("*.json")}
    assert written == {name: config(one) for name, one in PROFILES.items()}, "python -m policies.cli generate"


@pytest.mark.parametrize("name", PROFILES)
def test_every_name_in_it_is_a_policys(name: str) -> None:
    assert config(PROFILES[name]).keys() <= {policy.name for policy in pack.run().policies}


@pytest.mark.parametrize(
    ("name", "level"), [("default", "MANDATORY"), ("dpdp-only", "ADVISORY"), ("sebi-re", "MANDATORY")]
)
def test_where_data_is_is_advice_where_no_regulator_asks(name: str, level: str) -> None:
    given = {
        policy: {**settings, "enforcementLevel": settings["enforcementLevel"].upper()}
        for policy, settings in config(PROFILES[name]).items()
        if "enforcementLevel" in settings
    }
    (found,) = [one for one in run(ABROAD, config=given) if "[DPDP-RES-01]" in one.message]
    assert proto.EnforcementLevel.Name(found.enforcementLevel) == level


def test_an_unknown_profile_is_told_with_the_nearest() -> None:
    with pytest.raises(UnknownProfileError, match=r"there is no profile sebi: .*; the nearest is sebi-re"):
        file_of("sebi")
