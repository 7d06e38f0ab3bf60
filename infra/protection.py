"""Protects the clusters of a stack, and the networks that they are in, from a change that would replace them.

A property that forces a new VPC takes the cluster with it. `protect` makes the engine refuse that in the preview,
before anything is touched, on every account. It is set where `deletionProtection` is, at one place: the few resources
are spread over both clouds' modules.
"""

from __future__ import annotations

import pulumi

from infra.settings.stack import Settings

# Type and logical name of each, and the cloud whose setting decides.
PROTECTED = {
    ("aws:ec2/vpc:Vpc", "network"): "aws",
    ("aws:eks/cluster:Cluster", "cluster"): "aws",
    ("gcp:compute/network:Network", "network"): "gcp",
    ("gcp:compute/subnetwork:Subnetwork", "network"): "gcp",
    ("gcp:container/cluster:Cluster", "cluster"): "gcp",
}


def protect_clusters(settings: Settings) -> None:
    """Set `protect` on what the running program registers from now on, where a cloud's `deletionProtection` is on."""
    clouds = {"aws": settings.aws, "gcp": settings.gcp}
    on = {name for name, cloud in clouds.items() if cloud and cloud.cluster.deletion_protection}

    def protected(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        if PROTECTED.get((args.type_, args.name)) not in on:
            return None
        opts = pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(protect=True))
        return pulumi.ResourceTransformationResult(args.props, opts)

    if on:
        pulumi.runtime.register_stack_transformation(protected)
