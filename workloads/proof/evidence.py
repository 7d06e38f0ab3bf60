"""Keeps a result where nobody can alter it: one JSON object a run, in a folder or an object store."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


def keep(result: dict[str, Any], uri: str) -> str:
    """Writes `result` below `uri` (a folder, `s3://…` or `gs://…`) under its test and the time; where it is now."""
    name = f"{result['test']}-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}.json"
    body = json.dumps(result, indent=1)
    place = urlsplit(uri)
    key = f"{place.path.strip('/')}/{name}".lstrip("/")
    if place.scheme == "s3":
        import boto3

        boto3.client("s3").put_object(Bucket=place.netloc, Key=key, Body=body, ContentType="application/json")
        return f"s3://{place.netloc}/{key}"
    if place.scheme == "gs":
        from google.cloud import storage

        storage.Client().bucket(place.netloc).blob(key).upload_from_string(body, "application/json")
        return f"gs://{place.netloc}/{key}"
    file = Path(uri) / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(body)
    return str(file)
