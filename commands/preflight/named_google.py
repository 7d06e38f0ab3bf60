"""What a stack's settings name and a Google project must have already: images in Artifact Registry, a network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from commands.preflight.account import Finding
from commands.preflight.google_apis import UNSAID, Google, status, why
from infra.gcp.network import ANYWHERE, API_DOMAINS
from infra.settings.gcp import ExistingGoogleNetwork
from infra.settings.stack import Settings
from infra.settings.workloads.workload import OWN_REGISTRY

REGISTRY = re.compile(
    r"(?P<location>[a-z0-9-]+)-docker\.pkg\.dev/(?P<project>[a-z0-9:.-]+)/(?P<repository>[^/]+)/(?P<image>.+)"
)
API = "https://artifactregistry.googleapis.com/v1"
COMPUTE = "https://compute.googleapis.com/compute/v1"
DNS = "https://dns.googleapis.com/dns/v1"


@dataclass(frozen=True)
class Image:
    """An image in Artifact Registry. `version` is a tag, or a digest (`sha256:…`)."""

    location: str
    project: str
    repository: str
    name: str
    version: str

    @property
    def repository_path(self) -> str:
        """The resource name of the repository, as Artifact Registry's API takes it."""
        return f"projects/{self.project}/locations/{self.location}/repositories/{self.repository}"

    @property
    def version_path(self) -> str:
        """The tag, or the version that a digest is; slashes of a package's name are escaped (the API's Tag.name)."""
        kind = "versions" if self.version.startswith("sha256:") else "tags"
        return f"{self.repository_path}/packages/{quote(self.name, safe='')}/{kind}/{self.version}"


def check(settings: Settings, asked: Google) -> list[Finding]:
    """Every image in Artifact Registry that the settings name for Google, and a network that exists already."""
    if settings.gcp is None:
        return []
    found = [image(one, asked) for one in images(settings)]
    if existing := settings.gcp.network.existing:
        found += network(existing, settings.gcp.project, settings.gcp.region, asked)
    return found


def images(settings: Settings) -> list[Image]:
    """The images that pods on Google pull from Artifact Registry: each once."""
    if settings.gcp is None:
        return []
    pools = {pool.name for pool in settings.gcp.cluster.pools}
    named = [
        image
        for workload in settings.workloads.chosen.values()
        if workload.pool_use is None or workload.pool_use.pool in pools
        for image in workload.images.values()
    ]
    own = f"{settings.gcp.region}-docker.pkg.dev/{settings.gcp.project}"
    found = (_in_registry(reference.replace(OWN_REGISTRY, own, 1)) for reference in named)
    return list(dict.fromkeys(one for one in found if one))


def _in_registry(reference: str) -> Image | None:
    host = REGISTRY.fullmatch(reference)
    if host is None:
        return None
    path, digest, version = host["image"].partition("@")
    name, _, tag = path.partition(":")
    return Image(host["location"], host["project"], host["repository"], name, version if digest else tag)


def image(wanted: Image, asked: Google) -> Finding:
    """Whether Artifact Registry has an image: first its repository is asked for, then its tag or digest."""
    what = f"image {wanted.repository}/{wanted.name}:{wanted.version}"
    where = f"in Artifact Registry of {wanted.project}, {wanted.location}"
    push = f"push it: docs/registries.md; its registry is {wanted.location}-docker.pkg.dev/{wanted.project}"
    create = (
        f"gcloud artifacts repositories create {wanted.repository} --repository-format docker "
        f"--location {wanted.location} --project {wanted.project}, then {push}"
    )
    for path, lacks, fix in (
        (wanted.repository_path, "no such repository", create),
        (wanted.version_path, "the repository has no such image", push),
    ):
        try:
            asked.get(f"{API}/{path}")
        except UNSAID as error:
            if status(error) == 404:
                return Finding("image", what, where, lacks, "missing", fix)
            allow = f"roles/artifactregistry.reader on {wanted.project}"
            return Finding("image", what, where, why(error), "unknown", allow)
    return Finding("image", what, where, "there", "ok")


def network(existing: ExistingGoogleNetwork, project: str, region: str, asked: Google) -> Iterator[Finding]:
    """What the provider does not tell of a VPC that somebody else keeps: flow logs, the way out, DNS."""
    vpc = f"projects/{project}/global/networks/{existing.network.rpartition('/')[2]}"
    subnet = existing.subnetwork.rpartition("/")[2]
    at = f"projects/{project}/regions/{region}"
    for what, needed, ask, fix in (
        (
            f"flow logs of {subnet}",
            "on",
            lambda: _flow_logs(f"{COMPUTE}/{at}/subnetworks/{subnet}", asked),
            f"gcloud compute networks subnets update {subnet} --region {region} --enable-flow-logs",
        ),
        (
            f"the way out of {subnet}",
            "Cloud NAT, or a default route to something else",
            lambda: _way_out(vpc, project, at, asked),
            "Cloud NAT on the subnet and its secondary ranges: models and images that no mirror has come by it",
        ),
        (
            "DNS of Google's APIs",
            f"private zones for {', '.join(API_DOMAINS)}",
            lambda: _private_dns(vpc, project, asked),
            "pods are let out to 199.36.153.8/30 and 199.36.153.4/30 only: zones, peering or a response policy that "
            "answers with these",
        ),
    ):
        try:
            there = ask()
        except UNSAID as error:
            gone = status(error) == 404
            named = f"name a network and a subnet that {project} has in {region}"
            verdict = "missing" if gone else "unknown"
            yield Finding("network", what, needed, why(error), verdict, named if gone else "")
            continue
        yield Finding(
            "network", what, needed, there or "none", "ok" if there else "tight", "" if there else fix
        )


def _flow_logs(url: str, asked: Google) -> str:
    return "on" if (asked.get(url).get("logConfig") or {}).get("enable") else ""


def _way_out(vpc: str, project: str, at: str, asked: Google) -> str:
    routers = asked.get(f"{COMPUTE}/{at}/routers").get("items", ())
    nats = [nat["name"] for one in routers if one["network"].endswith(vpc) for nat in one.get("nats", ())]
    routes = asked.get(f"{COMPUTE}/projects/{project}/global/routes").get("items", ())
    others = [
        route["name"]
        for route in routes
        if route["network"].endswith(vpc)
        and route["destRange"] == ANYWHERE
        and not str(route.get("nextHopGateway", "")).endswith("/default-internet-gateway")
    ]
    return ", ".join([*nats, *others])


def _private_dns(vpc: str, project: str, asked: Google) -> str:
    zones = asked.get(f"{DNS}/projects/{project}/managedZones").get("managedZones", ())
    private = {
        zone["dnsName"].rstrip(".")
        for zone in zones
        for seen in (zone.get("privateVisibilityConfig") or {}).get("networks", ())
        if seen["networkUrl"].endswith(vpc)
    }
    return "there" if set(API_DOMAINS) <= private else ""
