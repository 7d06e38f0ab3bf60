"""Keys: a customer key each for the lake, the cluster, the logs and databases, in the stack's own region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import pulumi
import pulumi_gcp as gcp

from infra.contracts.governance import DataGovernance
from infra.gcp import tags
from infra.gcp.iam import Project, service_identity

ROTATION_DAYS = 90
DESTROY_AFTER_DAYS = 30  # to notice a mistake in
DAY_SECONDS = 86_400
USE = "roles/cloudkms.cryptoKeyEncrypterDecrypter"

# Google makes these agents when their service is first used. Compute Engine's exists once its API is on; the invokes in
# `_member` make those of storage and logging.
MADE_ON_DEMAND = ("artifactregistry", "container", "sqladmin")
EVERY_STACKS, DATABASE = ("lake", "cluster", "logs"), "database"
# The agents that use each key.
USERS: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "lake": ("storage",),
        "cluster": ("artifactregistry", "container", "compute"),
        "logs": ("storage", "logging"),
        DATABASE: ("sqladmin",),
    }
)


@dataclass(frozen=True)
class KeysArgs:
    """`lake_location` is where the lake's key is if the lake is in two regions; else it is in the stack's own. `uses`
    are the keys that are made."""

    project: Project
    governance: DataGovernance
    alias: str
    protect: bool = True
    lake_location: str | None = None
    uses: Sequence[str] = EVERY_STACKS


class Keys(pulumi.ComponentResource):
    """Customer keys that rotate every 90 days, each used by the service agents that need it and by nobody else.

    `lake` encrypts the data, `cluster` Kubernetes secrets, node disks and images, `logs` log buckets, `database` the
    databases of workloads; each is the path of a key, known to a preview (so that policies see its region), and of use:
    it waits for the grants. A key ring can't be deleted, so its name ends in something random and a stack can be made
    again.
    """

    lake: pulumi.Output[str]
    cluster: pulumi.Output[str]
    logs: pulumi.Output[str]
    database: pulumi.Output[str]

    def __init__(self, name: str, args: KeysArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:gcp:Keys", name, None, opts)
        self._args = args
        self._child = pulumi.ResourceOptions(parent=self)
        self._agents = {
            service: service_identity(f"{name}-{service}", args.project, service, self._child)
            for service in MADE_ON_DEMAND
            if any(service in USERS[use] for use in args.uses)
        }
        region, abroad = args.project.region, args.lake_location
        home = self._ring(name, region)
        places = {"lake": (self._ring(f"{name}-lake", abroad), abroad)} if abroad else {}
        made = {use: self._key(name, use, *places.get(use, (home, region)), USERS[use]) for use in args.uses}
        for use, path in made.items():
            setattr(self, use, path)
        self.register_outputs(made)

    def _ring(self, name: str, location: str) -> gcp.kms.KeyRing:
        return gcp.kms.KeyRing(name, project=self._args.project.id, location=location, opts=self._child)

    def _key(
        self, name: str, use: str, ring: gcp.kms.KeyRing, location: str, users: Sequence[str]
    ) -> pulumi.Output[str]:
        project, label = self._args.project, f"{self._args.alias}-{use}"
        key = gcp.kms.CryptoKey(
            f"{name}-{use}",
            key_ring=pulumi.Output.concat(f"projects/{project.id}/locations/{location}/keyRings/", ring.name),
            purpose="ENCRYPT_DECRYPT",
            rotation_period=f"{ROTATION_DAYS * DAY_SECONDS}s",
            destroy_scheduled_duration=f"{DESTROY_AFTER_DAYS * DAY_SECONDS}s",
            labels=tags.labels(self._args.governance, label),
            opts=pulumi.ResourceOptions(parent=self, protect=self._args.protect, depends_on=[ring]),
        )
        path = pulumi.Output.concat(
            f"projects/{project.id}/locations/{location}/keyRings/", ring.name, "/cryptoKeys/", key.name
        )
        grants = [self._grant(f"{name}-{use}-{user}", path, user) for user in users]
        # What a grant says of the key is what it was told, and is known as early, but comes after the grant.
        after_grants = [grant.crypto_key_id for grant in grants]
        return pulumi.Output.all(path, *after_grants).apply(lambda paths: paths[0])

    def _grant(self, name: str, key: pulumi.Output[str], user: str) -> gcp.kms.CryptoKeyIAMMember:
        after = [self._agents[user]] if user in self._agents else []
        return gcp.kms.CryptoKeyIAMMember(
            name,
            crypto_key_id=key,
            role=USE,
            member=self._member(user),
            opts=pulumi.ResourceOptions(parent=self, depends_on=after),
        )

    def _member(self, user: str) -> pulumi.Output[str]:
        """The agent as a member; storage's and logging's are asked for, which also makes them where they never were."""
        project = self._args.project
        asked = pulumi.InvokeOutputOptions(parent=self)
        match user:
            case "storage":
                found = gcp.storage.get_project_service_account_output(project=project.id, opts=asked)
                return pulumi.Output.concat("serviceAccount:", found.email_address)
            case "logging":
                cmek = gcp.logging.get_project_cmek_settings_output(project=project.id, opts=asked)
                return pulumi.Output.concat("serviceAccount:", cmek.service_account_id)
        return project.agent(user)
