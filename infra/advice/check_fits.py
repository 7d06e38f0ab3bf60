"""Whether the model that a stack serves fits the GPUs of its pool: a check for `reading.load`.

vLLM starts only if, in its share of each GPU's memory, there is room beside the weights and the work on one batch for
the KV cache of one sequence of the longest length; without `maxModelLen` that is the model's own. Read in the wheel of
vLLM 0.33.0: v1/core/kv_cache_utils.py, v1/worker/gpu_worker.py, config/model.py.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from infra.advice import memory
from infra.advice.fit import AdviceRequest, Plan, best_plans
from infra.advice.layout import GIB, USABLE, Layout
from infra.advice.model import Dtype, Shape
from infra.advice.quantization import checkpoint, quantizations
from infra.catalog.choose import NoMachineError
from infra.catalog.gpus import Gpu, gpus
from infra.catalog.resolved import Resolve, resolve
from infra.geography import regions_of
from infra.settings.errors import NOTHING, Problem
from infra.settings.on_premises import OnPremisesPool
from infra.settings.pools import GpuPool
from infra.settings.purchase import MARKETS
from infra.settings.valid_parts import Parts
from infra.settings.workloads import path_of
from infra.settings.workloads.serving import Serving, flag
from infra.spelling import nearest

# Assumed, on each GPU: the CUDA context, NCCL's buffers and the CUDA graphs, which vLLM takes from the same share.
RUNTIME_GIB = 1.0
# A shorter context is no answer to people who asked for a server; below it other GPUs are named instead.
LEAST_TOKENS = 4096
STEP = 1024  # tokens: what a length is rounded down to
# Tokens: longer than any model takes (Llama-4-Scout's 10 million), for models whose own limit is not known.
MOST_TOKENS = 16_777_216
# Flags of vLLM with which more or less than the check counts is kept in memory.
UNCOUNTED = frozenset(
    {
        "block-size",
        "cpu-offload-gb",
        "dtype",
        "enable-lora",
        "hf-overrides",
        "kv-cache-dtype",
        "kv-cache-memory-bytes",
        "max-num-batched-tokens",
        "max-num-seqs",
        "quantization-config",
        "speculative-config",
    }
)
SETTINGS = path_of(Serving)
COUNTED = "vllm"  # the engine whose memory the formulas count


@dataclass(frozen=True)
class Server:
    """One replica: a model over `gpus` GPUs of one kind, with `tokens` as its longest sequence."""

    shape: Shape
    weights: Dtype
    tokens: int
    gpus: int
    gpu: Gpu

    @property
    def need(self) -> float:
        """Bytes on each GPU."""
        layout = Layout(machines=1, tensor=self.gpus)
        return memory.serving(self.shape, self.weights, self.tokens, layout) + RUNTIME_GIB * GIB

    @property
    def usable(self) -> float:
        """Bytes of each GPU that vLLM takes."""
        return self.gpu.memory_gib * GIB * USABLE

    @property
    def splits(self) -> bool:
        """Tensor parallel takes only a number of GPUs that divides the heads."""
        heads, kv_heads = self.shape.heads, self.shape.kv_heads
        return heads % self.gpus == 0 and (kv_heads % self.gpus == 0 or self.gpus % kv_heads == 0)

    @property
    def fits(self) -> bool:
        """Whether the GPUs divide the model's heads, hold weights and context, and the context is not above the model's
        own."""
        return self.splits and self.need <= self.usable and self.tokens <= (self.shape.context or self.tokens)

    @property
    def longest(self) -> int:
        """Tokens of the longest sequence that fits, as vLLM takes it; 0 where not even one token does."""
        most = self.shape.context or MOST_TOKENS
        tokens = bisect_right(
            range(1, most + 1), self.usable, key=lambda length: replace(self, tokens=length).need
        )
        return tokens if tokens == most or tokens < STEP else tokens // STEP * STEP


def check_fits(parts: Parts, resolve: Resolve = resolve) -> list[Problem]:
    """A problem where vLLM would not start with the model on the GPUs that the stack gives it.

    A model whose shape is not known, and flags that change what memory holds, are not refused: see `unchecked`.
    """
    serve = parts.workload(Serving)
    if serve is None or serve.engine != COUNTED:
        return []
    if serve.quantization and serve.quantization not in quantizations():
        near = nearest(serve.quantization, quantizations())
        return [Problem(f"{SETTINGS}.quantization", serve.quantization, ", ".join(quantizations()), near)]
    pool = next((pool for pool in parts.pools.values() if pool.name == serve.pool), None)
    gpu = _gpu_of(pool, parts, resolve) if pool else None
    if pool is None or gpu is None:
        return []  # the settings say so, or nobody can
    if (method := serve.quantization) and quantizations()[method].capability > gpu.capability:
        return [_too_old(serve, pool, gpu, parts, resolve)]
    return _memory(serve, pool, gpu, parts, resolve)


def _memory(
    serve: Serving, pool: GpuPool | OnPremisesPool, gpu: Gpu, parts: Parts, resolve: Resolve
) -> list[Problem]:
    known = checkpoint(serve.model)
    if known is None or serve.gpus > pool.gpus_per_node or unchecked(serve):
        return []  # the settings say so, or nobody can
    shape, kept = known
    weights = _weights(serve, kept)
    if weights is None:
        return [_no_such_checkpoint(serve, kept, shape, gpu)]
    server = Server(shape, weights, serve.max_model_len or shape.context, serve.gpus, gpu)
    return [] if server.fits else [_problem(server, serve, pool, parts, resolve)]


def _too_old(
    serve: Serving, pool: GpuPool | OnPremisesPool, gpu: Gpu, parts: Parts, resolve: Resolve
) -> Problem:
    """The GPU has not what the method needs, so that vLLM would not start (config/vllm.py)."""
    asked = quantizations()[str(serve.quantization)]
    rows = [row for row in quantizations().values() if row.capability <= gpu.capability]
    allowed = (
        f"what a GPU of compute capability {gpu.capability / 10} such as {gpu.name} can run, and {asked.method} needs "
        f"{asked.capability / 10}: {', '.join(row.method for row in rows)}"
    )
    like = (
        row.method
        for row in rows
        if row.weights == asked.weights
        and not _memory(serve.model_copy(update={"quantization": row.method}), pool, gpu, parts, resolve)
    )
    return Problem(f"{SETTINGS}.quantization", asked.method, allowed, next(like, None))


def unchecked(serve: Serving) -> str | None:
    """Why nobody has checked that the model fits, and what to do about it; None if it is checked."""
    if serve.engine != COUNTED:
        return f"whether {serve.model} fits its GPUs is not checked with engine: {serve.engine}"
    if checkpoint(serve.model) is None:
        return (
            f"whether {serve.model} fits its GPUs is not checked, for its shape is not known: "
            "`make advise MODEL=path/to/config.json` checks it, and prints the row for infra/advice/data/models.csv"
        )
    if changing := [word for word in serve.engine_args if flag(word) in UNCOUNTED]:
        return f"whether {serve.model} fits its GPUs is not checked with {' '.join(changing)}"
    if serve.quantization and (row := quantizations().get(serve.quantization)) and not row.weights:
        return f"whether {serve.model} fits its GPUs is not checked with quantization: {row.method}"
    return None


def _weights(serve: Serving, kept: Dtype) -> Dtype | None:
    """What the GPUs hold; None where the method wants a quantised checkpoint and this is none."""
    if serve.quantization is None or kept != "bf16":
        return kept
    row = quantizations()[serve.quantization]
    return row.weights or None if row.made == "loading" else None


def _no_such_checkpoint(serve: Serving, kept: Dtype, shape: Shape, gpu: Gpu) -> Problem:
    asked = quantizations()[str(serve.quantization)]
    tokens = serve.max_model_len or shape.context
    made = {
        row.method: Server(shape, row.weights, tokens, serve.gpus, gpu)
        for row in quantizations().values()
        if row.made == "loading" and row.weights
    }
    like = (method for method, server in made.items() if server.weights == asked.weights and server.fits)
    allowed = (
        f"for a checkpoint in {kept}: nothing, or what is made while it loads: {', '.join(made)}; {asked.method} is "
        f"for a checkpoint that has it, such as {serve.model}-FP8"
    )
    return Problem(f"{SETTINGS}.quantization", asked.method, allowed, next(like, None))


def _problem(
    server: Server, serve: Serving, pool: GpuPool | OnPremisesPool, parts: Parts, resolve: Resolve
) -> Problem:
    """The setting to change, and the first change that fits: a shorter context, more GPUs, or another pool."""
    shape = server.shape
    if not server.splits:
        fitting = list(_more_gpus(server, pool, least=1))
        near = min(fitting, key=lambda gpus: abs(gpus - serve.gpus), default=None)
        allowed = (
            f"what divides the {shape.heads} heads of {shape.name}, {shape.kv_heads} for keys and values"
        )
        return Problem(f"{SETTINGS}.gpus", str(serve.gpus), allowed, str(near) if near else None)
    given = str(serve.max_model_len or f"{NOTHING}, which is {shape.name}'s own {shape.context}")
    if shape.context and server.tokens > shape.context and server.longest >= shape.context:
        return Problem(
            f"{SETTINGS}.maxModelLen", given, f"{shape.name} takes {shape.context}", str(shape.context)
        )
    if server.longest >= min(LEAST_TOKENS, server.tokens):
        return Problem(f"{SETTINGS}.maxModelLen", given, _room(server), str(server.longest))
    if gpus_ := next(_more_gpus(server, pool, least=serve.gpus + 1), None):
        return Problem(f"{SETTINGS}.gpus", str(serve.gpus), _room(server), str(gpus_))
    other = next(_other_pools(server, serve, parts, resolve), None)
    allowed = _room(server) if other else f"{_room(server)}; {_what_would(server)}"
    return Problem(f"{SETTINGS}.pool", serve.pool, allowed, other)


def _room(server: Server) -> str:
    """The arithmetic, in a sentence."""
    weights = memory.weights(server.shape, server.weights) / server.gpus / GIB
    cache = memory.sequence(server.shape, server.tokens, Layout(1, tensor=server.gpus)) / GIB
    rest = server.need / GIB - weights - cache
    return (
        f"what fits: each {server.gpu.name} has {server.usable / GIB:.1f} GiB for vLLM, and {server.shape.name} takes "
        f"{weights:.1f} for weights ({server.weights}), {cache:.1f} for a sequence of {server.tokens} tokens and "
        f"{rest:.1f} for its work"
    )


def _more_gpus(server: Server, pool: GpuPool | OnPremisesPool, least: int) -> Iterator[int]:
    counts = range(least, (1 if pool.sharing else pool.gpus_per_node) + 1)
    return (gpus for gpus in counts if replace(server, gpus=gpus).fits)


def _other_pools(server: Server, serve: Serving, parts: Parts, resolve: Resolve) -> Iterator[str]:
    """Pools that hold as many replicas of as many GPUs, and on which it fits."""
    for pool in parts.pools.values():
        gpu = _gpu_of(pool, parts, resolve)
        if gpu is None or serve.gpus > pool.gpus_per_node:
            continue
        if pool.holds(serve.gpus) >= serve.replicas and replace(server, gpu=gpu).fits:
            yield pool.name


def _what_would(server: Server) -> str:
    """The cheapest pool in India that holds it."""
    for plan in _single_machines(server):
        gpus_each = plan.layout.tensor
        if replace(server, gpu=plan.host.gpu, gpus=gpus_each).fits:
            host = f"gpu: {plan.host.gpu.name}, gpusPerNode: {plan.host.gpus}"
            return f"a pool with {{{host}}} holds it, with gpus: {gpus_each}"
    return "no machine in India holds it alone"


def _single_machines(server: Server) -> Iterator[Plan]:
    """The cheapest machine of each GPU that holds it alone: on spot where that serves, else on demand."""
    for purchase in MARKETS:
        ask = AdviceRequest("serve", server.shape, server.weights, "full", server.tokens, 1, purchase)
        for plan in best_plans(ask):
            if plan.serves and plan.host.machine and plan.layout.machines == 1:
                yield plan


def _gpu_of(pool: GpuPool | OnPremisesPool, parts: Parts, resolve: Resolve) -> Gpu | None:
    """The kind of GPU that a pool gets, or the part of one that a pod does; None where no machine serves it, which
    another check says."""
    gpu = _whole_gpu_of(pool, parts, resolve)
    if gpu is None or pool.sharing is None:
        return gpu
    return gpu.model_copy(update={"memory_gib": pool.sharing.memory_gib or gpu.memory_gib / pool.parts})


def _whole_gpu_of(pool: GpuPool | OnPremisesPool, parts: Parts, resolve: Resolve) -> Gpu | None:
    if pool.gpu is not None:
        return gpus().get(pool.gpu)
    region = next((cloud.region for cloud in parts.clouds if pool in cloud.pools.values()), None)
    if isinstance(pool, OnPremisesPool) or region is None or region not in _indian():
        return None
    try:
        return gpus().get(resolve(region, pool).machine.gpu)
    except NoMachineError:
        return None


def _indian() -> Sequence[str]:
    return [region for cloud in ("aws", "gcp") for region in regions_of(cloud)]
