"""What a person reads after `make up`: resources, nodes, pods, rupees, policies, and what to try next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from rich.markup import escape
from rich.table import Table

from commands.choose.show_risk import show_risk
from commands.console import console
from commands.cost.show_estimate import show_estimate
from infra.catalog.machines import stale
from infra.contracts.labels import (
    CAPACITY_TYPE_LABEL,
    EFA_RESOURCE,
    GKE_NETWORK_RESOURCES,
    GPU_RESOURCE,
    INSTANCE_TYPE_LABEL,
    POOL_LABEL,
    SIMULATED,
    SIMULATED_RUNTIME,
    ZONE_LABEL,
)
from infra.pricing.estimate import estimate
from infra.pricing.resources import Resource
from infra.settings.pools import GpuPool
from infra.settings.stack import Settings
from localcloud.engine import Outcome, Stack
from localcloud.kubernetes import clusters
from localcloud.kubernetes import waiting as waits
from localcloud.kubernetes.agent import claims
from localcloud.kubernetes.waiting import Waiting
from localcloud.providers.aws.table import kept_types

SYSTEM = "system"


@dataclass(frozen=True)
class Node:
    """A node as the summary shows it; `pool` is the platform's own label."""

    name: str
    pool: str
    machine_type: str
    zone: str
    spot: bool
    gpus: int
    cards: int  # of its fabric: EFA interfaces, or Google's networks beside the first


@dataclass(frozen=True)
class Pods:
    """Counts of pods by phase, of all of them and of those that ask for GPUs; `simulated` of them ran to their end in
    name only. `run` are those that really run here, and `not_run` those that could, by the reason why they don't."""

    phases: Counter[str]
    gpu_phases: Counter[str]
    simulated: int = 0
    run: int = 0
    not_run: Counter[str] = field(default_factory=Counter)


def show(stack: Stack, settings: Settings, preview: Outcome) -> None:
    """Print the whole summary of a stack that is up."""
    resources = stack.resources()
    console.print()
    if preview.unchanged:
        console.print(
            f"[green]Nothing changed[/]: {preview.changes['same']} resources are as the program asks."
        )
    _show_resources(resources)
    for cluster in clusters.recorded():
        found, pods = look(cluster)
        _show_nodes(cluster, found)
        _show_pods(pods)
    show_waiting(waits.settle(clusters.recorded(), 0))
    show_risk(_pools(settings), console)
    month = estimate((Resource.of_state(resource) for resource in resources), settings.usage)
    show_estimate(month, settings.currency, settings.budget, console)
    if old := stale(date.today()):
        console.print(f"[yellow]{old}[/]", soft_wrap=True)
    show_policies(preview)
    _show_kept({resource["type"] for resource in resources if resource.get("custom")})
    _show_next(stack.name)


def _show_kept(types: set[str]) -> None:
    """What is checked and kept, and carried out by nobody."""
    kept = sorted(token.rpartition(":")[2] for token in types & kept_types().keys())
    google = sorted(token for token in types if token.startswith("gcp:"))
    said = [f"calls of AWS {', '.join(kept)}"] if kept else []
    if google:
        said.append(f"{len(google)} types of Google Cloud, but for clusters and their pools")
    if said:
        console.print(f"[dim]checked and kept, not carried out: {'; '.join(said)}[/]", soft_wrap=True)


def _pools(settings: Settings) -> Iterator[tuple[str, GpuPool]]:
    """Each GPU pool of the stack with its region."""
    for cloud in (settings.aws, settings.gcp):
        if cloud:
            yield from ((cloud.region, pool) for pool in cloud.cluster.pools)


def look(cluster: str) -> tuple[list[Node], Pods]:
    """Nodes and pods of a cluster, asked of its API server."""
    found = clusters.named(cluster)
    if found is None:
        return [], Pods(Counter(), Counter())
    api = found.api()
    nodes = [_node(item) for item in api.list("v1", "Node")]
    phases, gpu_phases, simulated = Counter[str](), Counter[str](), 0
    run, not_run = 0, Counter[str]()
    for pod in api.list("v1", "Pod"):
        runs = claims.in_table(pod)
        run += runs and bool(pod["spec"].get("nodeName"))
        if why := pod["metadata"].get("annotations", {}).get(SIMULATED):
            not_run[why] += 1
        simulated += not runs and SIMULATED_RUNTIME in pod["metadata"].get("annotations", {})
        phases[pod["status"]["phase"]] += 1
        limits = [c.get("resources", {}).get("limits", {}) for c in pod["spec"]["containers"]]
        if any(GPU_RESOURCE in limit for limit in limits):
            gpu_phases[pod["status"]["phase"]] += 1
    return nodes, Pods(phases, gpu_phases, simulated, run, not_run)


def _node(item: dict[str, Any]) -> Node:
    # Karpenter's kwok provider says as capacity what a node's first pods asked for; allocatable is the machine's. EFA
    # is there only for those who asked, as on AWS.
    labels, status = item["metadata"]["labels"], item["status"]
    bought = labels.get(CAPACITY_TYPE_LABEL, "").lower()
    return Node(
        item["metadata"]["name"],
        labels.get(POOL_LABEL, SYSTEM),
        labels.get(INSTANCE_TYPE_LABEL, "on premises"),
        labels[ZONE_LABEL],
        bought == "spot",
        int(status.get("allocatable", {}).get(GPU_RESOURCE, 0)),
        _cards(status.get("capacity", {})),
    )


def _cards(capacity: dict[str, str]) -> int:
    google = sum(name.startswith(GKE_NETWORK_RESOURCES) and not name.endswith(".IP") for name in capacity)
    return int(capacity.get(EFA_RESOURCE, 0)) or google


def show_changes(outcome: Outcome) -> None:
    """Print how many resources changed, by the kind of change."""
    said = ", ".join(f"{count} to {kind}" for kind, count in outcome.changes.items() if kind != "same")
    console.print(f"{said or 'no change'}, {outcome.changes['same']} unchanged")


def show_policies(outcome: Outcome) -> None:
    """The pack's findings, mandatory ones first, or that there are none."""
    if not outcome.policies:
        if not outcome.failed:
            console.print("[green]✓[/] policies: no finding")
        return
    mandatory = [p for p in outcome.policies if p.enforcement_level == "mandatory"]
    advisory = [p for p in outcome.policies if p.enforcement_level != "mandatory"]
    console.print(f"policies: {len(mandatory)} violations, {len(advisory)} advisories")
    for colour, found in (("red", mandatory), ("yellow", advisory)):
        for finding in found:
            name = (finding.resource_urn or "").split("::")[-1]
            console.print(f"  [{colour}]{escape(name)}[/] {escape(finding.message.strip())}", soft_wrap=True)


def _show_resources(resources: list[dict]) -> None:
    kinds = Counter(_kind(r["type"]) for r in resources if r.get("custom") and "providers" not in r["type"])
    said = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common())
    console.print(f"[bold]{sum(kinds.values())} resources[/]: {said}", soft_wrap=True)


def _kind(type_: str) -> str:
    package, module, _ = type_.split(":")
    return f"{package} {module.split('/')[0]}" if package == "aws" else package


def _show_nodes(cluster: str, nodes: list[Node]) -> None:
    groups = Counter((n.pool, n.machine_type, n.zone, n.spot, n.gpus, n.cards) for n in nodes)
    table = Table(
        "pool", "nodes", "machine", "zone", "bought", "GPUs", "fabric cards", title=f"Cluster {cluster}"
    )
    table.title_justify = "left"
    for (pool, machine, zone, spot, gpus, cards), count in sorted(groups.items()):
        bought = "[green]spot[/]" if spot else "on-demand"
        table.add_row(
            pool, str(count), machine, zone, bought, str(gpus * count or "–"), str(cards * count or "–")
        )
    console.print(table)


def _show_pods(pods: Pods) -> None:
    gpu = ", ".join(f"{count} {phase.lower()}" for phase, count in pods.gpu_phases.items()) or "none"
    every = ", ".join(f"{count} {phase.lower()}" for phase, count in pods.phases.items()) or "none"
    console.print(
        f"pods: {every}; with GPUs: {gpu}; as programs of this machine: {pods.run}, the others simulated"
    )
    for why, count in sorted(pods.not_run.items()):
        console.print(f"[yellow]{count} pods that could run are simulated:[/] {escape(why)}", soft_wrap=True)
    if pods.simulated:
        console.print(
            f"[yellow]{pods.simulated} pods of jobs ended in simulation:[/] no fabric, GPU or lake was measured"
        )


def show_waiting(left: Sequence[Waiting]) -> None:
    """What has not got its nodes yet, and how to see why."""
    for each in left:
        named = f"{each.kind} {each.namespace}/{each.name}"
        state = (
            f"failed: {each.failed}"
            if each.failed
            else f"waits for nodes of pool {each.pool}: {each.ready} of {each.wanted} pods are ready"
        )
        see = f"kubectl -n {each.namespace} describe {each.kind} {each.name}"
        console.print(f"[yellow]{escape(named)}[/] {escape(state)} ({see})", soft_wrap=True)


def _show_next(stack: str) -> None:
    other = "" if stack == "local" else f" STACK={stack}"
    commands = (
        ('eval "$(make -s env)"', f"then plain `pulumi preview -s {stack}`, `kubectl get nodes`"),
        (f"edit Pulumi.{stack}.yaml, make up{other}", "another pool, more replicas"),
        (f"make cost{other} AGAINST=HEAD", "what that change costs"),
        (f"make simulate{other}", "a week of jobs and requests on these pools"),
        (f"make down{other}", "remove everything"),
    )
    console.print("\n[bold]Try next[/]")
    for command, what in commands:
        console.print(f"  {command:<40} {what}", markup=False)
