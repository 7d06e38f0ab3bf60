"""The keys of a gateway: made at random with the stack, and kept in its state and in Secrets of Kubernetes alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_kubernetes as k8s
import pulumi_random as random
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from workloads.gateway.pods import NAMESPACE

LENGTH = 40


def of_tenants(
    name: str, tenants: Sequence[str], version: str, opts: pulumi.ResourceOptions
) -> dict[str, pulumi.Output[str]]:
    """An API key for each tenant; another `version` makes new ones."""
    return {tenant: _made(f"{name}-key-{tenant}", {"version": version}, opts) for tenant in tenants}


def made(name: str, opts: pulumi.ResourceOptions) -> pulumi.Output[str]:
    """A key that stays as long as the stack."""
    return _made(name, None, opts)


def secret(
    name: str, values: Mapping[str, pulumi.Input[str]], opts: pulumi.ResourceOptions
) -> k8s.core.v1.Secret:
    """A Secret in the gateway's namespace."""
    return k8s.core.v1.Secret(
        name,
        metadata=ObjectMetaArgs(name=name, namespace=NAMESPACE),
        string_data=dict(values),
        opts=opts,
    )


def _made(name: str, keepers: dict[str, str] | None, opts: pulumi.ResourceOptions) -> pulumi.Output[str]:
    # No special characters: it is part of a flag and of an address.
    within = pulumi.ResourceOptions(parent=opts.parent)
    return random.RandomPassword(name, length=LENGTH, special=False, keepers=keepers, opts=within).result
