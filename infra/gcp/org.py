"""Org: what nobody in a folder may do, whatever their roles: leave India, open a bucket, hand out a key.

They act on what is made from then on, not on what stands, nor on global resources, and Google says of them that they
are no commitment about where data is ("Restricting resource locations").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from infra.geography import regions_of

# Google's group of values for pairs of regions within India, which a lake in both needs.
INDIA = "in:in-locations"
# Global addresses of services that answer from wherever they like; their regional ones (`asia-south1-…`) stay open.
GLOBAL_ENDPOINTS = ("aiplatform.googleapis.com",)
CMEK_SERVICES = ("storage.googleapis.com", "pubsub.googleapis.com")
SWITCHED_ON = (
    "storage.uniformBucketLevelAccess",
    "storage.publicAccessPrevention",
    "compute.requireShieldedVm",
    "compute.requireOsLogin",
    "compute.skipDefaultNetworkCreation",
    "iam.disableServiceAccountKeyCreation",
    "iam.automaticIamGrantsForDefaultServiceAccounts",
    "sql.restrictPublicIp",
)


@dataclass(frozen=True)
class OrgArgs:
    """`folder` is `folders/N`; `project` holds the keys; `dual_region` lets data be in both Indian regions."""

    folder: str
    project: str
    region: str
    dual_region: bool = False


class Org(pulumi.ComponentResource):
    """Organisation policies of a folder, and where logs of new projects in it are kept."""

    def __init__(self, name: str, args: OrgArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:gcp:Org", name, None, opts)
        self._name, self._folder = name, args.folder
        places = [f"in:{region}-locations" for region in regions_of("gcp")]
        self._list("gcp.resourceLocations", allowed=[*places, INDIA] if args.dual_region else places)
        self._list("gcp.restrictEndpointUsage", denied=GLOBAL_ENDPOINTS)
        self._list("gcp.restrictNonCmekServices", denied=CMEK_SERVICES)
        self._list("gcp.restrictCmekCryptoKeyProjects", allowed=[f"projects/{args.project}"])
        self._policy("compute.vmExternalIpAccess", {"deny_all": "TRUE"})
        for constraint in SWITCHED_ON:
            self._policy(constraint, {"enforce": "TRUE"})
        gcp.logging.FolderSettings(
            name,
            folder=args.folder.removeprefix("folders/"),
            storage_location=args.region,  # else a new project's logs are in `global`
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"folder": args.folder})

    def _list(self, constraint: str, allowed: Sequence[str] = (), denied: Sequence[str] = ()) -> None:
        values: gcp.orgpolicy.PolicySpecRuleValuesArgsDict = (
            {"allowed_values": list(allowed)} if allowed else {"denied_values": list(denied)}
        )
        self._policy(constraint, {"values": values})

    def _policy(self, constraint: str, rule: gcp.orgpolicy.PolicySpecRuleArgsDict) -> None:
        gcp.orgpolicy.Policy(
            f"{self._name}-{constraint}",
            name=f"{self._folder}/policies/{constraint}",
            parent=self._folder,
            spec={"inherit_from_parent": False, "rules": [rule]},
            opts=pulumi.ResourceOptions(parent=self),
        )
