"""For each GPU of the catalogue: the cheapest machines that hold the model and its work, and how it lies on them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil, inf
from typing import Literal

from infra.advice import memory, speed
from infra.advice.layout import Host, Layout, hosts
from infra.advice.model import Shape
from infra.catalog.choose import Offer, Rejected
from infra.settings.purchase import Market

Task = Literal["finetune", "pretrain", "serve"]

# How many machines are tried, where a fabric joins them.
TRAINING_MACHINES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
PIPELINES = (1, 2, 3, 4, 6, 8)
TENSORS = (1, 2, 4, 8)
# Tokens a second that a user of a chat needs at the least: about as fast as people read (assumed).
LEAST_TOKENS_S = 5
MICRO_BATCH = 8192  # tokens that a GPU trains on at a time, where they fit and the context is no longer


@dataclass(frozen=True)
class AdviceRequest:
    """What is to be done. In serving every one of `users` holds a whole context in the cache; training ignores them."""

    task: Task
    shape: Shape
    dtype: memory.Dtype
    method: memory.Method
    context: int
    users: int
    purchase: Market


@dataclass(frozen=True)
class Plan:
    """A layout on machines: bytes it needs on each GPU, and tokens a second of all (generated ones, in serving).

    `each_s` is a user's tokens a second, of serving; `bought` what the chooser says of the machines, None on a desk.
    """

    host: Host
    layout: Layout
    need: float
    tokens_s: float
    bought: Offer | Rejected | None
    each_s: float = inf

    @property
    def fits(self) -> bool:
        """Whether the GPUs have the memory that is needed; of desktop computers only one is used."""
        return self.need <= self.host.usable and (self.host.machine is not None or self.layout.machines == 1)

    @property
    def slow(self) -> bool:
        """Too slow for its users, however few share a replica."""
        return self.each_s < LEAST_TOKENS_S

    @property
    def refused(self) -> str:
        """Why `make choose` refuses its machines; empty where it does not."""
        return self.bought.why if isinstance(self.bought, Rejected) else ""

    @property
    def serves(self) -> bool:
        """It fits, is fast enough, and its machines can be bought."""
        return self.fits and not self.slow and not self.refused

    @property
    def usd_hour(self) -> float | None:
        """USD an hour of all machines; None on a desk, and where the chooser refuses them."""
        return self.bought.usd * self.layout.machines if isinstance(self.bought, Offer) else None

    @property
    def usd_million(self) -> float | None:
        """USD for a million tokens."""
        hour = self.usd_hour
        return None if hour is None or not self.tokens_s else hour / (self.tokens_s * 3600) * 1e6


def best_plans(ask: AdviceRequest) -> list[Plan]:
    """One plan for each GPU, the cheapest by the hour, in order of price: by the hour in serving, else by the token.

    Desks come first. A plan that does not fit stands for a GPU on which nothing does: the one that needs the least. One
    that the chooser refuses, or that is too slow, comes only where no other of the GPU fits.
    """
    plan_on = _serving_plan if ask.task == "serve" else _training_plan
    best: dict[str, Plan] = {}
    for plan in (plan_on(ask, host) for host in hosts()):
        rivals = (best.get(plan.host.gpu.name, plan), plan)
        best[plan.host.gpu.name] = min(rivals, key=lambda each: _rank(each, each.usd_hour))
    by_hour = ask.task == "serve"
    return sorted(best.values(), key=lambda plan: _rank(plan, plan.usd_hour if by_hour else plan.usd_million))


def _rank(plan: Plan, cost: float | None) -> tuple[float, ...]:
    if not plan.fits:
        return (4, plan.need / plan.host.usable)
    if plan.slow:
        return (3, -plan.each_s)
    if cost is None:
        return (0 if plan.host.machine is None else 2, plan.layout.machines * plan.host.gpus, -plan.tokens_s)
    return (1, cost, -plan.tokens_s)


def _training_plan(ask: AdviceRequest, host: Host) -> Plan:
    """The first layout that fits: the fewest machines, then the least tensor parallel, then no recomputation."""
    shape, method, dtype, context = ask.shape, ask.method, ask.dtype, ask.context
    needs = {
        layout: memory.training(shape, method, dtype, context, layout)
        for layout in _training_layouts(ask, host)
    }
    least = min(needs, key=lambda layout: needs[layout])
    layout = next((layout for layout in needs if needs[layout] <= host.usable), least)
    tokens_s = speed.training(shape, method, dtype, context, host, layout)
    return _plan(ask, host, layout, needs[layout], tokens_s)


def _plan(
    ask: AdviceRequest, host: Host, layout: Layout, need: float, tokens_s: float, each_s: float = inf
) -> Plan:
    bought = host.bought(ask.purchase, layout.machines, colocated=layout.colocated)
    return Plan(host, layout, need, tokens_s, bought, each_s)


def _training_layouts(ask: AdviceRequest, host: Host) -> Iterator[Layout]:
    most = max(1, MICRO_BATCH // ask.context)
    for machines in TRAINING_MACHINES if host.fabric_gbs else (1,):
        for tensor in _tensors(ask.shape, host):
            fsdp = machines * host.gpus // tensor
            for recompute in (False, True):
                for sequences in sorted({most, max(1, most // 4), 1}, reverse=True):
                    yield Layout(machines, tensor, fsdp=fsdp, sequences=sequences, recompute=recompute)


def _serving_plan(ask: AdviceRequest, host: Host) -> Plan:
    """The fewest machines that are fast enough, then the most tokens; a pipeline only where none holds it alone."""
    tried: list[Plan] = []
    for pipeline in PIPELINES if host.fabric_gbs else (1,):
        tensors = [tensor for tensor in _tensors(ask.shape, host) if pipeline == 1 or tensor == host.gpus]
        tried += [_replicas(ask, host, Layout(pipeline, tensor, pipeline)) for tensor in tensors]
        if fitting := [plan for plan in tried if plan.fits]:
            return min(fitting, key=lambda plan: (plan.slow, plan.layout.machines, -plan.tokens_s))
    return min(tried, key=lambda plan: plan.need)


def _replicas(ask: AdviceRequest, host: Host, one: Layout) -> Plan:
    """As many replicas as hold every user's context at a speed to read by, and the last machine has room for."""
    shape, dtype = ask.shape, ask.dtype
    room = host.usable - memory.serving_fixed(shape, dtype, ask.context, one)
    held = min(memory.MAX_SEQUENCES, int(room / memory.sequence(shape, ask.context, one)))
    if held < 1:
        return _plan(ask, host, one, memory.serving(shape, dtype, ask.context, one), 0)
    each = _fast_enough(ask, host, one, held) or held
    on_machine = host.gpus // one.tensor  # with a pipeline this is 1: a replica takes whole machines
    machines = ceil(ceil(ask.users / each) / on_machine) * one.pipeline
    replicas = min(machines // one.pipeline * on_machine, ask.users)
    layout = replace(one, machines=machines, replicas=replicas)
    users = ask.users / replicas
    need = memory.serving(shape, dtype, ask.context, layout, ceil(users))
    tokens_s = speed.serving(shape, dtype, ask.context, users, host.gpu, layout)
    return _plan(ask, host, layout, need, replicas * tokens_s, tokens_s / users)


def _fast_enough(ask: AdviceRequest, host: Host, one: Layout, held: int) -> int:
    """The most users of a replica, of those that it holds, who get their tokens fast enough; 0 if not even one does.

    More users on a replica are never faster for each of them.
    """

    def late(users: int) -> bool:
        return speed.serving(ask.shape, ask.dtype, ask.context, users, host.gpu, one) / users < LEAST_TOKENS_S

    return bisect_left(range(1, held + 1), True, key=late)


def _tensors(shape: Shape, host: Host) -> list[int]:
    """Tensor parallel stays in a machine, in counts that divide its GPUs and the heads."""
    return [count for count in TENSORS if host.gpus % count == 0 and shape.heads % count == 0]
