"""The replay: the trace's events one after the other, each let to settle on a cluster, on a clock of its own.

The clock jumps from event to event and stands still while the cluster works, so a week takes minutes and no wait in it
is made longer by this machine. What takes time in a real cloud and none here (a node's start) is added to the clock.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from commands.simulate.account import History, NodeLife, Wait, Work
from commands.simulate.cluster import Node, Pod, Seen
from commands.simulate.trace import Row


class Cluster(Protocol):
    """What a replay needs of a cluster; `cluster.ScratchCluster` is the real one."""

    def place(self, wanted: Sequence[Pod]) -> None:
        """Create pods."""

    def remove(self, names: Sequence[str]) -> None:
        """Delete pods by name."""

    def scale(self, service: Pod, replicas: int) -> None:
        """Set the number of replicas of a service."""

    def end(self, node: Node) -> None:
        """Take a node away, as a reclaim does."""

    def settle(self) -> Seen:
        """Let the scheduler and the autoscaler work until nothing changes, and return the nodes and pods then."""
        ...


@dataclass(frozen=True)
class Rules:
    """What the cluster's own clock would do. Hours, all of them.

    `rooms` are the GPUs of each pool, the quota of its queue. Pools in `empty_for` lose a node that was empty for so
    long. A node takes `start` hours until its first pod runs. `reclaimed_after` draws for a pool's n-th spot node.
    """

    hours: float
    rooms: Mapping[str, int]
    empty_for: Mapping[str, float]
    start: float
    reclaimed_after: Callable[[Node, int], float]


@dataclass
class Job:
    """A job in the queue or at work: `left` hours of work, its pods, and since when all of them run."""

    name: str
    row: Row
    pool: str
    asked: float
    left: float
    pods: dict[str, Pod] = field(default_factory=dict)
    running_since: float | None = None
    first_ran: float | None = None
    tries: int = 0

    @property
    def gpus(self) -> int:
        """GPUs of all its pods."""
        return self.row.pods * self.row.gpus

    def kept(self, ran: float) -> float:
        """Hours of `ran` that a checkpoint saved."""
        every = (self.row.checkpoint_minutes or math.inf) / 60
        return min(ran, math.floor(ran / every + 1e-9) * every) if every < math.inf else 0.0


@dataclass
class Replica:
    """A replica of a service, and since when it serves (or will)."""

    pod: Pod
    asked: float
    serves_from: float | None = None


@dataclass
class Life:
    """A node that is there: what it is, when it came, and since when it has been empty."""

    node: Node
    began: float
    empty_since: float | None = None
    reclaimed: bool = False


class Replay:
    """One trace on one cluster. `pool_of` says on which pool a row runs."""

    def __init__(
        self, rows: Sequence[Row], pool_of: Callable[[Row], str], cluster: Cluster, rules: Rules
    ) -> None:
        self._pool_of, self._cluster, self._rules = pool_of, cluster, rules
        self._now = 0.0
        self._events: list[tuple[float, int, Callable[[], bool]]] = []
        self._order = itertools.count()
        self._lives: dict[str, Life] = {}
        self._spot_nodes: dict[str, int] = {}
        self._queue: list[Job] = []
        self._jobs: dict[str, Job] = {}
        self._services: dict[str, tuple[str, int]] = {}  # pool, GPUs of all its replicas
        self._replicas: dict[str, Replica] = {}
        self._pools: dict[str, None] = {}
        self._nodes_done: list[NodeLife] = []
        self._work: list[Work] = []
        self._waits: list[Wait] = []
        self._asked = self._finished = 0
        for row in rows:
            self._at(row.at_hours, lambda row=row: self._ask(row))

    def run(self, report: Callable[[float, str], None] = lambda hours, what: None) -> History:
        """Replay to the end; `report` gets the hour and the nodes that are up."""
        self._settle()
        while self._events and self._events[0][0] < self._rules.hours:
            self._now = self._events[0][0]
            changed = False
            while self._events and self._events[0][0] == self._now:
                changed |= heapq.heappop(self._events)[2]()
            if changed:
                self._settle()
            report(
                self._now, f"{len(self._lives)} nodes, {len(self._jobs)} jobs run, {len(self._queue)} wait"
            )
        self._now = self._rules.hours
        return self._closed()

    def _at(self, hour: float, action: Callable[[], bool]) -> None:
        """Do something at an hour; it returns whether it asked anything of the cluster."""
        if hour < math.inf:
            heapq.heappush(self._events, (hour, next(self._order), action))

    def _ask(self, row: Row) -> bool:
        pool = self._pool_of(row)
        self._pools[pool] = None
        if row.kind == "replicas":
            self._services[row.name] = (pool, row.pods * row.gpus)
            self._cluster.scale(Pod(row.name, row.name, pool, row.gpus), row.pods)
            return True
        self._asked += 1
        assert row.hours, "a job's row without hours is refused"
        # A dot, which no service's name has: jobs and services share the cluster's names.
        self._queue.append(Job(f"{row.name}.{self._asked}", row, pool, self._now, row.hours))
        return self._admit()

    def _settle(self) -> None:
        """Let the cluster come to rest, take note, and let in what fits now, until nothing more does."""
        while True:
            seen = self._cluster.settle()
            self._note_nodes(seen)
            self._note_replicas(seen)
            placed = self._note_jobs(seen)
            if not self._admit() and not placed:
                self._note_empty(seen)
                return

    def _admit(self) -> bool:
        """Kueue's part: jobs enter whole and in order; one that does not fit yet lets smaller ones pass."""
        used = dict.fromkeys(self._rules.rooms, 0)
        holders = [(job.pool, job.gpus) for job in self._jobs.values()]
        for pool, gpus in [*holders, *self._services.values()]:
            used[pool] += gpus
        entered = []
        for job in self._queue:
            if used[job.pool] + job.gpus <= self._rules.rooms[job.pool]:
                used[job.pool] += job.gpus
                entered.append(job)
        for job in entered:
            self._queue.remove(job)
            self._jobs[job.name] = job
            self._place(job, job.row.pods)
        return bool(entered)

    def _place(self, job: Job, count: int) -> None:
        """Create `count` pods of a job; every try has names of its own."""
        names = [f"{job.name}.{job.tries}.{n}" for n in range(count)]
        job.tries += 1
        pods = [Pod(name, job.name, job.pool, job.row.gpus) for name in names]
        job.pods |= {pod.name: pod for pod in pods}
        self._cluster.place(pods)

    def _note_nodes(self, seen: Seen) -> None:
        for name in [name for name in self._lives if name not in seen.nodes]:
            self._nodes_done.append(self._life(self._lives.pop(name)))
        # In the order of their names, so that a seed gives the same luck to the same nodes.
        for name in sorted(seen.nodes.keys() - self._lives.keys()):
            node = seen.nodes[name]
            self._lives[name] = Life(node, self._now)
            if node.spot:
                nth = self._spot_nodes[node.pool] = self._spot_nodes.get(node.pool, 0) + 1
                after = self._rules.reclaimed_after(node, nth)
                self._at(self._now + after, lambda name=name: self._reclaim(name))

    def _life(self, life: Life) -> NodeLife:
        node = life.node
        facts = (node.name, node.pool, node.machine_type, node.spot, node.gpus)
        return NodeLife(*facts, began=life.began, ended=self._now, reclaimed=life.reclaimed, zone=node.zone)

    def _starts_on(self, node: str) -> float:
        """The hour from which a pod that was bound now runs. Standing nodes were there before the first hour."""
        life = self._lives[node]
        stood = life.began == 0 and life.node.pool not in self._rules.empty_for
        return self._now if stood else max(self._now, life.began + self._rules.start)

    def _reclaim(self, name: str) -> bool:
        life = self._lives.get(name)
        if life is None:
            return False
        life.reclaimed = True
        self._cluster.end(life.node)
        return True

    def _note_empty(self, seen: Seen) -> None:
        busy = {pod.node for pod in seen.pods.values()}
        for name, life in self._lives.items():
            if name in busy or life.node.pool not in self._rules.empty_for:
                life.empty_since = None
            elif life.empty_since is None:
                life.empty_since = since = self._now
                after = self._rules.empty_for[life.node.pool]
                self._at(since + after, lambda name=name, since=since: self._end_empty(name, since))

    def _end_empty(self, name: str, since: float) -> bool:
        life = self._lives.get(name)
        if life is None or life.empty_since != since:
            return False
        self._cluster.end(life.node)
        return True

    def _note_jobs(self, seen: Seen) -> bool:
        """Jobs whose pods all have a node run; those that lost one begin again. Returns whether pods were placed."""
        placed = False
        for job in self._jobs.values():
            gone = [name for name in job.pods if name not in seen.pods]
            if gone:
                self._interrupt(job, gone)
                self._place(job, len(gone))
                placed = True
                continue
            job.pods |= {name: seen.pods[name] for name in job.pods}
            nodes = [pod.node for pod in job.pods.values() if pod.node]
            if job.running_since is None and len(nodes) == job.row.pods:
                self._start(job, max(map(self._starts_on, nodes)))
        return placed

    def _start(self, job: Job, at: float) -> None:
        job.running_since = at
        self._at(at + job.left, lambda run=job.tries: self._finish(job, run))

    def _interrupt(self, job: Job, gone: Sequence[str]) -> None:
        lost = [job.pods.pop(name) for name in gone]
        reclaimed = any(self._was_reclaimed(pod.node) for pod in lost)
        if job.running_since is not None and job.running_since < self._now:
            kept = job.kept(self._now - job.running_since)
            self._record(job, kept, "reclaim" if reclaimed else "preemption")
            job.left -= kept
        job.running_since = None

    def _was_reclaimed(self, node: str | None) -> bool:
        return any(done.name == node and done.reclaimed for done in reversed(self._nodes_done))

    def _finish(self, job: Job, run: int) -> bool:
        if job.running_since is None or job.tries != run:
            return False
        self._record(job, self._now - job.running_since, "done")
        self._finished += 1
        del self._jobs[job.name]
        self._wait(job.name, "job", job.asked, job.first_ran)
        self._cluster.remove(list(job.pods))
        return True

    def _record(self, job: Job, kept: float, why: str) -> None:
        began = job.running_since
        assert began is not None, "only a job that runs is recorded"
        job.first_ran = began if job.first_ran is None else job.first_ran
        self._work.append(Work(job.name, job.pool, job.gpus, began, self._now, kept, why))

    def _note_replicas(self, seen: Seen) -> None:
        for name in [name for name in self._replicas if name not in seen.pods]:
            self._retire(self._replicas.pop(name))
        for name, pod in seen.pods.items():
            if pod.workload not in self._services:
                continue
            replica = self._replicas.setdefault(name, Replica(pod, self._now))
            if pod.node and replica.serves_from is None:
                replica.pod, replica.serves_from = pod, self._starts_on(pod.node)

    def _retire(self, replica: Replica, why: str = "done") -> None:
        began, pod = replica.serves_from, replica.pod
        served = began is not None and began <= self._now
        self._wait(pod.workload, "replica", replica.asked, began if served else None)
        if began is not None and began < self._now:
            hours = self._now - began
            self._work.append(Work(pod.workload, pod.pool, pod.gpus, began, self._now, hours, why))

    def _wait(self, name: str, kind: str, asked: float, began: float | None) -> None:
        self._waits.append(Wait(name, kind, asked, began))

    def _closed(self) -> History:
        """The history so far, with nodes and pods that still run ended now."""
        for job in [*self._jobs.values(), *self._queue]:
            if job.running_since is not None and job.running_since < self._now:
                self._record(job, self._now - job.running_since, "end")
            self._wait(job.name, "job", job.asked, job.first_ran)
        for replica in self._replicas.values():
            self._retire(replica, "end")
        nodes = [*self._nodes_done, *map(self._life, self._lives.values())]
        facts = (tuple(nodes), tuple(self._work), tuple(self._waits))
        counted = {"jobs": self._asked, "finished": self._finished}
        return History(self._rules.hours, *facts, **counted, pools=tuple(self._pools))
