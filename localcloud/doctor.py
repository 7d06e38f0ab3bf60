"""Finds what a broken run left behind: dead processes, and cloud resources that no state file knows.

Resources carry the names of the project and the stack as tags: what is tagged and not in the state is a leftover, and
so are the network interfaces and security groups that controllers made. `in_account` asks any account the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
from rich.markup import escape
from rich.table import Table

from . import cloud
from .engine import Stack
from .progress import console

PROJECT_NAME = "india-ai-infra"


@dataclass(frozen=True)
class Leftover:
    """Something that should not be there, and what removes it."""

    kind: str
    name: str
    remedy: str


def leftovers(stack: str) -> list[Leftover]:
    """Everything that this stack's state does not account for."""
    died = cloud.what_died()
    if died:
        return [Leftover("process", died, "`make up` begins anew, `make down` clears it")]
    endpoint = cloud.aws_endpoint()
    if endpoint is None:
        return []
    opened = Stack(stack, cloud.environment(endpoint))
    resources = opened.resources()
    found = [Leftover("operation", urn, "`make up` recovers it") for urn in opened.pending()]
    session = boto3.Session("local", "local", region_name=_region(resources))
    return [*found, *in_account(session, stack, _known(resources), endpoint)]


def in_account(
    session: boto3.Session, stack: str, known: set[str], endpoint: str | None = None
) -> Iterator[Leftover]:
    """Leftovers of a stack in an AWS account: tagged as ours and not known, or made by its controllers."""

    def client(service: str) -> Any:
        return session.client(service, endpoint_url=endpoint)

    tags = client("resourcegroupstaggingapi").get_paginator("get_resources")
    ours = [{"Key": "project", "Values": [PROJECT_NAME]}, {"Key": "stack", "Values": [stack]}]
    for page in tags.paginate(TagFilters=ours):
        for resource in page["ResourceTagMappingList"]:
            arn = resource["ResourceARN"]
            if (
                arn not in known
                and arn.rsplit("/", 1)[-1] not in known
                and arn.rsplit(":", 1)[-1] not in known
            ):
                yield Leftover("resource", arn, "delete it in the console, or import it into the stack")
    ec2 = client("ec2")
    owned = [{"Name": "tag-key", "Values": ["kubernetes.io/cluster/*", "eks:cluster-name"]}]
    for group in ec2.describe_security_groups(Filters=owned)["SecurityGroups"]:
        if group["GroupId"] not in known:
            yield Leftover("security group", group["GroupId"], "made by EKS or a controller: delete it")
    free = [{"Name": "status", "Values": ["available"]}]
    for card in ec2.describe_network_interfaces(Filters=free)["NetworkInterfaces"]:
        yield Leftover(
            "network interface", card["NetworkInterfaceId"], "unattached, holds its subnet: delete it"
        )


def show(left: list[Leftover]) -> None:
    if not left:
        console.print("[green]✓[/] nothing is left behind")
        return
    table = Table("what", "name", "what to do", title="Left behind", title_justify="left")
    for item in left:
        table.add_row(item.kind, escape(item.name), escape(item.remedy))
    console.print(table)


def _known(resources: list[dict]) -> set[str]:
    """Every id and ARN in the state."""
    ids = {resource.get("id", "") for resource in resources}
    arns = {str((resource.get("outputs") or {}).get("arn", "")) for resource in resources}
    return ids | arns


def _region(resources: list[dict]) -> str:
    providers = [r for r in resources if r["type"] == "pulumi:providers:aws"]
    regions = [r["inputs"]["region"] for r in providers if "region" in r.get("inputs", {})]
    return regions[0] if regions else os.environ.get("AWS_REGION", "ap-south-1")
