"""Where the stack's cluster is now. Settings that would take it from there are refused before anything is made.

EKS moves no cluster into another VPC or region ("UpdateClusterConfig", Amazon EKS API Reference), and the engine would
learn it halfway, with a new network made and the old cluster in the old one. `deletionProtection` would stop it too; a
stack without it has this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import geography
from infra.settings.aws import Network
from infra.settings.errors import Problem, SettingsError

# How AWS answers in a region that the account has not enabled, or that its organisation denies: no cluster is there.
CLOSED = ("UnrecognizedClientException", "InvalidClientTokenId", "AccessDenied")
ANOTHER_WAY = "make another stack for it, or `pulumi destroy` this one first"


@dataclass(frozen=True)
class Place:
    """The region and the VPC of a cluster. `own` says whether the stack made that VPC."""

    region: str
    vpc_id: str
    cidr: str
    own: bool


def stay(
    cluster_name: str,
    region: str,
    network: Network,
    tags: Mapping[str, str],
    provider: pulumi.ProviderResource,
) -> None:
    """Ask AWS where the cluster is, and wait for the answer. `tags` are on what the stack makes, and on nothing else.

    Raises:
        SettingsError: the settings put it elsewhere; see `faults`.
    """
    place = find(cluster_name, region, tags, pulumi.InvokeOptions(provider=provider))
    if place and (problems := faults(place, region, network)):
        raise SettingsError(problems)


def find(cluster_name: str, region: str, tags: Mapping[str, str], opts: pulumi.InvokeOptions) -> Place | None:
    """The place of a cluster: in `region`, else in another one of India. None where there is no such cluster yet."""
    others = [other for other in geography.regions_of("aws") if other != region]
    for where in (region, *others):
        if cluster_name in _clusters(where, opts):
            vpc_id = aws.eks.get_cluster(name=cluster_name, region=where, opts=opts).vpc_config.vpc_id
            vpc = aws.ec2.get_vpc(id=vpc_id, region=where, opts=opts)
            return Place(where, vpc_id, vpc.cidr_block, tags.items() <= vpc.tags.items())
    return None


def _clusters(region: str, opts: pulumi.InvokeOptions) -> Sequence[str]:
    try:
        return aws.eks.get_clusters(region=region, opts=opts).names
    except Exception as refused:
        # The SDK raises no class of its own for what a function answers.
        if not any(code in str(refused) for code in CLOSED):
            raise
        return ()


def faults(place: Place, region: str, network: Network) -> list[Problem]:
    """What would take a cluster from its place, with the value that leaves it there."""
    if place.region != region:
        allowed = f"{place.region}, where the cluster is: nothing of it moves; {ANOTHER_WAY}"
        return [Problem("aws.region", region, allowed, place.region)]
    if network.existing:
        if network.existing.vpc_id == place.vpc_id:
            return []
        allowed = f"{place.vpc_id}, the VPC that the cluster was made in: it leaves none; {ANOTHER_WAY}"
        nearest = f"no network.existing, and cidr: {place.cidr}" if place.own else place.vpc_id
        return [Problem("aws.network.existing.vpcId", network.existing.vpc_id, allowed, nearest)]
    if not place.own:
        allowed = f"the VPC that the cluster was made in, {place.vpc_id}: it leaves none; {ANOTHER_WAY}"
        return [Problem("aws.network", "a new VPC", allowed, f"existing: {{vpcId: {place.vpc_id}, …}}")]
    if network.cidr != place.cidr:
        allowed = f"{place.cidr}: another range is another VPC, and the cluster leaves none; {ANOTHER_WAY}"
        return [Problem("aws.network.cidr", network.cidr, allowed, place.cidr)]
    return []
