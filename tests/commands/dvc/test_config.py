"""The `.dvc/config` of a repository: the region is pinned, and nobody's own file is written over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from commands.dvc.config import DvcError, sections, text, write
from commands.stacks import settings_of

KEY = "arn:aws:kms:ap-south-1:111122223333:key/k"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / ".dvc").mkdir()
    # What `dvc init` leaves.
    (tmp_path / ".dvc" / "config").write_text("")
    return tmp_path


def wanted(place: str = "aws", bucket: str = "s3://lake-curated-1", key: str | None = None) -> Any:
    return sections(settings_of("prod"), place, bucket, key)


def test_on_aws_the_region_has_its_own_endpoint_and_the_key_is_never_half_named() -> None:
    assert (
        text(wanted())
        == """[core]
    remote = lake
    analytics = false
    check_update = false
['remote "lake"']
    url = s3://lake-curated-1/dvc
    endpointurl = https://s3.ap-south-1.amazonaws.com
    region = ap-south-1
"""
    )
    assert text(wanted(key=KEY)).endswith(f"    sse = aws:kms\n    sse_kms_key_id = {KEY}\n")


def test_on_google_it_is_the_bucket_alone() -> None:
    assert list(wanted("gcp", "gs://curated-1").values())[1] == {"url": "gs://curated-1/dvc"}


def test_a_second_run_changes_nothing_and_what_a_team_added_stays(repository: Path) -> None:
    assert write(repository, wanted())
    file = repository / ".dvc" / "config"
    own = file.read_text() + "[cache]\n    type = reflink\n"
    file.write_text(own)
    assert not write(repository, wanted())
    assert file.read_text() == own


@pytest.mark.parametrize(
    ("there", "message"),
    [
        ("[core]\n    remote = old\n['remote \"old\"']\n    url = s3://old\n", "remote of [core] is old, and not lake"),
        (
            text(wanted(bucket="s3://lake-curated-2")),
            "is s3://lake-curated-2/dvc, and not s3://lake-curated-1/dvc. Nothing was changed",
        ),
        ("[core]\n    remote = lake\n", "region of ['remote \"lake\"'] is not there, and not ap-south-1"),
        ("remote = lake\n", "is no config of DVC: "),
    ],
)  # fmt: skip
def test_another_config_is_named_and_kept(repository: Path, there: str, message: str) -> None:
    (file := repository / ".dvc" / "config").write_text(there)
    with pytest.raises(DvcError) as refused:
        write(repository, wanted())
    assert message in str(refused.value)
    assert file.read_text() == there


def test_a_repository_without_dvc_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DvcError, match="run `dvc init` there first"):
        write(tmp_path, wanted())
    assert list(tmp_path.iterdir()) == []
