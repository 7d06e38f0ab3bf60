"""`make reclaim NODE=…`: EC2 takes a spot node of the running local cloud back, and everything is watched until the
pods are back: a timeline, and what the jobs on it lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from commands.console import console
from commands.reclaim.interruption import (
    NOTICE_SECONDS,
    Interruption,
    NoticeLostError,
    Pod,
    SpotNode,
    Timeline,
    give_notice,
    not_notified,
    pods_of,
    spot_nodes,
)
from commands.stacks import settings_of
from infra import geography
from infra.catalog.machines import machine
from infra.catalog.tables import CatalogError
from infra.pricing.rupees import format_price
from infra.settings.stack import Settings
from infra.spelling import nearest
from localcloud import cloud
from localcloud.engine import EngineError
from localcloud.kubernetes import clusters
from localcloud.kubernetes.api import ApiError, UnreachableError

ERRORS = (EngineError,)
PROJECT_NAME = "india-ai-infra"


class CannotReclaimError(LookupError):
    """No such node to take; the message says why, and which there are."""


def reclaim(
    node: Annotated[str, typer.Option(help="A spot node's name, or its beginning; none lists them.")] = "",
    stack: Annotated[
        str, typer.Option("--stack", "-s", help="Whose cluster: Pulumi.<stack>.yaml.")
    ] = "local",
    notice_seconds: Annotated[
        float, typer.Option(min=1, help="From the notice to the machine's end; EC2 gives 120.")
    ] = NOTICE_SECONDS,
) -> None:
    """Take a spot node of the running local cloud back, as EC2 does, and watch what Karpenter makes of it."""
    try:
        settings = settings_of(stack)
        access = cluster_of(stack)
        there = spot_nodes(access.api())
        if not node:
            _list(there, access, settings)
            return
        chosen = choose(node, there)
        timeline = interrupt(access, chosen, settings, notice_seconds)
    except (CannotReclaimError, NoticeLostError, ApiError, UnreachableError, clusters.ClusterError) as error:
        console.print(f"[red]✗[/] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(1) from None
    for line in lost(timeline, settings, access.region, chosen, notice_seconds):
        console.print(line, soft_wrap=True, markup=False)
    if timeline.missing:
        for line in timeline.missing:
            console.print(f"[red]✗[/] {escape(line)}", soft_wrap=True)
        raise typer.Exit(1)


def cluster_of(stack: str) -> clusters.ClusterAccess:
    """The running EKS cluster of a stack.

    Raises:
        CannotReclaimError: the stack is not up, or part of it ended.
    """
    name = f"{PROJECT_NAME}-{stack}"
    access = clusters.named(name)
    if access is None or cloud.aws_endpoint() is None:
        raise CannotReclaimError(
            f"{stack} is not up: `make up STACK={stack}` first, then `make reclaim` lists its spot nodes"
        )
    if ended := clusters.ended(name):
        raise CannotReclaimError(
            f"{stack} has lost {', '.join(sorted(ended))}: `make up STACK={stack}` begins anew"
        )
    if geography.region(access.region).cloud != "aws":
        raise CannotReclaimError(f"{name} is not on AWS: only EC2's reclaims are played")
    return access


def choose(wanted: str, there: Sequence[SpotNode]) -> SpotNode:
    """The spot node that a name, or its beginning, means.

    Raises:
        CannotReclaimError: none, or several.
    """
    names = [node.name for node in there]
    if not names:
        raise CannotReclaimError(
            "no spot node runs: nothing to take back. `make reclaim` lists them as they come"
        )
    found = [node for node in there if node.name == wanted] or [
        node for node in there if node.name.startswith(wanted)
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise CannotReclaimError(f"NODE={wanted} begins several: {', '.join(node.name for node in found)}")
    near = nearest(wanted, names)
    hint = f"; the nearest is {near}" if near else ""
    raise CannotReclaimError(
        f"NODE={wanted} is no spot node of this cluster; there are {', '.join(names)}{hint}"
    )


def interrupt(
    access: clusters.ClusterAccess, node: SpotNode, settings: Settings, notice_seconds: float
) -> Timeline:
    """Give notice, and watch the node's end and its pods' return; prints each event as it comes."""
    region = access.region
    message = give_notice(node, region, access.name, _client(region))
    console.print(f"[bold]{node.name}[/]: {node.machine_type} spot in {node.zone}, pool {node.pool or '–'}")
    console.print("  seconds")

    def on_event(seconds: float, what: str) -> None:
        console.print(f"  {seconds:7.1f}  {what}", soft_wrap=True, markup=False)

    on_event(0, f"EC2's notice, through EventBridge's rule on the queue {access.name}: message {message}")

    def price(machine_type: str, purchase: str) -> str:
        inr = _inr_hour(region, machine_type, purchase, settings)
        return "no price known" if inr is None else f"{format_price(inr)} an hour"

    return Interruption(access.api(), access.name, region, node, on_event, price, notice_seconds).run()


def lost(
    timeline: Timeline, settings: Settings, region: str, node: SpotNode, notice_seconds: float
) -> list[str]:
    """A line for each owner of the node's pods: what a reclaim takes from it."""
    owners: dict[str, list[Pod]] = {}
    for pod in timeline.before:
        owners.setdefault(pod.owner or f"pod {pod.namespace}/{pod.name}", []).append(pod)
    never = {pod.uid for pod in not_notified(timeline, notice_seconds)}
    lines = []
    for owner, pods in owners.items():
        if not pods[0].owner:
            what = "lost, for nobody makes a bare pod again"
        elif not owner.startswith("Job/"):
            back = f"back after {timeline.back_after:.0f} s" if timeline.back_after else "not back"
            what = f"{len(pods)} pods moved, {back}; its other replicas served on"
        elif any(pod.uid in never for pod in pods):
            what = _unsaved(pods, settings, region, node)
        else:
            what = _saved(pods, max(timeline.notified[pod.uid] for pod in pods), notice_seconds)
        lines.append(f"{owner}: {what}")
    return lines


def _saved(pods: Sequence[Pod], told: float, notice_seconds: float) -> str:
    left = min(pods[0].grace_seconds, notice_seconds - told)
    return (
        f"told {told:.0f} s after the notice, with {left:.0f} s to save and leave (its pods ask for "
        f"{pods[0].grace_seconds}); it loses the step it was in, and waits for its new machine"
    )


def _unsaved(pods: Sequence[Pod], settings: Settings, region: str, node: SpotNode) -> str:
    """What a job loses whose pods got no notice: all work since its last checkpoint."""
    asked = settings.aws.cluster.pools if settings.aws else ()
    hours = next((pool.hours_lost_per_reclaim for pool in asked if pool.name == node.pool), 1.0)
    inr = _inr_hour(region, node.machine_type, "spot", settings)
    cost = f", {format_price(hours * inr)} of each of its machines" if inr else ""
    guarded = any(pod.guarded for pod in pods) and node.claim
    why = (
        "they say karpenter.sh/do-not-disrupt, which Karpenter's drain obeys in a reclaim too, unless the NodePool has "
        "a terminationGracePeriod"
        if guarded
        else "a disruption budget forbade it"
    )
    return (
        f"its pods were never told ({why}): "
        f"it loses all since its last checkpoint, {hours:g} h as the pool says{cost}"
    )


def _list(there: Sequence[SpotNode], access: clusters.ClusterAccess, settings: Settings) -> None:
    pods = pods_of(access.api())
    table = Table(
        "pool",
        "node",
        "machine",
        "zone",
        "₹/hour",
        "pods",
        box=SIMPLE_HEAD,
        title=f"Spot nodes of {access.name}",
    )
    table.title_justify = "left"
    for node in there:
        inr = _inr_hour(access.region, node.machine_type, "spot", settings)
        count = sum(pod.node == node.name for pod in pods)
        cells = (node.name, node.machine_type, node.zone, format_price(inr) if inr else "–", str(count))
        table.add_row(node.pool or "–", *cells)
    console.print(table)
    console.print(
        "take one: make reclaim NODE=<name, or its beginning>" if there else "none runs", markup=False
    )


def _inr_hour(region: str, machine_type: str, purchase: str, settings: Settings) -> float | None:
    try:
        usd = machine(region, machine_type).price(purchase)
    except CatalogError:
        return None
    return None if usd is None else usd * settings.currency.usd_inr


def _client(region: str) -> Callable[[str], Any]:
    import boto3

    access = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    return lambda service: boto3.client(
        service, region_name=region, endpoint_url=cloud.aws_endpoint(), **access
    )
