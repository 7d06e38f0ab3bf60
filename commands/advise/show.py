"""Advice as a table: colours in a terminal, plain text when piped."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from commands.choose.show_other_clouds import burst_line
from infra.advice import memory
from infra.advice.fit import LEAST_TOKENS_S, AdviceRequest, Plan
from infra.advice.layout import GIB, USABLE, Layout
from infra.advice.model import Shape, published, row_of
from infra.advice.speed import PROMPT_SHARE
from infra.catalog.choose import Offer
from infra.geography import region
from infra.pricing.rupees import format_inr

WIDTH = 100  # when piped
TABLE = "infra/advice/data/models.csv"


def show(ask: AdviceRequest, plans: list[Plan], usd_inr: float, console: Console | None = None) -> None:
    """Print what is asked, a row for each GPU on which it fits, and why it doesn't on the others."""
    console = console or Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDTH
    console.print(Text(_asked(ask), style="bold"))
    console.print(Text(_needs(ask)))
    if for_serving := [plan for plan in plans if plan.serves]:
        console.print(_table(ask, for_serving, usd_inr))
    why_not = (_why_not(plan) for plan in plans if not plan.serves)
    for line in [*why_not, *_notes(ask, for_serving, usd_inr)]:
        console.print(Text(line, style="dim"))
    if not published(ask.shape.name) and (row := row_of(ask.shape)):
        # On one line, however long: it is copied.
        console.print(
            f"To have stacks checked for it, a row of {TABLE}: NAME{row}", soft_wrap=True, markup=False
        )


def _asked(ask: AdviceRequest) -> str:
    shape = ask.shape
    active = f", {shape.multiplied / 1e9:.2f}B of them a token" if shape.experts else ""
    parts = [f"{shape.name}: {shape.parameters / 1e9:.2f}B parameters{active}", ask.task, ask.dtype]
    if ask.task == "serve":
        parts.append(f"{ask.users:,} users x {ask.context:,} tokens")
    else:
        lora = "LoRA" if ask.dtype == "bf16" else "QLoRA"
        parts += ["every weight" if ask.method == "full" else lora, f"sequences of {ask.context:,} tokens"]
    return " · ".join(parts)


def _needs(ask: AdviceRequest) -> str:
    """GiB of each part, before they are spread over GPUs."""
    shape, context = ask.shape, ask.context
    if ask.task == "serve":
        token, user = memory.kv_cache(shape), memory.sequence(shape, context, Layout(1))
        weights, fixed = memory.weights(shape, ask.dtype), user - context * token
        each = f"{token / 1024:g} KiB a token"
        each += f" and {fixed / 2**20:,.0f} MiB a user for {_kept_by(shape)}" if fixed else ""
        return f"weights {_gib(weights)} GiB, KV cache {_gib(ask.users * user)} GiB ({each})"
    states = memory.training_states(shape, ask.method, ask.dtype)
    kept, again = (memory.activations(shape, context, recompute=recompute) for recompute in (False, True))
    return (
        f"weights, gradients and Adam {_gib(states)} GiB; activations of one sequence {_gib(kept)} GiB, "
        f"{_gib(again)} GiB with recomputation"
    )


def _kept_by(shape: Shape) -> str:
    """Layers that keep the same of every long sequence."""
    windows = f"{shape.windowed} layers with a window of {shape.window}" if shape.windowed else ""
    states = f"{shape.mixers} layers with a state" if shape.mixers else ""
    return " and ".join(part for part in (windows, states) if part)


def _table(ask: AdviceRequest, plans: list[Plan], usd_inr: float) -> Table:
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


def _row(ask: AdviceRequest, plan: Plan, usd_inr: float) -> list[str]:
    machine = plan.host.machine
    return [
        plan.host.gpu.name,
        f"{plan.layout.machines} {machine.machine_type}" if machine else f"{plan.host.gpus} in a PC",
        _where(plan),
        _layout(ask, plan),
        f"{_gib(plan.need)}/{_gib(plan.host.usable)}",
        _rupees(plan.usd_hour, usd_inr) + _doubt(plan),
        _tokens(plan.tokens_s),
        *([_tokens(plan.each_s)] if ask.task == "serve" else []),
        _rupees(plan.usd_million, usd_inr),
    ]


def _where(plan: Plan) -> str:
    """The city; the zone too, of machines that must be in one."""
    if plan.host.machine is None:
        return "your desk"
    city = region(plan.host.machine.region).city
    if not plan.layout.colocated or not isinstance(plan.bought, Offer) or not plan.bought.zones:
        return city
    return f"{city} {plan.bought.zones[0].rpartition('-')[2]}"


def _doubt(plan: Plan) -> str:
    """The mark of a price that was not observed, as the chooser has it."""
    prices = plan.bought.quote.prices if isinstance(plan.bought, Offer) else ()
    return "" if all(price.basis == "observed" for price in prices) else " ~"


def _layout(ask: AdviceRequest, plan: Plan) -> str:
    layout = plan.layout
    ways = {"FSDP": layout.fsdp, "TP": layout.tensor, "PP": layout.pipeline}
    words = " ".join(f"{way}{over}" for way, over in ways.items() if over > 1) or "1 GPU"
    if ask.task == "serve" and layout.replicas > 1:
        words = f"{layout.replicas} x {words}"
    return f"{words} recompute" if layout.recompute else words


def _why_not(plan: Plan) -> str:
    gpu, machines = plan.host.gpu.name, plan.layout.machines
    if plan.fits and plan.slow:
        return (
            f"{gpu}: fits, with {plan.each_s:.1f} tok/s a user at best, which is less than {LEAST_TOKENS_S}"
        )
    if plan.fits and plan.host.machine:
        return f"{gpu}: fits on {machines} {plan.host.machine.machine_type}, but {plan.refused}"
    if plan.need <= plan.host.usable:
        return f"{gpu}: does not fit on one desk, it takes {machines} PCs with {plan.host.gpus} each"
    where = f"{machines} x {plan.host.gpus}" if machines > 1 else plan.host.gpus
    return f"{gpu}: does not fit, {_gib(plan.need)} GiB a GPU of {_gib(plan.host.usable)} on {where} GPUs"


def _notes(ask: AdviceRequest, for_serving: list[Plan], usd_inr: float) -> list[str]:
    groups = {
        "On your desk, no hourly price": [plan for plan in for_serving if plan.host.machine is None],
        "In fp16, for want of bf16": [plan for plan in for_serving if plan.host.gpu.half == "fp16"],
    }
    notes = [*ask.shape.notes]
    notes += [
        f"{said}: {', '.join(plan.host.gpu.name for plan in some)}." for said, some in groups.items() if some
    ]
    if any(_doubt(plan) for plan in for_serving):
        notes.append("~ a price that was not observed: infra/catalog/data/SOURCES.md.")
    if ask.task == "serve":
        notes.append(
            f"Tokens are generated ones; contexts are {PROMPT_SHARE:.0%} prompt, and all full at once."
        )
    else:
        notes.append("The fewest machines that hold it; twice as many are about twice as fast.")
    if elsewhere := burst_line([plan.host.gpu.name for plan in for_serving if plan.host.machine], usd_inr):
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
