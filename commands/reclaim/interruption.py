"""A spot interruption of one node, watched: EC2's notice, the drain, the machine's end, the replacement.

Real: EventBridge's rule and the queue (in moto); Karpenter's taint, its drain under disruption budgets, and the machine
that it chooses instead. Played: EC2, which gives notice and takes the machine two minutes later; Karpenter's reading of
the queue, for its kwok provider reads none; EKS, where a managed node group drains and replaces the node; and the grace
of a pod, which kwok ends at once.
"""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.contracts.labels import (
    CAPACITY_TYPE_LABEL,
    DISRUPTED_TAINT,
    DO_NOT_DISRUPT,
    EKS_NODE_GROUP,
    GPU_RESOURCE,
    INSTANCE_TYPE_LABEL,
    INTERRUPTION,
    POOL_LABEL,
    ZONE_LABEL,
)
from localcloud.kubernetes.api import MERGE, Api, ApiError, Object, UnknownKindError
from localcloud.kubernetes.nodes import add_nodes

NOTICE_SECONDS = 120  # EC2: between the notice and the machine's end
BACK_SECONDS = 120  # how long pods are waited for after that
LOOK_EVERY = 0.1
DETAIL_TYPE = "EC2 Spot Instance Interruption Warning"
DEFAULT_GRACE_SECONDS = 30  # Kubernetes' own


class NoticeLostError(Exception):
    """EventBridge took the notice and the queue does not have it: a rule or its target is missing."""


@dataclass(frozen=True)
class SpotNode:
    """A node bought as spot. `group` is its managed node group, `claim` its NodeClaim; one of the two is empty."""

    name: str
    pool: str
    machine_type: str
    zone: str
    instance: str
    group: str
    claim: str
    labels: Mapping[str, str] = field(repr=False)
    taints: Sequence[Mapping[str, str]] = field(repr=False)


@dataclass(frozen=True)
class Pod:
    """A pod as a drain sees it. `owner` is `Kind/name` of its controller, empty for a pod that nobody replaces."""

    uid: str
    namespace: str
    name: str
    owner: str
    node: str
    gpus: int
    grace_seconds: int
    running: bool
    leaving: bool
    guarded: bool  # says karpenter.sh/do-not-disrupt
    waits: str  # the scheduler's words while it has no node


@dataclass
class Timeline:
    """What happened when, in seconds after the notice. `notified` is when each pod of the node was asked to stop, by
    uid; a pod that is not there was never asked."""

    before: Sequence[Pod]
    events: list[tuple[float, str]] = field(default_factory=list)
    notified: dict[str, float] = field(default_factory=dict)
    back_after: float | None = None
    missing: Sequence[str] = ()


def spot_nodes(api: Api) -> list[SpotNode]:
    """Every spot node of a cluster, by pool and name."""
    try:
        claims = {
            claim.get("status", {}).get("nodeName"): claim["metadata"]["name"]
            for claim in api.list("karpenter.sh/v1", "NodeClaim")
        }
    except UnknownKindError:
        claims = {}
    found = [
        _spot_node(item, claims.get(item["metadata"]["name"], ""))
        for item in api.list("v1", "Node", labelSelector=f"{CAPACITY_TYPE_LABEL}=spot")
        if "deletionTimestamp" not in item["metadata"]
    ]
    return sorted(found, key=lambda node: (node.pool, node.name))


def pods_of(api: Api) -> list[Pod]:
    """Every pod of a cluster that a drain moves: those of DaemonSets go with their node."""
    pods = map(_pod, api.list("v1", "Pod"))
    return [pod for pod in pods if not pod.owner.startswith("DaemonSet/")]


def entry(node: SpotNode, region: str) -> dict[str, Any]:
    """EC2's notice, as EventBridge is given it. Its ARN has the zone and no account, as EC2 writes it.

    Source: EC2 User Guide, Spot Instance interruption notices.
    """
    return {
        "Source": "aws.ec2",
        "DetailType": DETAIL_TYPE,
        "Resources": [f"arn:aws:ec2:{node.zone or region}:instance/{node.instance}"],
        "Detail": json.dumps({"instance-id": node.instance, "instance-action": "terminate"}),
    }


def give_notice(node: SpotNode, region: str, queue: str, aws: Callable[[str], Any]) -> str:
    """Put EC2's notice on EventBridge, take it off the interruption queue as Karpenter would, and return its id there.

    `aws` makes a client of a service.

    Raises:
        NoticeLostError: it did not arrive.
    """
    sqs, events = aws("sqs"), aws("events")
    try:
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    except sqs.exceptions.QueueDoesNotExist:
        raise NoticeLostError(f"there is no interruption queue {queue}") from None
    try:
        event = events.put_events(Entries=[entry(node, region)])["Entries"][0].get("EventId")
    except events.exceptions.ClientError:
        event = _delivered(entry(node, region), queue, url, sqs, events)
    for _ in range(10):  # older notices, of an earlier reclaim, may lie before it
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", ()):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            if json.loads(message["Body"]).get("id") == event:
                return message["MessageId"]
    raise NoticeLostError(
        f"EventBridge took the notice, the queue {queue} has none: its rule {queue}-spot, or the target, is missing"
    )


def _delivered(notice: Mapping[str, Any], queue: str, url: str, sqs: Any, events: Any) -> str:
    """Deliver the notice as EventBridge would, and return its id.

    moto fails on an event that any rule sends to a topic, and the stack's alerts are such a rule. Whether a rule sends
    this one to the queue is asked all the same.
    """
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    rules = events.list_rule_names_by_target(TargetArn=attributes["QueueArn"])["RuleNames"]
    patterns = [json.loads(events.describe_rule(Name=rule).get("EventPattern") or "{}") for rule in rules]
    if not any(DETAIL_TYPE in pattern.get("detail-type", ()) for pattern in patterns):
        raise NoticeLostError(
            f"no rule sends the notice to the queue {queue}: {', '.join(rules) or 'there is none'}"
        )
    event = str(uuid.uuid4())
    body = {
        "id": event,
        "source": notice["Source"],
        "detail-type": notice["DetailType"],
        "resources": notice["Resources"],
        "detail": json.loads(notice["Detail"]),
    }
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(body))
    return event


@dataclass
class Interruption:
    """One interruption. `run` plays it and calls `on_event` with the seconds since the notice and what was seen."""

    api: Api
    cluster: str
    region: str
    node: SpotNode
    on_event: Callable[[float, str], None]
    price: Callable[[str, str], str]  # machine type and purchase, to what a replacement costs
    notice_seconds: float = NOTICE_SECONDS
    began: float = field(default_factory=time.monotonic)

    def run(self) -> Timeline:
        """From the notice to every pod back, or to BACK_SECONDS after the machine's end."""
        pods = pods_of(self.api)
        timeline = Timeline([pod for pod in pods if pod.node == self.node.name])
        wanted = Counter(pod.owner for pod in pods if pod.running and pod.owner)
        known = {item["metadata"]["name"] for item in self.api.list("v1", "Node")}
        self._begin(timeline)
        gone = taken = tainted = False
        while self._now() < self.notice_seconds + BACK_SECONDS:
            # Pods before nodes, causes before effects: what one look finds together is told in the order it happened.
            pods = pods_of(self.api)
            nodes = {item["metadata"]["name"]: item for item in self.api.list("v1", "Node")}
            if not tainted and (kept := nodes.get(self.node.name)) and _closed(kept):
                tainted = True
                self._note(timeline, f"closed to new pods: {_closed(kept)}")
            for name in sorted(nodes.keys() - known):
                known.add(name)
                self._note_new(timeline, nodes[name])
            self._note_notified(timeline, pods)
            if not gone and self.node.name not in nodes:
                gone = True
                self._note(timeline, "the node is gone")
                self._replace_in_group(timeline)
            if not taken and not gone and self._now() >= self.notice_seconds:
                taken = True
                self._take(timeline, pods)
            if self.node.group and not gone:
                self._drain_group(pods)
            timeline.missing = tuple(_missing(wanted, pods))
            if gone and not timeline.missing:
                timeline.back_after = self._now()
                self._note(timeline, "every pod is back")
                return timeline
            time.sleep(LOOK_EVERY)
        return timeline

    def _now(self) -> float:
        return time.monotonic() - self.began

    def _note(self, timeline: Timeline, what: str) -> None:
        timeline.events.append((self._now(), what))
        self.on_event(*timeline.events[-1])

    def _begin(self, timeline: Timeline) -> None:
        """What EC2 tells the machine, and what Karpenter, or EKS, does when it reads the notice."""
        noticed = datetime.now(UTC)
        taken = noticed + timedelta(seconds=self.notice_seconds)
        times = "/".join(each.strftime("%Y-%m-%dT%H:%M:%SZ") for each in (noticed, taken))
        notice = {"metadata": {"annotations": {INTERRUPTION: times}}}
        self.api.request("PATCH", f"/api/v1/nodes/{self.node.name}", notice, content=MERGE)
        if self.node.claim:
            _delete(self.api, f"/apis/karpenter.sh/v1/nodeclaims/{self.node.claim}")
            self._note(timeline, f"its NodeClaim {self.node.claim} deleted, as Karpenter does (played)")
            return
        path = f"/api/v1/nodes/{self.node.name}"
        self.api.request("PATCH", path, {"spec": {"unschedulable": True}}, content=MERGE)
        self._note(timeline, f"its node group {self.node.group} drains it, as EKS does (played)")

    def _note_notified(self, timeline: Timeline, pods: Sequence[Pod]) -> None:
        """Whose deletion was asked for, or done, since the last look."""
        staying = {pod.uid for pod in pods if not pod.leaving}
        for pod in timeline.before:
            if pod.uid in staying or pod.uid in timeline.notified:
                continue
            if not timeline.notified:
                self._note(timeline, f"first pod evicted: {pod.namespace}/{pod.name}")
            timeline.notified[pod.uid] = self._now()

    def _note_new(self, timeline: Timeline, item: Object) -> None:
        labels = item["metadata"]["labels"]
        type_, bought = labels[INSTANCE_TYPE_LABEL], labels.get(CAPACITY_TYPE_LABEL, "on-demand")
        zone = labels.get(ZONE_LABEL, "")
        self._note(
            timeline, f"a new node joins: {type_} {bought} in {zone}, {self.price(type_, bought.lower())}"
        )

    def _take(self, timeline: Timeline, pods: Sequence[Pod]) -> None:
        """EC2 takes the machine, and whatever still runs on it ends without notice, as the pod collector marks it."""
        left = [pod for pod in pods if pod.node == self.node.name]
        not_notified = [pod for pod in left if not pod.leaving]
        self._note(
            timeline, f"EC2 takes the machine (played); pods on it that were never told: {len(not_notified)}"
        )
        for pod in left:
            path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}"
            condition = {"type": "DisruptionTarget", "status": "True", "reason": "DeletionByPodGC"}
            _unless_gone(lambda path=path, condition=condition: _mark(self.api, path, condition))
            _delete(self.api, path, gracePeriodSeconds="0")
            timeline.notified.setdefault(pod.uid, self.notice_seconds)
        if self.node.group:
            _delete(self.api, f"/api/v1/nodes/{self.node.name}")

    def _drain_group(self, pods: Sequence[Pod]) -> None:
        left = [pod for pod in pods if pod.node == self.node.name]
        for pod in left:
            if not pod.leaving:
                _evict(self.api, pod)
        if not left:
            _delete(self.api, f"/api/v1/nodes/{self.node.name}")

    def _replace_in_group(self, timeline: Timeline) -> None:
        if not self.node.group:
            return
        shape = (self.node.machine_type, self.node.zone, 1, "spot")
        labels = {POOL_LABEL: self.node.pool} if self.node.pool else {}
        add_nodes(self.cluster, self.node.group, self.region, *shape, labels, self.node.taints)


def not_notified(timeline: Timeline, notice_seconds: float) -> list[Pod]:
    """Pods of the node that ran until their machine ended, without being asked to stop."""
    return [
        pod for pod in timeline.before if timeline.notified.get(pod.uid, notice_seconds) >= notice_seconds
    ]


def _spot_node(item: Object, claim: str) -> SpotNode:
    metadata, spec = item["metadata"], item["spec"]
    labels = metadata["labels"]
    return SpotNode(
        name=metadata["name"],
        pool=labels.get(POOL_LABEL, ""),
        machine_type=labels[INSTANCE_TYPE_LABEL],
        zone=labels.get(ZONE_LABEL, ""),
        instance=instance_of(spec.get("providerID", ""), metadata["name"]),
        group=labels.get(EKS_NODE_GROUP, ""),
        claim=claim,
        labels=labels,
        taints=[
            taint for taint in spec.get("taints") or () if not taint["key"].startswith("node.kubernetes.io/")
        ],
    )


def instance_of(provider_id: str, node: str) -> str:
    """The EC2 id of a node's machine; made from its name where kwok, not EC2, has it."""
    last = provider_id.rpartition("/")[2]
    return last if last.startswith("i-") else f"i-{hashlib.sha256(node.encode()).hexdigest()[:17]}"


def _pod(item: Object) -> Pod:
    metadata, spec, status = item["metadata"], item["spec"], item.get("status", {})
    owner = next((one for one in metadata.get("ownerReferences") or () if one.get("controller")), None)
    limits = [one.get("resources", {}).get("limits", {}) for one in spec["containers"]]
    scheduled = [one for one in status.get("conditions") or () if one["type"] == "PodScheduled"]
    return Pod(
        uid=metadata["uid"],
        namespace=metadata["namespace"],
        name=metadata["name"],
        owner=f"{owner['kind']}/{metadata['namespace']}/{owner['name']}" if owner else "",
        node=spec.get("nodeName", ""),
        gpus=sum(int(limit.get(GPU_RESOURCE, 0)) for limit in limits),
        grace_seconds=spec.get("terminationGracePeriodSeconds", DEFAULT_GRACE_SECONDS),
        running=status.get("phase") == "Running" and "deletionTimestamp" not in metadata,
        leaving="deletionTimestamp" in metadata,
        guarded=(metadata.get("annotations") or {}).get(DO_NOT_DISRUPT) == "true",
        waits=scheduled[0].get("message", "") if scheduled and scheduled[0]["status"] != "True" else "",
    )


def _closed(item: Object) -> str:
    """What keeps new pods off a node, if anything."""
    if any(taint["key"] == DISRUPTED_TAINT for taint in item["spec"].get("taints") or ()):
        return f"tainted {DISRUPTED_TAINT} by Karpenter"
    return "cordoned" if item["spec"].get("unschedulable") else ""


def _missing(wanted: Mapping[str, int], pods: Sequence[Pod]) -> Iterator[str]:
    """Who runs with fewer pods than before, and why the scheduler says they wait."""
    running = Counter(pod.owner for pod in pods if pod.running)
    for owner, count in wanted.items():
        if running[owner] < count:
            waits = next((pod.waits for pod in pods if pod.owner == owner and pod.waits), "")
            yield f"{owner} has {running[owner]} of {count} pods{f': {waits}' if waits else ''}"


def _evict(api: Api, pod: Pod) -> None:
    path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}"
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod.name, "namespace": pod.namespace},
    }
    try:
        api.request("POST", f"{path}/eviction", eviction)
    except ApiError as error:
        if error.status not in (
            404,
            429,
        ):  # 429: its disruption budget allows none now; the next look tries again
            raise


def _mark(api: Api, path: str, condition: Object) -> None:
    status = {"status": {"conditions": [condition]}}
    api.request("PATCH", f"{path}/status", status, content="application/strategic-merge-patch+json")


def _delete(api: Api, path: str, **query: str) -> None:
    _unless_gone(lambda: api.request("DELETE", path, query=query or None))


def _unless_gone(request: Callable[[], object]) -> None:
    try:
        request()
    except ApiError as error:
        if error.status != 404:
            raise
