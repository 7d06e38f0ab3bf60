"""`make dvc STACK=prod BUCKETS=buckets.json REPO=../data`: a Git repository's data in the lake, by DVC."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape

from commands.buckets import BucketsError, addresses
from commands.console import console
from commands.dvc.config import NAME, ROLE, DvcError, sections, write
from commands.stacks import StackName, settings_of
from infra.geography import regions_of
from infra.settings.stack import Settings

ERRORS = (DvcError, BucketsError)
Place = Literal["aws", "gcp", "onPremises"]


def dvc(
    buckets: Annotated[Path, typer.Option(help="what `pulumi stack output buckets --json` printed")],
    repo: Annotated[Path, typer.Option(help="the Git repository, after `dvc init`")],
    stack: StackName = "local",
    place: Annotated[Place | None, typer.Option(help="where, if the stack has several lakes")] = None,
    key: Annotated[str | None, typer.Option(help="aws: the ARN of the KMS key, to name it too")] = None,
) -> None:
    """Write a repository's .dvc/config, with the stack's lake as its remote."""
    settings = settings_of(stack)
    where = _place(settings, place)
    named = addresses(buckets, "gs" if where == "gcp" else "s3")
    if ROLE not in named:
        raise DvcError(f"BUCKETS={buckets} has no bucket {ROLE}, but {', '.join(named)}")
    if where == "aws":
        _refuse_abroad(named[ROLE].removeprefix("s3://"), settings)
    if key and not key.startswith(tuple(f"arn:aws:kms:{region}:" for region in regions_of("aws"))):
        raise DvcError(f"KEY={key}: give the ARN of a KMS key in India, arn:aws:kms:{regions_of('aws')[0]}:…")
    changed = write(repo, sections(settings, where, named[ROLE], key if where == "aws" else None))
    done = (
        f"{repo}/.dvc/config: the remote {NAME}" if changed else f"{repo}/.dvc/config said all that already"
    )
    console.print(f"[green]✓[/] {escape(done)}; then there: dvc add, git commit, dvc push", soft_wrap=True)


def _place(settings: Settings, asked: Place | None) -> Place:
    """Where the lake is: as asked, or the only place of the stack that has one."""
    site = settings.on_premises
    there: dict[Place, object] = {
        "aws": settings.aws,
        "gcp": settings.gcp,
        "onPremises": site.store if site else None,
    }
    have: list[Place] = [name for name, part in there.items() if part]
    if asked in have:
        return asked
    if asked is None and len(have) == 1:
        return have[0]
    raise DvcError(f"PLACE={asked or ''}: this stack has lakes at {', '.join(have)}: give one of them")


def _refuse_abroad(bucket: str, settings: Settings) -> None:
    """Asks S3 where the bucket is. Settings allow India alone, but a name may be of another stack, or be made by hand.

    Raises:
        DvcError: it is not in the stack's region, or S3 does not tell.
    """
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    region = settings.aws.region if settings.aws else ""
    try:
        answer = boto3.client("s3", region_name=region).head_bucket(Bucket=bucket)
    except (BotoCoreError, ClientError) as error:
        raise DvcError(
            f"S3 does not say where the bucket {bucket} is ({error}): be logged in as one who may use it"
        ) from error
    if answer.get("BucketRegion") != region:
        raise DvcError(
            f"the bucket {bucket} is in {answer.get('BucketRegion')}, and the stack's data stay in {region}: "
            "give the buckets of this stack"
        )
