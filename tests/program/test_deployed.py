"""Losses of a stack that is up, on programs of a few lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_gcp as gcp
import pulumi_kubernetes as kubernetes
import pytest

from tests.mock_engine import Deploy
from tests.program.deployed import deployed, losses

pytestmark = pytest.mark.slow

Program = Callable[[], Any]


def room(type_: str = "shop:Room", name: str = "room", was: pulumi.Alias | None = None) -> Program:
    """A component with a group in it, which has a name of its own, and one that begins with the component's."""

    def program() -> None:
        opts = pulumi.ResourceOptions(aliases=[was] if was else None)
        inside = pulumi.ResourceOptions(parent=pulumi.ComponentResource(type_, name, opts=opts))
        aws.ec2.SecurityGroup("door", description="closed", opts=inside)
        aws.ec2.SecurityGroup(f"{name}-window", description="closed", opts=inside)

    return program


def group(**given: Any) -> Program:
    return lambda: aws.ec2.SecurityGroup("door", **given) and None


def nodes(cidr: str) -> Program:
    return lambda: (
        gcp.compute.Subnetwork("nodes", ip_cidr_range=cidr, network="n", region="asia-south1") and None
    )


def job(image: str, *, deadline: int = 60) -> Program:
    template = {"spec": {"containers": [{"name": "train", "image": image}]}}
    spec: Any = {"activeDeadlineSeconds": deadline, "template": template}
    return lambda: kubernetes.batch.v1.Job("train", metadata={"name": "train"}, spec=spec) and None


GROUP = "aws:ec2/securityGroup:SecurityGroup"


@pytest.mark.parametrize(
    ("before", "after", "lost"),
    [
        (room(), room(), []),
        (group(), lambda: None, [f"{GROUP}::door: gone; an alias"]),
        (room(), room(name="hall"), [f"shop:Room${GROUP}::room-window: gone", "shop:Room::room: gone"]),
        (room(), room(name="hall", was=pulumi.Alias(name="room")), []),
        (
            room(),
            room(type_="shop:Hall"),
            [
                f"shop:Room${GROUP}::door: gone",
                f"shop:Room${GROUP}::room-window: gone",
                "shop:Room::room: gone",
            ],
        ),
        (room(), room(type_="shop:Hall", was=pulumi.Alias(type_="shop:Room")), []),
        (
            group(description="a"),
            group(description="b"),
            [f"{GROUP}::door: replaced, for description was 'a' and is 'b'"],
        ),
        (group(tags={"a": "1"}), group(tags={"a": "2"}), []),
        # Google lets a range of addresses grow.
        (nodes("10.0.0.0/20"), nodes("10.0.0.0/19"), []),
        (nodes("10.0.0.0/20"), nodes("10.0.0.0/21"), ["Subnetwork::nodes: replaced, for ipCidrRange was"]),
        (job("a:1"), job("a:1", deadline=90), []),
        (
            job("a:1"),
            job("a:2"),
            ["Job::train: replaced, for spec.template.spec.containers[0].image was 'a:1' and is 'a:2'"],
        ),
    ],
)
def test_what_is_called_otherwise_or_replaced_is_lost(
    deploy: Deploy, before: Program, after: Program, lost: list[str]
) -> None:
    found = sorted(losses(deployed(deploy(before).resources), deploy(after).resources))
    assert len(found) == len(lost), found
    assert all(words in line for words, line in zip(lost, found, strict=True)), found


def test_of_a_long_text_a_change_is_kept_and_not_the_text(deploy: Deploy) -> None:
    def program(text: str) -> Program:
        return lambda: kubernetes.core.v1.ConfigMap("program", data={"train.py": text}) and None

    before = deployed(deploy(program("x" * 500)).resources)
    assert "xxx" not in str(before)
    (line,) = losses(before, deploy(program("y" * 500)).resources)
    assert "ConfigMap::program: replaced, for data.train.py was '500 characters, sha256" in line
