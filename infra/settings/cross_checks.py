"""Checks between settings: names of pools, networks, images, credits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Network

from infra.settings.errors import NOTHING, Problem
from infra.settings.networks import PRIVATE_NETWORKS
from infra.settings.pools import SYSTEM_POOL
from infra.settings.valid_parts import Parts
from infra.settings.workloads.workload import OWN_REGISTRY
from infra.settings.workloads_on_pools import workloads_fit_their_pools

# Where the extra network cards of Google's fast machines have their addresses: cluster-toolkit's examples give them
# 192.168.0.0/16 in networks of their own.
GOOGLE_FABRIC_CIDR = "192.168.0.0/16"
# EKS takes one of them for its Services, whichever the VPC leaves free.
EKS_SERVICE_CIDRS = ("10.100.0.0/16", "172.20.0.0/16")

# The repository in the nearest image of a refusal: a name that ECR and Artifact Registry both take.
OWN_REPOSITORY = "india-ai-infra"


def _pool_names_are_unique(parts: Parts) -> list[Problem]:
    first = {SYSTEM_POOL: "the system pool"}
    problems = []
    for path, pool in parts.pools.items():
        if taken := next((name for name in pool.taken_names if name in first), None):
            allowed = f"a name that no other pool has: {first[taken]} has {'this one' if taken == pool.name else taken}"
            problems.append(Problem(f"{path}.name", pool.name, allowed, f"{pool.name}-2"))
        for name in pool.taken_names:
            first.setdefault(name, path)
    return problems


def _networks_do_not_overlap(parts: Parts) -> list[Problem]:
    """Overlapping networks could never be joined, and a machine with two of them sends to the wrong one."""
    taken: dict[str, IPv4Network] = {}
    if any(
        pool.fabric != "none"
        for cloud in parts.clouds
        for pool in cloud.pools.values()
        if cloud.cloud == "gcp"
    ):
        taken["the networks of the fabric"] = IPv4Network(GOOGLE_FABRIC_CIDR)
    problems = []
    for path, text in _ranges(parts).items():
        network = IPv4Network(text)
        if path in parts.site.ranges:
            taken |= {f"EKS's Services {cidr}": IPv4Network(cidr) for cidr in EKS_SERVICE_CIDRS}
        if inside := next((other for other, range_ in taken.items() if range_.overlaps(network)), None):
            free = _free_network(network.prefixlen, [*taken.values(), *_later_ranges(parts, path)])
            problems.append(
                Problem(path, text, f"a network that does not overlap {inside} ({taken[inside]})", free)
            )
            if free is None:
                continue
            # No other problem may propose the same network.
            network = IPv4Network(free)
        taken[path] = network
    return problems


def _ranges(parts: Parts) -> dict[str, str]:
    """Every network of the settings by its path: those of the clouds first, for a site's are easier to change."""
    clouds = {path: text for cloud in parts.clouds for path, text in cloud.ranges.items()}
    return {**clouds, **parts.site.ranges}


def _later_ranges(parts: Parts, path: str) -> list[IPv4Network]:
    ranges = _ranges(parts)
    return [IPv4Network(text) for text in list(ranges.values())[list(ranges).index(path) + 1 :]]


def _free_network(prefix: int, taken: Sequence[IPv4Network]) -> str | None:
    """The first private network of that size that overlaps none of `taken`."""
    return next(
        (
            str(free)
            for private in PRIVATE_NETWORKS
            if private.prefixlen <= prefix
            for free in private.subnets(new_prefix=prefix)
            if not any(free.overlaps(other) for other in taken)
        ),
        None,
    )


def _images_can_be_pulled(parts: Parts) -> list[Problem]:
    """Problems: images without a registry, which Docker Hub would serve, or with a tag that moves.

    On the local cloud no image is pulled.
    """
    if parts.environment in (None, "local"):
        return []
    return [problem for path, image in _images(parts).items() for problem in image_problems(path, image)]


def _images(parts: Parts) -> dict[str, str]:
    """The images of the stack, by the path of their setting."""
    return {
        f"{path}.{setting}": image
        for path, workload in parts.workloads.items()
        for setting, image in workload.images.items()
    }


def image_problems(path: str, image: str) -> list[Problem]:
    """A problem where nodes of a real stack would not pull the image, or not the same one for ever."""
    in_registry = _in_a_registry(image)
    stays = re.search(r":(?!latest$)[^/]+$", image)
    if image == in_registry and stays:
        return []
    allowed = (
        f"<registry>/<repository>/<name>:<tag>: the registry is a host, or {OWN_REGISTRY} for that of the account and "
        "region where it runs; the tag is not latest, which moves, or is @sha256:…"
    )
    return [Problem(path, image, allowed, in_registry if stays else None)]


def _in_a_registry(image: str) -> str:
    """The image with a registry, the stack's own if it has none, and the two names that Artifact Registry needs."""
    first, slash, rest = image.partition("/")
    if first == OWN_REGISTRY:
        return image if "/" in rest else f"{OWN_REGISTRY}/{OWN_REPOSITORY}/{rest}"
    if slash and re.search(r"[.:]", first):
        return image
    return f"{OWN_REGISTRY}/{image if slash else f'{OWN_REPOSITORY}/{image}'}"


def _credits_pay_something(parts: Parts) -> list[Problem]:
    """Problems: credits of no cloud of the stack, and those that had ended on the day of the dollar's rate.

    A credit that ended between that day and today is not refused: a stack that came up comes up tomorrow.
    """
    clouds = [cloud.cloud for cloud in parts.clouds]
    problems = []
    for path, credit in parts.credits.items():
        if credit.cloud is None and len(clouds) > 1:
            problems.append(
                Problem(f"{path}.cloud", NOTHING, f"the cloud whose bills it pays: {' or '.join(clouds)}")
            )
        if credit.cloud and clouds and credit.cloud not in clouds:
            allowed = f"a cloud of the stack: {' or '.join(clouds)}"
            problems.append(Problem(f"{path}.cloud", credit.cloud, allowed, clouds[0]))
        if parts.rate_of and credit.until < parts.rate_of:
            allowed = f"{parts.rate_of} (currency.asOf) or later: this credit had ended; take it out"
            problems.append(Problem(f"{path}.until", str(credit.until), allowed))
    return problems


CHECKS = (
    _pool_names_are_unique,
    _networks_do_not_overlap,
    workloads_fit_their_pools,
    _images_can_be_pulled,
    _credits_pay_something,
)
