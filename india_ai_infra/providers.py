"""The provider that a component's resources have: the one that its options name, else the program's default one."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from india_ai_infra.checked import ArgumentsError
from infra.settings.errors import Problem


def check_region(component: str, region: str, made: pulumi.ComponentResource) -> None:
    """Ask AWS which region the provider of `made` is for, and wait for the answer: names, keys and zones are of one.

    Raises:
        ArgumentsError: it is not `region`.
    """
    actual = aws.get_region(opts=pulumi.InvokeOptions(parent=made)).region
    if actual != region:
        allowed = f"{actual}, where its AWS provider is: set aws:region, or give a provider of {region} in its options"
        raise ArgumentsError(component, [Problem("region", region, allowed)])


def provider_of(made: pulumi.ComponentResource, cloud: str) -> pulumi.ProviderResource | None:
    """The provider that the options of a component name for a cloud; None where it has the program's default one."""
    return made.get_provider(f"{cloud}:index:any")
