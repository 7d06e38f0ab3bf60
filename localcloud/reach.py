"""Whether a deployer reaches and may use a cluster's API server, as the clouds' own records of the stack say.

The API servers of the local cloud listen on loopback and know one administrator. What stands between a deployer and the
real ones is asked here before a provider speaks to them: on AWS the endpoint, security groups and access entries that
moto and the providers hold; on Google the endpoint, authorised networks and firewall. Of a cluster that no cloud's API
made nothing is asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any

from localcloud import deployer
from localcloud.directories import run_dir
from localcloud.store import Store

if TYPE_CHECKING:
    from localcloud.kubernetes.clusters import ClusterAccess
    from localcloud.providers.aws.api import Api

API = 443
SSH = 22
EKS = "aws:eks/cluster:Cluster"
ENTRY, ASSOCIATION = (
    "aws:eks/accessEntry:AccessEntry",
    "aws:eks/accessPolicyAssociation:AccessPolicyAssociation",
)
ADMINISTRATORS = tuple(
    f"arn:aws:eks::aws:cluster-access-policy/{name}"
    for name in ("AmazonEKSClusterAdminPolicy", "AmazonEKSAdminPolicy")
)
ASKED_EARLY = "eks-asked-early"
GKE, VM, SUBNET, FIREWALL = (
    "gcp:container/cluster:Cluster",
    "gcp:compute/instance:Instance",
    "gcp:compute/subnetwork:Subnetwork",
    "gcp:compute/firewall:Firewall",
)
# Where Identity-Aware Proxy's TCP forwarding comes from ("Using IAP for TCP forwarding", Google Cloud).
IAP = IPv4Network("35.235.240.0/20")

# What client-go says, in pulumi-kubernetes' frame.
UNREACHABLE = (
    "configured Kubernetes cluster is unreachable: unable to load schema information from the API server"
)
TIME_OUT = f'{UNREACHABLE}: Get "{{endpoint}}/openapi/v2?timeout=32s": dial tcp: i/o timeout'
UNAUTHORIZED = f"{UNREACHABLE}: the server has asked for the client to provide credentials (401 Unauthorized)"


def refusal(cluster: ClusterAccess, *, proxied: bool) -> str | None:
    """What the deployer is told, with the reason that the cloud would not tell; None where nothing is in the way.

    `proxied` says that the client goes through a tunnel, and so by a jump host.
    """
    store = Store(run_dir() / "store.sqlite")
    record = store.get(EKS, f"{cluster.region}/{cluster.name}")
    if record:
        return _eks(cluster, record, store, proxied)
    of_google = [kept for key, kept in store.items(GKE).items() if key.endswith(f"/clusters/{cluster.name}")]
    if of_google and not _gke_admits(of_google[0]["inputs"], store, proxied):
        why = (
            "no authorised network is a deployer's, the DNS endpoint is closed, and no jump host leads there"
        )
        return _told(TIME_OUT, cluster, why)
    return None


def _told(words: str, cluster: ClusterAccess, why: str) -> str:
    return f"{words.format(endpoint=cluster.endpoint)}\n    the local cloud knows why: {why}"


def _eks(cluster: ClusterAccess, record: dict[str, Any], store: Store, proxied: bool) -> str | None:
    from localcloud.providers.aws.api import Api

    api = Api()
    if not _eks_admits(api, cluster, record, proxied):
        return _told(TIME_OUT, cluster, _why_no_way(api, cluster, record, proxied))
    if record.get("creatorIsAdmin", True):
        return None  # whoever made it is in from the start, and the local cloud's only caller did
    if not _is_administrator(cluster, store):
        return _told(
            UNAUTHORIZED, cluster, f"{deployer.arn()} has no access entry with an administrator's policy"
        )
    if _asked_too_early(api, cluster, store):
        why = (
            "an access entry counts some seconds after it is made: wait for what takes minutes, as the nodes"
        )
        return _told(UNAUTHORIZED, cluster, why)
    return None


def _eks_admits(api: Api, cluster: ClusterAccess, record: dict[str, Any], proxied: bool) -> bool:
    described = api.call("eks", cluster.region, "DescribeCluster", {"name": cluster.name})["cluster"]
    endpoint = described["resourcesVpcConfig"]
    if endpoint.get("endpointPublicAccess", True):
        return True
    own = record["clusterSecurityGroupId"]
    wanted = {"Filters": [{"Name": "group-id", "Values": [own, *(endpoint.get("securityGroupIds") or ())]}]}
    rules = api.call("ec2", cluster.region, "DescribeSecurityGroupRules", wanted)["SecurityGroupRules"]
    admitting = [rule for rule in rules if _admits_api(rule)]
    if any(rule.get("CidrIpv4") for rule in admitting):
        return True
    groups = {(rule.get("ReferencedGroupInfo") or {}).get("GroupId") for rule in admitting} - {None, own}
    return proxied and any(groups & worn for worn in _groups_of_machines(api, cluster.region))


def _why_no_way(api: Api, cluster: ClusterAccess, record: dict[str, Any], proxied: bool) -> str:
    """Why nobody is let in, and the way: a rule for a security group is one for machines that wear it."""
    own = record["clusterSecurityGroupId"]
    wanted = {"Filters": [{"Name": "group-id", "Values": [own]}]}
    rules = api.call("ec2", cluster.region, "DescribeSecurityGroupRules", wanted)["SecurityGroupRules"]
    named = {(rule.get("ReferencedGroupInfo") or {}).get("GroupId") for rule in rules if _admits_api(rule)}
    groups = ", ".join(sorted(str(group) for group in named - {None, own}))
    if not groups:
        return f"no rule of {own} lets a deployer in on port {API}{'' if proxied else ' without a tunnel'}"
    if proxied:
        return f"no running machine has a security group that {own} lets in on port {API}: {groups}"
    return (
        f"{own} lets in only machines with {groups} on port {API}, and this program runs on none: run it on such a "
        "machine, or set HTTPS_PROXY to a tunnel through one"
    )


def _admits_api(rule: dict[str, Any]) -> bool:
    if rule["IsEgress"]:
        return False
    every_port = rule["IpProtocol"] == "-1"
    return every_port or (rule["IpProtocol"] == "tcp" and rule["FromPort"] <= API <= rule["ToPort"])


def _groups_of_machines(api: Api, region: str) -> Iterator[set[str]]:
    """The security groups of each running instance."""
    for reservation in api.call("ec2", region, "DescribeInstances", {})["Reservations"]:
        for machine in reservation["Instances"]:
            if machine["State"]["Name"] == "running":
                cards = machine.get("NetworkInterfaces") or ()
                yield {group["GroupId"] for card in cards for group in card["Groups"]}


def _is_administrator(cluster: ClusterAccess, store: Store) -> bool:
    at = f"{cluster.region}/{cluster.name}"
    if store.get(ENTRY, f"{at}:{deployer.arn()}") is None:
        return False
    given = (store.get(ASSOCIATION, f"{at}#{deployer.arn()}#{policy}") for policy in ADMINISTRATORS)
    return any(kept and kept["accessScope"]["type"] == "cluster" for kept in given)


def _asked_too_early(api: Api, cluster: ClusterAccess, store: Store) -> bool:
    """Whether the cluster is asked before anything that takes minutes was made in it.

    No clock: a cluster without a node group is asked too early the first time, and, as on AWS, answers the next run.
    """
    if api.call("eks", cluster.region, "ListNodegroups", {"clusterName": cluster.name})["nodegroups"]:
        return False
    if store.get(ASKED_EARLY, cluster.endpoint) is not None:
        return False
    store.put(ASKED_EARLY, cluster.endpoint, {})
    return True


def _gke_admits(inputs: dict[str, Any], store: Store, proxied: bool) -> bool:
    endpoints = inputs.get("controlPlaneEndpointsConfig") or {}
    if (endpoints.get("dnsEndpointConfig") or {}).get("allowExternalTraffic"):
        return True
    authorised = [
        IPv4Network(block["cidrBlock"])
        for block in (inputs.get("masterAuthorizedNetworksConfig") or {}).get("cidrBlocks") or ()
    ]
    if "masterAuthorizedNetworksConfig" not in inputs:
        return True  # whoever reaches the endpoint, which may be public
    own = _ranges(inputs.get("subnetwork"), store)
    if any(not any(block.subnet_of(range_) for range_ in own) for block in authorised):
        return True
    return proxied and any(_leads_there(vm["inputs"], authorised, store) for vm in store.items(VM).values())


def _ranges(subnetwork: str | None, store: Store) -> list[IPv4Network]:
    """The addresses of a cluster's own nodes and pods: no deployer's."""
    record = store.get(SUBNET, subnetwork or "")
    if record is None:
        return []
    given = record["inputs"]
    pods = [more["ipCidrRange"] for more in given.get("secondaryIpRanges") or ()]
    return [IPv4Network(text) for text in (given["ipCidrRange"], *pods)]


def _leads_there(vm: dict[str, Any], authorised: list[IPv4Network], store: Store) -> bool:
    """Whether IAP reaches a VM, and the VM the API server."""
    for card in vm.get("networkInterfaces") or ():
        record = store.get(SUBNET, card.get("subnetwork") or "")
        if record is None:
            continue
        subnet = IPv4Network(record["inputs"]["ipCidrRange"])
        allowed = any(subnet.subnet_of(block) for block in authorised)
        if allowed and any(
            _lets_iap_in(rule["inputs"], vm, record["inputs"]["network"])
            for rule in store.items(FIREWALL).values()
        ):
            return True
    return False


def _lets_iap_in(rule: dict[str, Any], vm: dict[str, Any], network: str) -> bool:
    accounts, tags = rule.get("targetServiceAccounts") or (), rule.get("targetTags") or ()
    own = (vm.get("serviceAccount") or {}).get("email")
    meant = (not accounts and not tags) or own in accounts or bool(set(tags) & set(vm.get("tags") or ()))
    from_iap = any(IAP.subnet_of(IPv4Network(text)) for text in rule.get("sourceRanges") or ())
    ssh = any(
        allow["protocol"] == "all"
        or (allow["protocol"] == "tcp" and (not allow.get("ports") or _has_port(allow["ports"], SSH)))
        for allow in rule.get("allows") or ()
    )
    return rule.get("direction") == "INGRESS" and rule["network"] == network and meant and from_iap and ssh


def _has_port(ranges: list[str], port: int) -> bool:
    limits = [text.partition("-") for text in ranges]
    return any(int(first) <= port <= int(last or first) for first, _, last in limits)
