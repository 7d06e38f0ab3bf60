"""Where a bucket is: versions for phones are published in India alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from workloads.training.trainer.recipe import RecipeError

IN_INDIA: list[str] = yaml.safe_load(Path(__file__).with_name("places.yaml").read_text())
# Where S3 is not Amazon's, but a server of your own.
_OWN_SERVER = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


def check(target: str, store: Any, root: str) -> None:
    """RecipeError if the bucket of a target is abroad, or if nobody could tell where it is.

    A disk is where its machine is, and a server of your own that names no place is where you put it.
    """
    scheme, bucket = target.partition("://")[0], root.partition("/")[0]
    if scheme not in ("s3", "gs"):
        return
    place = _of_s3(store, bucket) if scheme == "s3" else store.info(bucket).get("location")
    if place is None:
        raise RecipeError(
            f"target {target}: the store does not tell where {bucket} is; let the publisher's identity see the bucket "
            "(storage.buckets.get)"
        )
    if place and place.lower() not in IN_INDIA:
        raise RecipeError(f"target {target} is in {place}: publish in India, in {', '.join(IN_INDIA)}")


def _of_s3(store: Any, bucket: str) -> str:
    """Amazon names every region but its first, which is abroad. Empty for a server of your own that names none."""
    place = store.call_s3("get_bucket_location", Bucket=bucket).get("LocationConstraint")
    return place or ("" if any(map(os.environ.get, _OWN_SERVER)) else "Amazon's first region")
