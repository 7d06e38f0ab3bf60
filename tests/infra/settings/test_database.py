"""What a stack may say of the databases of its workloads."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from infra.settings.database import AwsDatabase, GoogleDatabase


def refusal(model: type[AwsDatabase | GoogleDatabase], **given_: Any) -> str:
    with pytest.raises(ValidationError) as refused:
        model.model_validate(given_)
    (error,) = refused.value.errors()
    return f"{error['loc'][-1]}: {error['msg']} {error.get('ctx')}"


@pytest.mark.parametrize(
    ("model", "given_", "words"),
    [
        (AwsDatabase, {"machine": "t4g.small"}, "db.t4g.small"),
        (GoogleDatabase, {"machine": "custom-1-3840"}, "'near': 'db-custom-1-3840'"),
        (GoogleDatabase, {"machine": "db-f1-micro"}, "db-custom-<vCPUs>-<MiB>"),
        (AwsDatabase, {"version": "14"}, "'15', '16' or '17'"),
        (AwsDatabase, {"backupDays": 6}, "greater than or equal to 7"),
        (AwsDatabase, {"storageGib": 10}, "greater than or equal to 20"),
        (AwsDatabase, {"storageGib": 200}, "'near': '220'"),
    ],
)
def test_a_wrong_setting_is_told_what_is_allowed(model: Any, given_: dict[str, Any], words: str) -> None:
    assert words in refusal(model, **given_)


@given(first=st.integers(20, 5000), most=st.integers(20, 6000))
def test_a_disk_grows_to_what_rds_takes_or_not_at_all(first: int, most: int) -> None:
    try:
        AwsDatabase(storage_gib=first, max_storage_gib=most)
    except ValidationError:
        assert most != first
        assert most < first * 1.1
    else:
        assert most == first or most >= first * 1.1
