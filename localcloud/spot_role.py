"""Spot's service-linked role, as EC2 asks for it: without it no spot machine starts, and EC2 makes it for a caller who
may (AWSServiceRoleForEC2Spot; the row `spot_has_a_role` of aws/habits.yaml has the sources).

Karpenter's controller is the caller. It is asked about when a NodePool that buys spot comes, where the real EC2 refuses
its first machine: here nobody asks EC2 for one. Of a cluster that no account stands behind nothing is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from infra.contracts.labels import CAPACITY_TYPE_LABEL
from localcloud.directories import run_dir
from localcloud.permissions.iam_policies import Policies, Request, Statement, judge, statements
from localcloud.store import Store

if TYPE_CHECKING:
    from localcloud.kubernetes.clusters import ClusterAccess
    from localcloud.providers.aws.api import Api

EKS, ASSOCIATION = (
    "aws:eks/cluster:Cluster",
    "aws:eks/podIdentityAssociation:PodIdentityAssociation",
)
CONTROLLER = ("kube-system", "karpenter")
SERVICE = "spot.amazonaws.com"
PATH = f"/aws-service-role/{SERVICE}/"
WORDS = (
    "creating instance, with fleet error(s), AuthFailure.ServiceLinkedRoleCreationNotPermitted: The provided "
    "credentials do not have permission to create the service-linked role for EC2 Spot Instances."
)


def refusal(cluster: ClusterAccess, node_pool: Mapping[str, Any]) -> str:
    """What Karpenter is told when it buys for a NodePool (its spec), with the reason; empty where it gets the machine.

    The role is there then: it is made where the controller may.
    """
    from localcloud.providers.aws.api import Api, RefusedError

    store = Store(run_dir() / "store.sqlite")
    if not _buys_spot(node_pool) or store.get(EKS, f"{cluster.region}/{cluster.name}") is None:
        return ""
    api = Api()
    if api.call("iam", cluster.region, "ListRoles", {"PathPrefix": PATH})["Roles"]:
        return ""
    controllers = [
        kept["roleArn"]
        for kept in store.items(ASSOCIATION).values()
        if kept["clusterName"] == cluster.name and (kept["namespace"], kept["serviceAccount"]) == CONTROLLER
    ]
    why = [_lacks(api, cluster.region, role) for role in controllers]
    if "" not in why:
        said = "; ".join(why) or "no Pod Identity association gives Karpenter's controller a role"
        return f"{WORDS}\n    the local cloud knows why: {said}"
    try:
        api.call("iam", cluster.region, "CreateServiceLinkedRole", {"AWSServiceName": SERVICE})
    except RefusedError as error:
        if error.code != "EntityAlreadyExists":  # another NodePool of this update was quicker
            raise
    return ""


def _buys_spot(node_pool: Mapping[str, Any]) -> bool:
    needs: Sequence[Mapping[str, Any]] = node_pool["template"]["spec"].get("requirements") or ()
    return any(
        need.get("key") == CAPACITY_TYPE_LABEL and "spot" in (need.get("values") or ()) for need in needs
    )


def _lacks(api: Api, region: str, role: str) -> str:
    """Why a role may not make spot's; empty where it may."""
    account, name = role.split(":")[4], role.rpartition("/")[2]
    made = f"arn:aws:iam::{account}:role{PATH}AWSServiceRoleForEC2Spot"
    request = Request("iam:CreateServiceLinkedRole", made, role, {"iam:AWSServiceName": SERVICE})
    verdict = judge(request, Policies(_policies(api, region, name)))
    return "" if verdict.allowed else verdict.why


def _policies(api: Api, region: str, role: str) -> dict[str, list[Statement]]:
    names = api.call("iam", region, "ListRolePolicies", {"RoleName": role})["PolicyNames"]
    return {
        f"policy {name} of the role {role}": statements(
            api.call("iam", region, "GetRolePolicy", {"RoleName": role, "PolicyName": name})["PolicyDocument"]
        )
        for name in names
    }
