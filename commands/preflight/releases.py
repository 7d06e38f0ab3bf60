"""Whether EKS has the releases that a cluster is made of: the builds of its add-ons and the images of its nodes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from commands.preflight.account import UNSAID, Aws, Finding, code_of
from infra.catalog.kubernetes_versions import kubernetes_versions
from infra.settings.aws import ADDONS
from infra.settings.aws import Aws as Settings
from infra.spelling import nearest

# The variants of the image that node groups and Karpenter start ("Retrieve recommended Amazon Linux AMI IDs", EKS User
# Guide). A release's path is the one that Karpenter reads for an alias (pkg/providers/amifamily/al2023.go, 1.14.1).
VARIANTS = ("standard", "nvidia")
IMAGE = (
    "/aws/service/eks/optimized-ami/{version}/amazon-linux-2023/x86_64/{variant}/"
    "amazon-eks-node-al2023-x86_64-{variant}-{version}-{release}/image_id"
)


def check(settings: Settings, aws: Aws) -> list[Finding]:
    """Each add-on's version, and each variant of the nodes' image."""
    return [*_addons(settings, aws), *_images(settings, aws)]


def _addons(settings: Settings, aws: Aws) -> Iterator[Finding]:
    version, pinned = settings.cluster.version, settings.cluster.addon_versions
    eks = aws("eks", settings.region)
    for name in ADDONS:
        wanted = pinned.get(name, f"a default for {version}")
        try:
            told = eks.describe_addon_versions(addonName=name, kubernetesVersion=version)["addons"]
        except UNSAID as error:
            yield Finding("add-on", name, wanted, f"not said: {code_of(error)}", "unknown")
            continue
        builds = {
            build["addonVersion"]: _is_default(build, version)
            for one in told
            for build in one["addonVersions"]
        }
        yield _addon(name, wanted, pinned.get(name), builds)


def _addon(name: str, wanted: str, pinned: str | None, builds: dict[str, bool]) -> Finding:
    default = next((build for build, is_default in builds.items() if is_default), None)
    if (pinned or default) in builds:
        return Finding("add-on", name, wanted, pinned or default or "", "ok")
    there = f"{len(builds)} builds" + (f", {default} the default" if default else "")
    if pinned:
        near = default or nearest(pinned, builds)
        fix = f"aws.cluster.addonVersions.{name}: {near}" if near else "another aws.cluster.version"
        return Finding("add-on", name, wanted, there, "missing", fix)
    fix = f"pin one in aws.cluster.addonVersions.{name}" if builds else "another aws.cluster.version"
    return Finding("add-on", name, wanted, there, "missing", fix)


def _is_default(build: dict[str, Any], version: str) -> bool:
    fits = [one for one in build.get("compatibilities", ()) if one.get("clusterVersion") == version]
    return any(one.get("defaultVersion") for one in fits)


def _images(settings: Settings, aws: Aws) -> Iterator[Finding]:
    image = kubernetes_versions()[settings.cluster.version]
    ssm = aws("ssm", settings.region)
    for variant in VARIANTS:
        release = image.ami_alias.partition("@")[2]
        name = IMAGE.format(version=image.version, variant=variant, release=release)
        what = f"AL2023 {variant} image of {image.version}"
        try:
            found = ssm.get_parameter(Name=name)["Parameter"]["Value"]
        except UNSAID as error:
            if code_of(error) != "ParameterNotFound":
                yield Finding("release", what, image.ami_release, f"not said: {code_of(error)}", "unknown")
                continue
            above = name.rpartition("/amazon-eks")[0]
            fix = (
                f"a release that `aws ssm get-parameters-by-path --recursive --path {above}` lists, in "
                "infra/catalog/data/aws_kubernetes.csv"
            )
            yield Finding("release", what, image.ami_release, "none", "missing", fix)
            continue
        yield Finding("release", what, image.ami_release, found, "ok")
