"""The API keys of a gateway's tenants."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from workloads.kubernetes.passwords import password


def of_tenants(
    name: str, tenants: Sequence[str], version: str, opts: pulumi.ResourceOptions
) -> dict[str, pulumi.Output[str]]:
    """An API key for each tenant; another `version` makes new ones."""
    return {tenant: password(f"{name}-key-{tenant}", opts, {"version": version}) for tenant in tenants}
