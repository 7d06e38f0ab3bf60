"""Passwords and keys that are drawn at random with the stack: they are in its state and in Secrets alone."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_kubernetes as k8s
import pulumi_random as random
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

LENGTH = 40


def password(
    name: str, opts: pulumi.ResourceOptions, keepers: Mapping[str, str] | None = None
) -> pulumi.Output[str]:
    """One that stays as long as the stack, or as its keepers."""
    within = pulumi.ResourceOptions(parent=opts.parent)
    kept = dict(keepers) if keepers else None
    # No special characters: it is part of a flag and of an address.
    return random.RandomPassword(name, length=LENGTH, special=False, keepers=kept, opts=within).result


def secret(
    name: str, namespace: str, values: Mapping[str, pulumi.Input[str]], opts: pulumi.ResourceOptions
) -> k8s.core.v1.Secret:
    """A Secret of these values."""
    return k8s.core.v1.Secret(
        name,
        metadata=ObjectMetaArgs(name=name, namespace=namespace),
        string_data=dict(values),
        opts=opts,
    )
