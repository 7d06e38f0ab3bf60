"""What a team's `.dvc/config` says, so that its data stay in the lake and in India."""

from __future__ import annotations

import configparser
from collections.abc import Mapping
from pathlib import Path

from infra.settings.stack import Settings

# Of the curated data, which data engineers may write and prune, and ML engineers read: infra/contracts/grants.py.
ROLE, PREFIX = "curated", "dvc"
CORE, REMOTE, NAME = "core", "'remote \"lake\"'", "lake"
Sections = Mapping[str, Mapping[str, str]]


class DvcError(ValueError):
    """The config can't be written; the message says what is wrong and what to do."""


def sections(settings: Settings, place: str, bucket: str, key: str | None) -> Sections:
    """The config of a bucket (`s3://…`) at a place of the stack. `key` is the ARN of a KMS key; without one the lake's
    own encrypts by the bucket's default."""
    core = {"remote": NAME, "analytics": "false", "check_update": "false"}
    return {CORE: core, REMOTE: {"url": f"{bucket}/{PREFIX}", **_reached(settings, place), **_encrypted(key)}}


def _reached(settings: Settings, place: str) -> dict[str, str]:
    """The region, and its own endpoint: with that named, no client asks another region's."""
    site = settings.on_premises
    if place == "onPremises" and site and site.store:
        return {"endpointurl": site.store.endpoint, "region": site.store.region or _aws_region(settings)}
    if place == "aws":
        region = _aws_region(settings)
        return {"endpointurl": f"https://s3.{region}.amazonaws.com", "region": region}
    return {}


def _aws_region(settings: Settings) -> str:
    return settings.aws.region if settings.aws else ""


def _encrypted(key: str | None) -> dict[str, str]:
    # Never one without the other: aws:kms alone means the account's default key, which the lake's buckets refuse.
    return {"sse": "aws:kms", "sse_kms_key_id": key} if key else {}


def text(wanted: Sections) -> str:
    """The file, as DVC writes it."""
    return "".join(
        f"[{name}]\n" + "".join(f"    {option} = {value}\n" for option, value in options.items())
        for name, options in wanted.items()
    )


def write(repository: Path, wanted: Sections) -> bool:
    """Writes the config of a repository; False if it says all that already.

    Raises:
        DvcError: DVC was not initialised there, or its config says something else.
    """
    file = repository / ".dvc" / "config"
    if not file.parent.is_dir():
        raise DvcError(f"REPO={repository} has no folder .dvc: run `dvc init` there first")
    there = file.read_text() if file.exists() else ""
    if not there.strip():
        file.write_text(text(wanted))
        return True
    if other := _differences(file, there, wanted):
        raise DvcError(
            f"{file} is not of this stack: {'; '.join(other)}. Nothing was changed: "
            f"take that out, or write this into it yourself:\n{text(wanted)}"
        )
    return False


def _differences(file: Path, there: str, wanted: Sections) -> list[str]:
    """Options that the file has otherwise, or lacks. What it says beside them is the team's own."""
    found = configparser.ConfigParser(interpolation=None)
    try:
        found.read_string(there)
    except configparser.Error as error:
        raise DvcError(f"{file} is no config of DVC: {str(error).splitlines()[0]}") from error
    return [
        f"{option} of [{name}] is {found.get(name, option, fallback='not there')}, and not {value}"
        for name, options in wanted.items()
        for option, value in options.items()
        if found.get(name, option, fallback=None) != value
    ]
