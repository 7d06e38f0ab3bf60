"""Owners of data and providers that nobody judges: GOV-02, GOV-05."""

from __future__ import annotations

from tests.policies.controls.personal_data import (
    is_asked_only_of_personal_data,
    told,
)
from tests.policies.harness import Shown


def test_somebody_elses_cloud_is_named() -> None:
    foreign = Shown("pulumi:providers:snowflake", {}, "default")
    ours = [
        Shown(f"pulumi:providers:{name}", {"region": "ap-south-1"}, name)
        for name in ("aws", "kubernetes", "random")
    ]
    (message,) = told("DPDP-GOV-05", foreign, *ours)
    assert "snowflake" in message
    known = {"dpdp-gov-05-every-provider-is-judged-or-known": {"known": ["snowflake"]}}
    assert not told("DPDP-GOV-05", foreign, config=known)


def test_owner_purpose_and_retention_are_asked_only_of_personal_data() -> None:
    is_asked_only_of_personal_data("DPDP-GOV-02", Shown("aws:sqs/queue:Queue", {}))
