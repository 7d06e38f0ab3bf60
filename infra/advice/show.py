"""Advice as a table: colours in a terminal, plain text when piped."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from infra.advice import memory
from infra.advice.fit import Ask, Plan
from infra.advice.layout import GIB, USABLE
from infra.advice.model import published, row_of
from infra.advice.speed import PROMPT_SHARE
from infra.geography import region
from infra.pricing.rupees import format_inr
from infra.pricing.show_other_clouds import burst_line

WIDTH = 100  # when piped
TABLE = "infra/advice/data/models.csv"


def show(ask: Ask, plans: list[Plan], usd_inr: float, console: Console | None = None) -> None:
    """Print what is asked, a row for each GPU on which it fits, and why it doesn't on the others."""
    console = console or Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDTH
    console.print(Text(_asked(ask), style="bold"))
    console.print(Text(_needs(ask)))
    if any(plan.fits for plan in plans):
        console.print(_table(ask, [plan for plan in plans if plan.fits], usd_inr))
    for line in [*(_why_not(plan) for plan in plans if not plan.fits), *_notes(ask, plans, usd_inr)]:
        console.print(Text(line, style="dim"))
    if not published(ask.shape.name) and (row := row_of(ask.shape)):
        # On one line, however long: it is copied.
        console.print(
            f"To have stacks checked for it, a row of {TABLE}: NAME{row}", soft_wrap=True, markup=False
        )


def _asked(ask: Ask) -> str:
    shape = ask.shape
    active = f", {shape.multiplied / 1e9:.2f}B of them a token" if shape.experts else ""
    parts = [f"{shape.name}: {shape.parameters / 1e9:.2f}B parameters{active}", ask.task, ask.dtype]
    if ask.task == "serve":
        parts.append(f"{ask.users:,} users x {ask.context:,} tokens")
    else:
        lora = "LoRA" if ask.dtype == "bf16" else "QLoRA"
        parts += ["every weight" if ask.method == "full" else lora, f"sequences of {ask.context:,} tokens"]
    return " · ".join(parts)


def _needs(ask: Ask) -> str:
    """GiB of each part, before they are spread over GPUs."""
    shape, context = ask.shape, ask.context
    if ask.task == "serve":
        token = memory.kv_cache(shape)
        weights, cache = memory.weights(shape, ask.dtype), ask.users * context * token
        return f"weights {_gib(weights)} GiB, KV cache {_gib(cache)} GiB ({token / 1024:g} KiB a token)"
    states = memory.training_states(shape, ask.method, ask.dtype)
    kept, again = (memory.activations(shape, context, recompute=recompute) for recompute in (False, True))
    return (
        f"weights, gradients and Adam {_gib(states)} GiB; activations of one sequence {_gib(kept)} GiB, "
        f"{_gib(again)} GiB with recomputation"
    )


def _table(ask: Ask, plans: list[Plan], usd_inr: float) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for name in ("GPU", "machines", "where"):
        table.add_column(name, no_wrap=True)
    table.add_column("layout")
    each = ["each"] if ask.task == "serve" else []
    for name in ("GiB/GPU", "₹/hour", "tok/s", *each, "₹/M tok"):
        table.add_column(name, justify="right", no_wrap=True)
    for plan in plans:
        table.add_row(*_row(ask, plan, usd_inr))
    return table


def _row(ask: Ask, plan: Plan, usd_inr: float) -> list[str]:
    machine = plan.host.machine
    return [
        plan.host.gpu.name,
        f"{plan.layout.machines} {machine.machine_type}" if machine else f"{plan.host.gpus} in a PC",
        region(machine.region).city if machine else "your desk",
        _layout(ask, plan),
        f"{_gib(plan.need)}/{_gib(plan.host.usable)}",
        _rupees(plan.usd_hour(ask.purchase), usd_inr),
        _tokens(plan.tokens_s),
        *([_tokens(plan.tokens_s / ask.users)] if ask.task == "serve" else []),
        _rupees(plan.usd_million(ask.purchase), usd_inr),
    ]


def _layout(ask: Ask, plan: Plan) -> str:
    layout = plan.layout
    ways = {"FSDP": layout.fsdp, "TP": layout.tensor, "PP": layout.pipeline}
    words = " ".join(f"{way}{over}" for way, over in ways.items() if over > 1) or "1 GPU"
    if ask.task == "serve" and layout.replicas > 1:
        words = f"{layout.replicas} x {words}"
    return f"{words} recompute" if layout.recompute else words


def _why_not(plan: Plan) -> str:
    gpu, machines = plan.host.gpu.name, plan.layout.machines
    if plan.need <= plan.host.usable:
        return f"{gpu}: does not fit on one desk, it takes {machines} PCs with {plan.host.gpus} each"
    where = f"{machines} x {plan.host.gpus}" if machines > 1 else plan.host.gpus
    return f"{gpu}: does not fit, {_gib(plan.need)} GiB a GPU of {_gib(plan.host.usable)} on {where} GPUs"


def _notes(ask: Ask, plans: list[Plan], usd_inr: float) -> list[str]:
    fitting = [plan for plan in plans if plan.fits]
    groups = {
        "On your desk, no hourly price": [plan for plan in fitting if plan.host.machine is None],
        f"No {ask.purchase} price is known": [
            plan for plan in fitting if plan.host.machine and plan.usd_hour(ask.purchase) is None
        ],
        "In fp16, for want of bf16": [plan for plan in fitting if plan.host.gpu.half == "fp16"],
    }
    notes = [
        f"{said}: {', '.join(plan.host.gpu.name for plan in some)}." for said, some in groups.items() if some
    ]
    if ask.task == "serve":
        notes.append(
            f"Tokens are generated ones; contexts are {PROMPT_SHARE:.0%} prompt, and all full at once."
        )
    else:
        notes.append("The fewest machines that hold it; twice as many are about twice as fast.")
    if elsewhere := burst_line([plan.host.gpu.name for plan in fitting if plan.host.machine], usd_inr):
        notes.append(elsewhere)
    price = f"{ask.purchase} prices at ₹{usd_inr:g} a dollar, without GST"
    return [
        *notes,
        f"GiB/GPU: of {USABLE:.0%} of the card; {price}. Estimates: docs/advice.md",
    ]


def _gib(size: float) -> str:
    gib = size / GIB
    return f"{gib:,.0f}" if gib >= 100 else f"{gib:.1f}"


def _tokens(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"


def _rupees(usd: float | None, usd_inr: float) -> str:
    if usd is None:
        return "-"
    rupees = usd * usd_inr
    return format_inr(rupees) if rupees >= 100 else f"₹{rupees:.1f}"
