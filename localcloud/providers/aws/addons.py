"""The versions of EKS' add-ons, as `DescribeAddonVersions` would tell them: moto has no such operation.

A simulation, from the small table `aws/addons.csv`: some days' answers, not all versions that EKS has. `basis` says
whether a row was read or assumed.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from localcloud.directories import run_dir
from localcloud.providers.aws.api import Api, RefusedError
from localcloud.providers.protocol import Values
from localcloud.store import Store

CLUSTER = "aws:eks/cluster:Cluster"
FILE = Path(__file__).with_name("addons.csv")


@dataclass(frozen=True)
class AddonVersion:
    """One version of an add-on, the Kubernetes versions that it is for, and whether it is their default."""

    addon: str
    kubernetes: frozenset[str]
    version: str
    default: bool


@cache
def versions() -> tuple[AddonVersion, ...]:
    """The rows of the table."""
    with FILE.open(newline="") as file:
        return tuple(
            AddonVersion(
                row["addon"],
                frozenset(row["kubernetes"].split("|")),
                row["version"],
                row["default"] == "true",
            )
            for row in csv.DictReader(file)
        )


def of(addon: str, kubernetes: str) -> tuple[AddonVersion, ...]:
    """The versions of an add-on that fit a Kubernetes version, the default first."""
    fitting = [one for one in versions() if one.addon == addon and kubernetes in one.kubernetes]
    return tuple(sorted(fitting, key=lambda one: not one.default))


def default_version(scope: Values) -> Values:
    """What the function `getAddonVersion` answers. The newest is what `mostRecent` asks for."""
    asked = scope["inputs"]
    found = of(asked["addonName"], asked["kubernetesVersion"])
    if not found:
        # The words of the real provider's data source.
        raise RefusedError("DescribeAddonVersions", "NotFound", "empty result")
    chosen = max(found, key=lambda one: _ordered(one.version)) if asked.get("mostRecent") else found[0]
    return {"Version": chosen.version}


def refuse_unknown(api: Api, scope: Values) -> None:
    """Refuse an add-on, or a version of it, that EKS does not have for the cluster's Kubernetes."""
    inputs, operation = scope["inputs"], "UpdateAddon" if scope["old"] else "CreateAddon"
    name, wanted = inputs["addonName"], inputs.get("addonVersion")
    kubernetes = _version_of(api, scope["region"], inputs["clusterName"])
    there = of(name, kubernetes)
    if not there:
        words = f"Addon {name} specified is not supported in {kubernetes} kubernetes version"
        raise RefusedError(operation, "InvalidParameterException", words)
    if wanted and wanted not in [one.version for one in there]:
        words = (
            f"Addon version specified is not supported (the local cloud's table of {name} for "
            f"{kubernetes} has {', '.join(one.version for one in there)})"
        )
        raise RefusedError(operation, "InvalidParameterException", words)


def _version_of(api: Api, region: str, cluster: str) -> str:
    """The Kubernetes version of a cluster: moto can't raise it, so that a later one is in the store."""
    kept = Store(run_dir() / "store.sqlite").get(CLUSTER, f"{region}/{cluster}") or {}
    described = api.call("eks", region, "DescribeCluster", {"name": cluster})["cluster"]
    return kept.get("version") or described["version"]


def _ordered(version: str) -> tuple[int, ...]:
    """`v1.13.2-eksbuild.21` in the order of versions."""
    release, _, build = version.removeprefix("v").partition("-eksbuild.")
    return (*map(int, release.split(".")), int(build))


# What answers a function for which moto has no operation, by the name in `side_effects` of its row.
FUNCTIONS: Mapping[str, Callable[[Values], Values]] = MappingProxyType({"addon_version": default_version})
