"""The names of a stack's buckets, from the file that Pulumi printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands.buckets import BucketsError, addresses


def test_names_become_addresses(tmp_path: Path) -> None:
    (file := tmp_path / "buckets.json").write_text('{"curated": "lake-curated-1a2b3c"}')
    assert addresses(file, "gs") == {"curated": "gs://lake-curated-1a2b3c"}


@pytest.mark.parametrize("text", ["", "[]", '{"models": 3}', '{"models": "s3://x"}', "{"])
def test_a_file_that_names_no_buckets_is_refused(tmp_path: Path, text: str) -> None:
    (file := tmp_path / "buckets.json").write_text(text)
    with pytest.raises(BucketsError, match="needed is what `pulumi stack output buckets --json` prints"):
        addresses(file, "s3")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BucketsError, match="No such file"):
        addresses(tmp_path / "none.json", "s3")
