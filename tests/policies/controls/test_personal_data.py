"""What a store of personal data needs of its account: logs, retention, backups, somebody who hears."""

from __future__ import annotations

import pytest

from tests.policies.controls.personal_data import (
    BUCKET,
    GCS,
    is_asked_only_of_personal_data,
    told,
    trail,
)
from tests.policies.harness import Shown


@pytest.mark.parametrize(
    "control", ["DPDP-LOG-01", "DPDP-LOG-02", "DPDP-RET-01", "DPDP-BCK-01", "DPDP-BRE-01", "DPDP-BRE-02"]
)
def test_a_bucket_alone_lacks_everything_if_its_data_may_be_personal(control: str) -> None:
    is_asked_only_of_personal_data(control, BUCKET)


@pytest.mark.parametrize("control", ["DPDP-LOG-02", "DPDP-BRE-02"])
def test_a_google_bucket_likewise(control: str) -> None:
    is_asked_only_of_personal_data(control, GCS, ("labels", "dpdp-data-class"))


@pytest.mark.parametrize(
    ("control", "answer"),
    [
        ("DPDP-LOG-01", trail()),
        ("DPDP-LOG-01", Shown("aws:cloudtrail/eventDataStore:EventDataStore", {})),
        ("DPDP-BRE-01", Shown("aws:guardduty/detector:Detector", {})),
    ],
)
def test_one_in_the_account_is_enough(control: str, answer: Shown) -> None:
    assert told(control, BUCKET)
    assert not told(control, BUCKET, answer)
    assert not told(control, GCS)  # of the other cloud


@pytest.mark.parametrize(
    "policy",
    [
        "dpdp-log-01-audit-trail-on-and-validated-stack",
        "dpdp-bre-01-detection-is-on-stack",
        "dpdp-bre-02-alerts-reach-a-person",
    ],
)
def test_or_it_is_said_where_else_it_is(policy: str) -> None:
    control = policy[:11].upper()
    assert not told(control, BUCKET, config={policy: {"elsewhere": "stack security"}})
    assert told(control, BUCKET, config={policy: {"elsewhere": " "}})
