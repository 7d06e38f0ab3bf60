"""A model server that the settings let pass fits by `advise` too; one that they refuse is told what would."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from rich.console import Console

from commands.advise.show import show
from infra.advice import check_fits, model, unchecked
from infra.advice.config_json import read_config
from infra.advice.fit import AdviceRequest, best_plans
from infra.advice.layout import GIB, USABLE
from infra.advice.model import DATA
from infra.advice.quantization import checkpoint, quantizations
from infra.catalog.gpus import gpus
from infra.catalog.offered import check_offered
from infra.settings import reading
from infra.settings.errors import Problem, SettingsError
from infra.settings.workloads.serving import Serving
from tests.examples import examples
from workloads.serving.pod import ModelServerArgs

PROJECT = Path(__file__).parents[3]
# Pools that Mumbai has, and what else a stack of tests says.
POOLS = [
    {"name": "l4", "gpu": "L4", "maxNodes": 4},
    {"name": "l4x4", "gpu": "L4", "gpusPerNode": 4, "maxNodes": 4},
    {"name": "l40s", "gpu": "L40S", "maxNodes": 4},
    {"name": "l40sx4", "gpu": "L40S", "gpusPerNode": 4, "maxNodes": 4},
    {"name": "t4", "gpu": "T4", "maxNodes": 4},
    {"name": "h100", "gpu": "H100", "gpusPerNode": 8, "fabric": "efa", "elastic": True, "maxNodes": 2},
]
MODELS = tuple(row["name"] for row in csv.DictReader((DATA / "models.csv").open()))


def stack(pools: list[dict[str, Any]] = POOLS, **serving: Any) -> dict[str, Any]:
    return {
        "owner": "ml-platform",
        "environment": "dev",
        "purpose": "tests",
        "budget": {"monthlyInr": 100},
        "currency": {"usdInr": 88.5, "asOf": "2026-11-24"},
        "aws": {
            "region": "ap-south-1",
            "cluster": {"access": {"jumpHost": True, "deployers": ["role/deployer"]}, "pools": pools},
        },
        "workloads": {"serving": serving},
    }


def problem(values: dict[str, Any]) -> Problem | None:
    try:
        reading.parse(values, check_offered, check_fits)
    except SettingsError as error:
        (found,) = error.problems
        return found
    return None


def of_stack(name: str) -> dict[str, Any]:
    config = yaml.safe_load((PROJECT / f"Pulumi.{name}.yaml").read_text())["config"]
    prefix = "india-ai-infra:"
    return {key.removeprefix(prefix): value for key, value in config.items() if key.startswith(prefix)}


@pytest.mark.parametrize("name", ["local", "dev", "prod"])
def test_the_models_that_ship_fit_their_gpus(name: str) -> None:
    """Weights, and the cache of one longest sequence, counted by hand."""
    read = reading.parse(of_stack(name), check_offered, check_fits)
    serve = read.workloads.serving
    assert serve and read.aws
    assert unchecked(serve) is None
    found = checkpoint(serve.model)
    assert found
    shape, weights = found
    pool = next(pool for pool in read.aws.cluster.pools if pool.name == serve.pool)
    assert pool.gpu
    room = 0.9 * gpus()[pool.gpu].memory_gib * GIB * serve.gpus
    each = {"bf16": 2, "int8": 1, "int4": 0.5625}[weights]
    embeddings = shape.vocab * shape.hidden * (1 if shape.tied else 2)
    cache = 4 * shape.layers * shape.kv_heads * shape.head_dim * (serve.max_model_len or shape.context)
    assert each * (shape.parameters - embeddings) + 2 * embeddings + cache < room


@pytest.mark.parametrize(
    ("serving", "path", "near"),
    [
        # 15.3 GiB of weights and 5.6 of cache for the model's own 40,960 tokens, on a card that has 20.2 for both.
        ({"pool": "l4", "model": "Qwen/Qwen3-8B"}, "maxModelLen", "21504"),
        ({"pool": "l4", "model": "Qwen/Qwen3-8B", "maxModelLen": 32768}, "maxModelLen", "21504"),
        ({"pool": "l4", "model": "Qwen/Qwen3-0.6B", "maxModelLen": 50000}, "maxModelLen", "40960"),
        # bf16 weights of 61 GiB: not on one L40S (40.5 GiB), whatever the context.
        ({"pool": "l40sx4", "model": "Qwen/Qwen3-32B"}, "gpus", "2"),
        ({"pool": "l40s", "model": "Qwen/Qwen3-32B", "maxModelLen": 16384}, "pool", "h100"),
        ({"pool": "l40sx4", "model": "Qwen/Qwen3-32B", "gpus": 3}, "gpus", "2"),
        ({"pool": "l40s", "model": "Qwen/Qwen3-32B", "quantization": "fp8"}, "quantization", None),
        ({"pool": "l4", "model": "Qwen/Qwen3-8B", "quantization": "fp8"}, "quantization", "fp8_per_tensor"),
        ({"pool": "l4", "model": "Qwen/Qwen3-8B", "quantization": "fp_8"}, "quantization", "fp8"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(
    serving: dict[str, Any], path: str, near: str | None
) -> None:
    found = problem(stack(**serving))
    assert found
    assert (found.path, found.nearest) == (f"workloads.serving.{path}", near)


def test_where_no_pool_fits_the_pool_that_would_is_named() -> None:
    small = [{"name": "l4", "gpu": "L4", "maxNodes": 4}]
    found = problem(stack(small, pool="l4", model="meta-llama/Llama-3.1-70B-Instruct"))
    assert found
    assert (found.path, found.given, found.nearest) == ("workloads.serving.pool", "l4", None)
    assert "a pool with {gpu: " in found.allowed


def test_a_pool_by_its_memory_is_judged_by_the_gpu_that_it_gets() -> None:
    pools = [{"name": "any", "minGpuMemoryGib": 10, "maxNodes": 2}]
    assert problem(stack(pools, pool="any", model="Qwen/Qwen3-0.6B")) is None
    refused = problem(stack(pools, pool="any", model="Qwen/Qwen3-32B"))
    assert refused
    assert refused.path == "workloads.serving.pool"


def test_a_pool_on_premises_is_judged_too() -> None:
    values = stack([], pool="hall", model="Qwen/Qwen3-32B")
    values["onPremises"] = {
        "nodeCidrs": ["192.168.8.0/24"],
        "podCidrs": ["172.24.0.0/16"],
        "vpn": {"address": "203.0.113.10"},
        "pools": [{"name": "hall", "gpu": "L40S", "gpusPerNode": 4, "nodes": 2}],
    }
    with pytest.raises(SettingsError) as refused:
        reading.parse(values, check_fits)
    assert "workloads.serving.gpus" in {found.path for found in refused.value.problems}


@pytest.mark.parametrize(
    ("serving", "why"),
    [
        ({"model": "someone/new-model-9b"}, "make advise MODEL=path/to/config.json"),
        ({"model": "Qwen/Qwen3-32B", "engine_args": ["--kv_cache_dtype=fp8"]}, "--kv_cache_dtype=fp8"),
        ({"model": "Qwen/Qwen3-32B", "quantization": "compressed-tensors"}, "compressed-tensors"),
    ],
)
def test_what_can_not_be_checked_is_told_and_not_refused(serving: dict[str, Any], why: str) -> None:
    asked = Serving(pool="l4", **serving)
    assert why in str(unchecked(asked))
    assert problem(stack(**asked.model_dump(by_alias=True, exclude_none=True))) is None


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("Qwen/Qwen3-32B", "bf16"),
        ("Qwen/Qwen3-32B-FP8", "int8"),
        ("Qwen/Qwen3-32B-AWQ", "int4"),
        ("RedHatAI/Qwen3-32B-FP8-dynamic", "int8"),
        ("RedHatAI/Qwen3-32B-quantized.w4a16", "int4"),
        ("Qwen/Qwen3-32B-GPTQ-Int8", "int8"),
        ("meta-llama/Llama-3.1-8B-Instruct", "bf16"),
        ("openai/gpt-oss-120b", "int4"),
    ],
)
def test_what_a_checkpoint_keeps_its_weights_in(name: str, weights: str) -> None:
    found = checkpoint(name)
    assert found
    assert found[1] == weights


def test_the_share_of_memory_is_what_the_server_asks_for() -> None:
    assert ModelServerArgs.gpu_memory_utilization == USABLE


serving = st.fixed_dictionaries(
    {
        "pool": st.sampled_from([str(pool["name"]) for pool in POOLS]),
        "model": st.tuples(st.sampled_from(MODELS), st.sampled_from(("", "-FP8", "-AWQ")))
        .map("/".join)
        .map(lambda name: f"o/{name.replace('/', '')}"),
        "gpus": st.sampled_from((1, 1, 1, 2, 3, 4, 8)),
    },
    optional={
        "maxModelLen": st.integers(1, 200_000),
        "quantization": st.sampled_from(sorted(quantizations())),
    },
)


@hypothesis_settings(max_examples=examples(200))
@given(serving)
def test_what_passes_fits_by_advise_and_what_is_nearest_passes(serving: dict[str, Any]) -> None:
    pool = next(pool for pool in POOLS if pool["name"] == serving["pool"])
    assume(serving["gpus"] <= pool.get("gpusPerNode", 1))
    found = problem(stack(**serving))
    if found is None:
        assert _fits_by_advise(serving)
    elif found.nearest:
        value: str | int = found.nearest if not found.nearest.isdigit() else int(found.nearest)
        mended = {**serving, found.path.removeprefix("workloads.serving."): value}
        assert problem(stack(**mended)) is None


def _fits_by_advise(serving: dict[str, Any]) -> bool:
    """A server for one user, with a context as long, over as many GPUs of that kind."""
    asked = Serving.model_validate(serving)
    known = checkpoint(asked.model)
    if known is None or unchecked(asked):
        return True
    shape, kept = known
    made = quantizations()[asked.quantization].weights if asked.quantization else ""
    weights = made if made and kept == "bf16" else kept
    pool = next(pool for pool in POOLS if pool["name"] == asked.pool)
    ask = AdviceRequest("serve", shape, weights, "full", asked.max_model_len or shape.context, 1, "spot")
    plan = next(plan for plan in best_plans(ask) if plan.host.gpu.name == pool["gpu"])
    return plan.fits and (asked.max_model_len or 0) <= shape.context


def test_the_row_that_advise_prints_is_the_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put into the table, it makes the model one that is checked."""
    config = {
        "model_type": "qwen3",
        "hidden_size": 4096,
        "num_hidden_layers": 36,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "intermediate_size": 12288,
        "vocab_size": 151936,
        "tie_word_embeddings": False,
        "max_position_embeddings": 40960,
        "layer_types": ["full_attention"] * 30 + ["sliding_attention"] * 6,
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    read = read_config(tmp_path / "config.json")
    out = io.StringIO()
    ask = AdviceRequest("serve", read, "bf16", "full", 8192, 1, "spot")
    show(ask, best_plans(ask), 88.5, Console(file=out, width=400))
    (row,) = re.findall(r"a row of infra/advice/data/models\.csv: NAME(\S+)", out.getvalue())
    table = (DATA / "models.csv").read_text().splitlines()
    (tmp_path / "models.csv").write_text(f"{table[0]}\nmine-9b{row} of the hub\n")
    monkeypatch.setattr(model, "DATA", tmp_path)
    model._published.cache_clear()
    try:
        found = checkpoint("team/mine-9b-FP8")
    finally:
        monkeypatch.undo()
        model._published.cache_clear()
    assert found == (replace(read, name="mine-9b"), "int8")


def test_a_model_of_the_table_needs_no_row() -> None:
    out = io.StringIO()
    ask = AdviceRequest("serve", model.known_or_scaled("8b"), "bf16", "full", 8192, 1, "spot")
    show(ask, best_plans(ask), 88.5, Console(file=out, width=400))
    assert "models.csv" not in out.getvalue()
