"""Kubernetes versions that a stack may ask for, on EKS and GKE, each with the release that its nodes start from."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache

from infra.catalog.tables import DATA
from infra.geography import Cloud


@dataclass(frozen=True)
class KubernetesVersion:
    """A minor version, the last day of its standard support (None where it was not found), and a release of it.

    The release is an EKS image (`1.35.7-20260903`), which nodes are pinned to, or a GKE version
    (`1.35.8-gke.1036000`), which is the oldest that the control plane may have: its release channel moves it on.
    """

    version: str
    standard_support_until: date | None
    release: str

    @property
    def ami_release(self) -> str:
        """The EKS image release that nodes are pinned to."""
        return self.release

    @property
    def ami_alias(self) -> str:
        """The same images as Karpenter names them: `al2023@v20260903`."""
        return f"al2023@v{self.release.rpartition('-')[2]}"


@cache
def kubernetes_versions(cloud: Cloud = "aws") -> Mapping[str, KubernetesVersion]:
    """By version, the oldest first."""
    with (DATA / f"{cloud}_kubernetes.csv").open(encoding="utf-8", newline="") as rows:
        return {row["version"]: _version(row) for row in csv.DictReader(rows)}


def _version(row: Mapping[str, str]) -> KubernetesVersion:
    until = row["standard_support_until"]
    release = row.get("ami_release") or row["release"]
    return KubernetesVersion(row["version"], date.fromisoformat(until) if until else None, release)
