"""What is said to fit does fit, counted again by hand; and how prices go with users."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.advice.fit import LEAST_TOKENS_S, AdviceRequest, Plan, _serving_plan, best_plans
from infra.advice.layout import GIB, Layout, hosts
from infra.advice.memory import Dtype, Method
from infra.advice.model import known_or_scaled
from infra.catalog.choose import Asked, NoMachineError, Offer, choose
from infra.catalog.gpus import gpus
from infra.catalog.machines import Price
from infra.geography import REGIONS
from infra.settings.purchase import Market
from tests.examples import examples

models = st.sampled_from(("0.6b", "8b", "32b", "70b", "Qwen3-30B-A3B"))
dtypes = st.sampled_from(("bf16", "int8", "int4"))
contexts = st.sampled_from((512, 2048, 8192, 32768))


def _serve(model: str, dtype: Dtype = "bf16", context: int = 8192, users: int = 50) -> AdviceRequest:
    return AdviceRequest("serve", known_or_scaled(model), dtype, "full", context, users, "spot")


def _train(model: str, method: Method = "full", dtype: Dtype = "bf16", context: int = 8192) -> AdviceRequest:
    return AdviceRequest("finetune", known_or_scaled(model), dtype, method, context, 1, "spot")


def _plan(ask: AdviceRequest, gpu: str) -> Plan:
    return next(plan for plan in best_plans(ask) if plan.host.gpu.name == gpu)


def _fitting(ask: AdviceRequest) -> list[Plan]:
    return [plan for plan in best_plans(ask) if plan.fits]


def test_every_gpu_gets_a_plan() -> None:
    assert {plan.host.gpu.name for plan in best_plans(_serve("8b"))} == set(gpus())


@settings(max_examples=examples(40))
@given(models, dtypes, contexts, st.integers(1, 3000))
def test_serving_fits_by_hand(model: str, dtype: Dtype, context: int, users: int) -> None:
    """Bytes of the whole cluster: a copy of the weights in each replica, and every user's whole context."""
    ask = _serve(model, dtype, context, users)
    for plan in _fitting(ask):
        shape, layout, gpu = ask.shape, plan.layout, plan.host.gpu
        gpus_each = layout.tensor * layout.pipeline
        assert layout.replicas * gpus_each <= layout.machines * plan.host.gpus
        embeddings = 2 * shape.vocab * shape.hidden * (1 if shape.tied else 2)
        rest = shape.parameters - embeddings / 2
        copy = embeddings + rest * {"bf16": 2, "int8": 1, "int4": 0.5625}[dtype]
        # Beyond the KV heads, tensor parallel repeats the cache.
        repeats = max(1, layout.tensor // shape.kv_heads)
        cache = users * context * shape.layers * shape.kv_heads * shape.head_dim * 4 * repeats
        assert layout.replicas * copy + cache <= layout.replicas * gpus_each * gpu.memory_gib * GIB * 0.9


@settings(max_examples=examples(40))
@given(models, st.sampled_from((("full", "bf16"), ("lora", "bf16"), ("lora", "int4"))), contexts)
def test_training_fits_by_hand(model: str, how: tuple[Method, Dtype], context: int) -> None:
    """Sixteen bytes a parameter over all GPUs and, for each group, what its layers keep of its tokens."""
    ask = _train(model, *how, context)
    for plan in _fitting(ask):
        shape, layout = ask.shape, plan.layout
        assert layout.fsdp * layout.tensor == layout.machines * plan.host.gpus
        states = shape.parameters * {"bf16": 16 if how[0] == "full" else 2, "int4": 0.5}[how[1]]
        a_token = 2 * shape.hidden * shape.layers + 4 * shape.vocab
        if not layout.recompute:
            a_token += shape.layers * (6 * shape.hidden + 4 * shape.kv_heads * shape.head_dim)
        kept = layout.fsdp * layout.sequences * context * a_token
        assert states + kept <= layout.fsdp * layout.tensor * plan.host.gpu.memory_gib * GIB * 0.9


@settings(max_examples=examples(30))
@given(models, dtypes, contexts, st.integers(1, 2000), st.integers(1, 2000))
def test_more_users_are_never_cheaper_by_the_hour(
    model: str, dtype: Dtype, context: int, users: int, more: int
) -> None:
    few, many = (best_plans(_serve(model, dtype, context, count)) for count in (users, users + more))
    prices = {plan.host.gpu.name: plan.usd_hour for plan in many if plan.fits}
    for plan in few:
        dearer = prices.get(plan.host.gpu.name)
        if plan.fits and dearer is not None:
            assert (plan.usd_hour or 0) <= dearer


@settings(max_examples=examples(20))
@given(models, contexts)
def test_more_context_never_fits_on_less(model: str, context: int) -> None:
    for plan in _fitting(_serve(model, context=context * 2, users=1)):
        assert _plan(_serve(model, context=context, users=1), plan.host.gpu.name).fits


def test_one_gpu_where_one_is_enough() -> None:
    plan = _plan(_serve("8b", users=1), "L4")
    assert (plan.host.gpus, plan.layout.machines, plan.layout.tensor) == (1, 1, 1)
    rivals = choose(list(REGIONS), Asked("L4", purchase="spot")).offers
    assert plan.usd_hour == min(offer.usd for offer in rivals)


def test_16_bit_weights_of_70b_take_several_h100() -> None:
    """141 GB of weights: not one 80 GB card, nor two with any room for users."""
    plan = _plan(_serve("70b"), "H100")
    assert plan.layout.tensor * plan.layout.pipeline >= 4
    assert plan.need > known_or_scaled("70b").parameters * 2 / plan.layout.tensor


def test_a_pipeline_over_machines_needs_a_fabric() -> None:
    for plan in _fitting(_serve("405b")):
        if plan.layout.pipeline > 1:
            assert plan.host.fabric_gbs > 0
            assert plan.layout.machines % plan.layout.pipeline == 0
            assert plan.layout.tensor == plan.host.gpus


def test_a_desk_has_no_price_and_one_computer() -> None:
    plan = _plan(_serve("8b", "int4", users=2), "RTX 4090")
    assert plan.fits
    assert plan.usd_hour is None
    assert not _plan(_serve("8b", users=1000), "RTX 4090").fits


def test_fine_tuning_70b_does_not_fit_on_a_desk_and_qlora_8b_does() -> None:
    assert not _plan(_train("70b"), "RTX 4090").fits
    assert _plan(_train("8b", "lora", "int4", 2048), "RTX 3090").fits


@pytest.mark.parametrize("gpu", ["L40S", "H100", "H200", "B200"])
def test_fine_tuning_70b_fits_on_clusters(gpu: str) -> None:
    assert _plan(_train("70b"), gpu).fits


def test_prices_are_those_of_the_catalogue() -> None:
    plan = _plan(_train("70b"), "H100")
    assert plan.host.machine
    assert plan.layout.colocated
    quote = plan.host.machine.quote("spot")
    assert quote
    hour = plan.layout.machines * quote.low
    assert plan.usd_hour == hour
    assert plan.usd_million == pytest.approx(hour / plan.tokens_s / 3600 * 1e6)


def test_fabrics_have_a_speed() -> None:
    """The network column is for people; every machine with a fabric must still be understood."""
    for host in hosts():
        if host.machine:
            assert bool(host.machine.fabrics) == bool(host.fabric_gbs), host.machine.machine_type


asks = st.one_of(
    st.builds(
        AdviceRequest,
        st.just("serve"),
        models.map(known_or_scaled),
        dtypes,
        st.just("full"),
        contexts,
        st.integers(1, 2000),
        st.sampled_from(("spot", "on-demand")),
    ),
    st.builds(
        AdviceRequest,
        st.sampled_from(("finetune", "pretrain")),
        models.map(known_or_scaled),
        st.just("bf16"),
        st.just("full"),
        contexts,
        st.just(1),
        st.sampled_from(("spot", "on-demand")),
    ),
)


def _chosen(plan: Plan, purchase: Market) -> Offer | None:
    """What `make choose` offers of the plan's machine, asked for its GPU, count, fabric and way of buying."""
    machine = plan.host.machine
    assert machine
    together = plan.layout.machines > 1 and plan.layout.pipeline * plan.layout.fsdp > 1
    fabric = machine.fabrics[0] if together else "none"
    wanted = Asked(
        machine.gpu, None, machine.gpu_count, fabric, purchase, plan.layout.machines, one_zone=together
    )
    try:
        offers = choose([machine.region], wanted).offers
    except NoMachineError:
        return None
    return next((offer for offer in offers if offer.machine == machine), None)


@settings(max_examples=examples(40), deadline=None)
@given(asks)
def test_nothing_is_recommended_that_choose_refuses(ask: AdviceRequest) -> None:
    """A plan that is ranked with a price has the chooser's own price; what is refused by one is refused by both."""
    for plan in best_plans(ask):
        if plan.host.machine is None:
            continue
        chosen = _chosen(plan, ask.purchase)
        assert bool(plan.refused) == (chosen is None)
        if plan.serves:
            assert chosen
            assert plan.usd_hour == pytest.approx(plan.layout.machines * chosen.usd)
            assert isinstance(plan.bought, Offer)
            assert plan.bought.zones == chosen.zones


def test_a_machine_is_refused_for_the_choosers_reason() -> None:
    host = next(
        host for host in hosts() if host.machine and host.machine.price("spot") and host.machine.zones
    )
    assert host.machine
    dear = Price("on-demand", "", 1.0, "observed", date(2026, 11, 1), "test")
    cheap = replace(dear, purchase="spot", usd=0.95)
    for changed, why in (
        (replace(host.machine, zones=()), "which zones offer it is not known"),
        (replace(host.machine, prices=(dear, cheap)), "spot saves 5%, less than 10%"),
        (replace(host.machine, prices=(dear,)), "no spot price is known"),
        (replace(host.machine, purchases=("flex-start",)), "is sold as flex-start only"),
    ):
        found = replace(host, machine=changed).bought("spot", 1, colocated=False)
        plan = Plan(host, Layout(1), 1, 1, found)
        assert (plan.refused, plan.usd_hour) == (why, None)
        assert plan.fits
        assert not plan.serves


def test_machines_that_work_together_are_in_the_cheapest_zone() -> None:
    host = next(host for host in hosts() if host.machine and host.machine.fabrics and host.machine.zones)
    assert host.machine
    dear = Price("on-demand", "", 10.0, "observed", date(2026, 11, 1), "test")
    zones = [
        replace(dear, purchase="spot", zone=zone, usd=usd) for zone, usd in (("a", 5), ("b", 1), ("c", 3))
    ]
    host = replace(host, machine=replace(host.machine, zones=("a", "b", "c"), prices=(dear, *zones)))
    apart, together = (host.bought("spot", 2, colocated=joined) for joined in (False, True))
    assert isinstance(apart, Offer)
    assert isinstance(together, Offer)
    assert (apart.usd, set(apart.zones)) == (3, {"a", "b", "c"})
    assert (together.usd, together.zones) == (1, ("b",))


@settings(max_examples=examples(30), deadline=None)
@given(models, dtypes, contexts, st.integers(1, 2000))
def test_a_user_of_what_serves_reads_at_least_as_fast_as_people(
    model: str, dtype: Dtype, context: int, users: int
) -> None:
    for plan in best_plans(_serve(model, dtype, context, users)):
        if plan.serves:
            assert plan.tokens_s / users >= LEAST_TOKENS_S * (1 - 1e-9)


def test_a_pipeline_that_crawls_falls_out() -> None:
    """405B in 16 bits over small cards and their network: a token in seconds, however few users there are."""
    plans = best_plans(_serve("405b", users=1))
    ranks = [plan.serves for plan in plans]
    assert ranks == sorted(ranks, reverse=True)
    slow = [plan for plan in plans if plan.fits and plan.slow]
    assert slow
    assert all(plan.each_s < LEAST_TOKENS_S for plan in slow)


def test_a_machine_that_is_fast_enough_stands_for_its_gpu() -> None:
    """70B on L4: over eight machines with one card each it crawls, over two with eight it does not."""
    ask = _serve("70b", users=1)
    crawls = [
        plan
        for plan in (_serving_plan(ask, host) for host in hosts() if host.gpu.name == "L4")
        if plan.fits and plan.slow
    ]
    assert crawls
    assert not _plan(ask, "L4").slow
