"""Where the calls of a pod go: the name server, whoever gives it its identity, and the store, by their addresses as
the stack's network resolves them.

No pod of ours speaks to STS or KMS: the agent of Pod Identity and GKE's metadata server do the one, S3 and Cloud
Storage the other.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import botocore.session

from localcloud.permissions.network import Connection, End
from tests.localcloud.permissions.rendered import S3_RANGES, Container

# Somewhere in the internet (RFC 5737).
ABROAD = End("198.51.100.7")
# EKS user guide, "How EKS Pod Identity works".
POD_IDENTITY_AGENT = End("169.254.170.23")
# GKE documentation, "Network policy and Workload Identity Federation for GKE": by what enforces the policies.
METADATA_SERVERS = {"ADVANCED_DATAPATH": (End("169.254.169.254"), 80), None: (End("169.254.169.252"), 988)}


def pod(container: Container) -> End:
    return End(namespace=container.namespace, labels=container.labels)


def ways(made: Any, cloud: str, container: Container) -> Iterator[Connection]:
    """What a call of a container's program to its store opens, one after the other."""
    source = pod(container)
    yield from ways_to_names(made, cloud, source)
    if cloud == "aws":
        yield Connection(source, POD_IDENTITY_AGENT, 80)
    else:
        server, port = METADATA_SERVERS[_google_cluster(made).get("datapathProvider")]
        yield Connection(source, server, port)
    for address in addresses(made, cloud, store_host(cloud, container)):
        yield Connection(source, address, 443)


def ways_to_names(made: Any, cloud: str, source: End) -> Iterator[Connection]:
    """What a pod opens to resolve a name."""
    for protocol in ("UDP", "TCP"):
        yield Connection(source, _name_server(made, cloud), 53, protocol)


def store_host(cloud: str, container: Container) -> str:
    """The host that the store's client speaks to, by the container's environment."""
    if cloud == "gcp":
        return "storage.googleapis.com"
    session = botocore.session.get_session()
    region = container.environment["AWS_REGION"]
    client = session.create_client("s3", region, aws_access_key_id="none", aws_secret_access_key="none")
    return urlsplit(client.meta.endpoint_url).netloc


def addresses(made: Any, cloud: str, host: str) -> list[End]:
    """What a name resolves to within the stack's network; a name that it has no way of its own for lies abroad."""
    found = _in_vpc(made, host) if cloud == "aws" else _in_zones(made, f"{host}.")
    return [End(address) for address in found] or [ABROAD]


def _in_vpc(made: Any, host: str) -> Iterator[str]:
    """Addresses of S3, which an S3 gateway does not move, and of the interface endpoints with a private name."""
    for region, cidr in S3_RANGES.items():
        if host.endswith(f"s3.{region}.amazonaws.com"):
            yield str(ipaddress.ip_network(cidr)[1])
    subnets = {subnet.name: subnet.inputs for subnet in made.of("ec2/subnet:Subnet").values()}
    for endpoint in made.of("ec2/vpcEndpoint:VpcEndpoint").values():
        _, _, region, service = endpoint.inputs["serviceName"].split(".", 3)
        if host == f"{service}.{region}.amazonaws.com" and endpoint.inputs.get("privateDnsEnabled"):
            inside = [inputs for name, inputs in subnets.items() if "intra" in name]
            yield from (str(ipaddress.ip_network(inputs["cidrBlock"])[10]) for inputs in inside)


def _in_zones(made: Any, name: str) -> list[str]:
    """A name in the VPC's private zones, by its own record or the wildcard above it."""
    records = {record.inputs["name"]: record.inputs for record in made.of("dns/recordSet:RecordSet").values()}
    found = records.get(name) or records.get(f"*.{name.partition('.')[2]}")
    if found is None:
        return []
    answers = list(found["rrdatas"])
    return answers if found["type"] == "A" else [end for answer in answers for end in _in_zones(made, answer)]


def _name_server(made: Any, cloud: str) -> End:
    """The pods that answer. On GKE the cache on the node, where there is one (Dataplane V2 leads queries to it)."""
    cached = cloud == "gcp" and _google_cluster(made)["addonsConfig"]["dnsCacheConfig"]["enabled"]
    # With Cloud DNS, a cluster's own choice, it would be an address and no pod.
    assert cloud == "aws" or "dnsConfig" not in _google_cluster(made)
    return End(namespace="kube-system", labels={"k8s-app": "node-local-dns" if cached else "kube-dns"})


def _google_cluster(made: Any) -> Any:
    return made.one("gcp:container/cluster:Cluster").inputs
