"""`make dvc`: which lake, and that its bucket is in India."""

from __future__ import annotations

import json
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from commands.__main__ import main

pytestmark = pytest.mark.slow
ABROAD, HERE = "lake-curated-abroad", "lake-curated-here"


def run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str, bucket: str = HERE
) -> tuple[int, str]:
    (tmp_path / "repo" / ".dvc").mkdir(parents=True, exist_ok=True)
    (tmp_path / "buckets.json").write_text(json.dumps({"curated": bucket}))
    code = 0
    with mock_aws():
        for name, region in ((HERE, "ap-south-1"), (ABROAD, "eu-west-1")):
            where = {"LocationConstraint": region}
            boto3.client("s3", region_name=region).create_bucket(Bucket=name, CreateBucketConfiguration=where)
        try:
            main(
                ["dvc", "--buckets", f"{tmp_path}/buckets.json", "--repo", f"{tmp_path}/repo", *words.split()]
            )
        except SystemExit as ended:
            code = int(ended.code or 0)
    return code, " ".join(capsys.readouterr().out.split())


def test_the_config_is_written_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, capsys, "--stack local")[0] == 0
    file = tmp_path / "repo" / ".dvc" / "config"
    assert f"url = s3://{HERE}/dvc" in file.read_text()
    code, printed = run(tmp_path, capsys, "--stack local")
    assert code == 0
    assert "said all that already" in printed


@pytest.mark.parametrize(
    ("words", "bucket", "message"),
    [
        ("--stack local", ABROAD, f"the bucket {ABROAD} is in eu-west-1, and the stack's data stay in ap-south-1"),
        ("--stack local", "lake-curated-none", "S3 does not say where the bucket lake-curated-none is"),
        ("--stack prod", HERE, "PLACE=: this stack has lakes at aws, gcp: give one of them"),
        ("--stack local --place gcp", HERE, "PLACE=gcp: this stack has lakes at aws"),
        ("--stack local --key alias/lake", HERE, "KEY=alias/lake: give the ARN of a KMS key in India"),
        ("--stack local --key arn:aws:kms:us-east-1:1:key/k", HERE, "give the ARN of a KMS key in India"),
    ],
)  # fmt: skip
def test_what_is_not_in_india_or_not_clear_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str, bucket: str, message: str
) -> None:
    code, printed = run(tmp_path, capsys, words, bucket)
    assert code == 1
    assert message in printed
    assert not (tmp_path / "repo" / ".dvc" / "config").exists()
