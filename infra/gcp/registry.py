"""Registry: public images kept in Artifact Registry of the region, so that nodes pull them without leaving it.

Google fetches an image itself when it is first asked for, so nodes need no way out. Sources, read 2026-11-24: Artifact
Registry's documentation, "Remote repositories overview", "Create remote repositories", "Configure cleanup policies".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from infra.gcp.iam import Project
from infra.settings.gcp import GoogleRegistries

UPSTREAMS = ("registry.k8s.io", "quay.io", "ghcr.io", "docker.io", "nvcr.io")
KEPT_VERSIONS, STALE_DAYS = 10, 90
DAY_SECONDS = 86_400


def mirrored(asked: GoogleRegistries) -> Sequence[str]:
    """The upstreams that have a mirror."""
    return UPSTREAMS if asked.mirror else ()


def repository(about: str, upstream: str) -> str:
    """The id of an upstream's repository, 63 characters at most."""
    return f"{about[:44].rstrip('-')}-{upstream.replace('.', '-')}"


def address(project: str, region: str, about: str, upstream: str) -> str:
    """Where images of an upstream are in Artifact Registry."""
    return f"{region}-docker.pkg.dev/{project}/{repository(about, upstream)}"


@dataclass(frozen=True)
class RegistryArgs:
    """`about` is the cluster that pulls; `key` the path of the key that images are under."""

    project: Project
    about: str
    asked: GoogleRegistries
    key: pulumi.Input[str]


class Registry(pulumi.ComponentResource):
    """A remote repository for each upstream. `mirrors` are the addresses to pull from instead; charts wait for `ready`.

    Nodes may read every repository of the project (`nodes.NODE_ROLES`).
    """

    mirrors: Mapping[str, pulumi.Input[str]]
    ready: Sequence[pulumi.Resource]

    def __init__(self, name: str, args: RegistryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:gcp:Registry", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        project, found = args.project, mirrored(args.asked)
        self.mirrors = {
            upstream: address(project.id, project.region, args.about, upstream) for upstream in found
        }
        self.ready = [_remote(f"{name}-{upstream}", upstream, args, child) for upstream in found]
        self.register_outputs({"mirrors": self.mirrors})


def _remote(
    name: str, upstream: str, args: RegistryArgs, opts: pulumi.ResourceOptions
) -> gcp.artifactregistry.Repository:
    return gcp.artifactregistry.Repository(
        name,
        project=args.project.id,
        location=args.project.region,
        repository_id=repository(args.about, upstream),
        description=f"Images of {upstream}",
        format="DOCKER",
        mode="REMOTE_REPOSITORY",
        remote_repository_config={"docker_repository": _source(upstream)},
        kms_key_name=args.key,
        # What is deleted is fetched again when it is asked for.
        cleanup_policies=[
            {"id": "stale", "action": "DELETE", "condition": {"older_than": f"{STALE_DAYS * DAY_SECONDS}s"}},
            {"id": "newest", "action": "KEEP", "most_recent_versions": {"keep_count": KEPT_VERSIONS}},
        ],
        opts=opts,
    )


def _source(
    upstream: str,
) -> gcp.artifactregistry.RepositoryRemoteRepositoryConfigDockerRepositoryArgsDict:
    if upstream == "docker.io":
        return {"public_repository": "DOCKER_HUB"}
    return {"custom_repository": {"uri": f"https://{upstream}"}}
