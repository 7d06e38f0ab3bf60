"""Kubernetes versions in standard support on EKS, each with the AL2023 image release that its nodes run."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache

from infra.catalog.tables import DATA


@dataclass(frozen=True)
class KubernetesVersion:
    """A minor version, the last day of its standard support, and the EKS image release (`1.35.7-20260903`)."""

    version: str
    standard_support_until: date
    ami_release: str

    @property
    def ami_alias(self) -> str:
        """The same images as Karpenter names them: `al2023@v20260903`."""
        return f"al2023@v{self.ami_release.rpartition('-')[2]}"


@cache
def kubernetes_versions() -> Mapping[str, KubernetesVersion]:
    """By version, the oldest first."""
    with (DATA / "aws_kubernetes.csv").open(encoding="utf-8", newline="") as rows:
        return {
            row["version"]: KubernetesVersion(
                row["version"], date.fromisoformat(row["standard_support_until"]), row["ami_release"]
            )
            for row in csv.DictReader(rows)
        }
