"""Refuses a cluster whose private API server nobody reaches or administers: its objects would never be made."""

from __future__ import annotations

from collections.abc import Mapping

from infra.geography import Cloud
from infra.settings.errors import NOTHING, Problem
from infra.settings.valid_parts import CloudParts, Parts

# The ways in to the API server, by cloud, in the words of a refusal; the first is the nearest.
WAYS: Mapping[Cloud, tuple[str, ...]] = {
    "aws": (
        "jumpHost: true (a small instance that Session Manager opens a tunnel to)",
        "cidrs (networks that reach the VPC)",
        "securityGroups (of machines that reach it)",
        "a site with a VPN (onPremises)",
    ),
    "gcp": (
        "jumpHost: true (a small VM that Identity-Aware Proxy opens a tunnel to)",
        "cidrs (networks that reach the VPC)",
        "dnsEndpoint: true (open to whoever IAM lets in)",
    ),
}


def check_reachable(parts: Parts) -> list[Problem]:
    """Problems: clusters that nobody could reach, and clusters on AWS that nobody would administer."""
    problems = []
    for cloud in parts.clouds:
        if cloud.access is None:
            continue
        path = f"{cloud.cloud}.cluster.access"
        if not (cloud.access.direct or cloud.access.tunnel or _by_vpn(cloud, parts)):
            allowed = f"a way to the private API server: {', '.join(WAYS[cloud.cloud])}"
            problems.append(Problem(path, NOTHING, allowed, "{jumpHost: true}"))
        if cloud.cloud == "aws" and not cloud.access.deployers and parts.environment != "local":
            allowed = "the IAM roles and users that run Pulumi, including yours"
            problems.append(Problem(f"{path}.deployers", NOTHING, allowed, "[role/<name>]"))
    return problems


def _by_vpn(cloud: CloudParts, parts: Parts) -> bool:
    """Whether a site's VPN reaches the cluster: its networks are let in to the API server together with its nodes."""
    return cloud.cloud == "aws" and bool(parts.site.ranges)
