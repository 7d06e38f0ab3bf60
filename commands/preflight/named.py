"""What a stack's settings name and an AWS account must have already: images in ECR, reservations, addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from commands.preflight.account import UNSAID, Aws, Finding, code_of
from infra.settings.placeholders import placeholders
from infra.settings.stack import Settings
from infra.settings.workloads.workload import OWN_REGISTRY

ECR = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com/(?P<image>.+)")
# A block that was paid for has not begun yet; nodes come when it does.
TO_COME = ("scheduled", "pending", "payment-pending", "assessing", "delayed")


@dataclass(frozen=True)
class Image:
    """An image in ECR. `account` is empty for the one that is asked; `version` is a tag, or a digest (`sha256:…`)."""

    account: str
    region: str
    repository: str
    version: str

    @property
    def by_digest(self) -> bool:
        """Whether the version is a digest and no tag."""
        return self.version.startswith("sha256:")


@dataclass(frozen=True)
class Reservation:
    """A capacity reservation or block that a pool takes from; `zone` is the ID of the one that the pool names."""

    pool: str
    id: str
    region: str
    zone: str | None


def check(settings: Settings, aws: Aws) -> list[Finding]:
    """Every image in ECR and every reservation that the settings name, and addresses that reach nobody."""
    found = [image(one, aws) for one in images(settings)]
    found += [reservation(one, aws) for one in reservations(settings)]
    return found + list(unread(settings))


def images(settings: Settings) -> list[Image]:
    """The images that pods on AWS, or on premises, pull from ECR: each once."""
    if settings.aws is None:
        return []
    on_google = {pool.name for pool in settings.gcp.cluster.pools} if settings.gcp else set()
    placed = [
        workload
        for workload in settings.workloads.chosen.values()
        if workload.pool_use is None or workload.pool_use.pool not in on_google
    ]
    named = [image for workload in placed for image in workload.images.values()]
    found = (_in_ecr(reference, settings.aws.region) for reference in named)
    return list(dict.fromkeys(one for one in found if one))


def _in_ecr(reference: str, region: str) -> Image | None:
    registry, own, path = reference.partition(f"{OWN_REGISTRY}/")
    account = ""
    if not own or registry:
        host = ECR.fullmatch(reference)
        if host is None:
            return None
        account, region, path = host["account"], host["region"], host["image"]
    repository, digest, version = path.partition("@")
    name, _, tag = repository.partition(":")
    return Image(account, region, name, version if digest else tag)


def image(wanted: Image, aws: Aws) -> Finding:
    """Whether ECR has an image."""
    what = f"image {wanted.repository}:{wanted.version}"
    where = f"in ECR of {wanted.region}"
    ids = [{"imageDigest" if wanted.by_digest else "imageTag": wanted.version}]
    registry = {"registryId": wanted.account} if wanted.account else {}
    try:
        aws("ecr", wanted.region).describe_images(repositoryName=wanted.repository, imageIds=ids, **registry)
    except UNSAID as error:
        return _no_image(wanted, what, where, code_of(error))
    return Finding("image", what, where, "there", "ok")


def _no_image(wanted: Image, what: str, where: str, code: str) -> Finding:
    push = f"push it: docs/registries.md; its registry is ….dkr.ecr.{wanted.region}.amazonaws.com"
    if code == "ImageNotFoundException":
        return Finding("image", what, where, "the repository has no such image", "missing", push)
    if code == "RepositoryNotFoundException":
        create = "aws ecr create-repository --image-tag-mutability IMMUTABLE"
        fix = f"{create} --repository-name {wanted.repository} --region {wanted.region}, then {push}"
        return Finding("image", what, where, "no such repository", "missing", fix)
    fix = f"allow ecr:DescribeImages on {wanted.repository}"
    return Finding("image", what, where, f"not said: {code}", "unknown", fix)


def reservations(settings: Settings) -> list[Reservation]:
    """The capacity reservations and blocks of the pools on AWS."""
    if settings.aws is None:
        return []
    return [
        Reservation(pool.name, pool.capacity_reservation, settings.aws.region, pool.zone)
        for pool in settings.aws.cluster.pools
        if pool.capacity_reservation
    ]


def reservation(wanted: Reservation, aws: Aws) -> Finding:
    """Whether a reservation is there, has not ended, and is in the zone that its pool names."""
    what, needed = f"pool {wanted.pool}: {wanted.id}", "active"
    fix = "aws ec2 describe-capacity-reservations, or another way to buy for the pool"
    try:
        answer = aws("ec2", wanted.region).describe_capacity_reservations(CapacityReservationIds=[wanted.id])
    except UNSAID as error:
        code = code_of(error)
        gone = code.startswith("InvalidCapacityReservationId")
        there = f"none of that id in {wanted.region}" if gone else f"not said: {code}"
        return Finding("reservation", what, needed, there, "missing" if gone else "unknown", fix)
    (found,) = answer["CapacityReservations"]
    state, zone = found["State"], found.get("AvailabilityZoneId")
    if state in TO_COME:
        start = f", from {found['StartDate']:%Y-%m-%d %H:%M} UTC" if "StartDate" in found else ""
        return Finding(
            "reservation", what, needed, f"{state}{start}", "tight", "its nodes come when it is active"
        )
    if state != "active":
        ended = f" on {found['EndDate']:%Y-%m-%d %H:%M} UTC" if "EndDate" in found else ""
        return Finding("reservation", what, needed, f"{state}{ended}", "missing", fix)
    if wanted.zone and zone and zone != wanted.zone:
        return Finding(
            "reservation", what, f"in {wanted.zone}", f"in {zone}", "missing", f"zone: {zone} in the pool"
        )
    return Finding("reservation", what, needed, f"{state}, {found['AvailableInstanceCount']} free", "ok")


def unread(settings: Settings) -> Iterator[Finding]:
    """A finding for each address that is still a placeholder: nobody would hear of an alert."""
    for path, address in placeholders(settings).items():
        fix = "put in the address of those on call: mail to this domain reaches nobody (RFC 2606)"
        yield Finding("setting", path, "an address that is read", address, "missing", fix)
