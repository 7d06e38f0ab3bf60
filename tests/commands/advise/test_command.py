"""The command: what it prints, and what it says of wrong options."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from commands.advise.command import advise, read_request
from commands.advise.show import show
from infra.advice.fit import best_plans
from infra.catalog.choose import Rejected
from infra.settings.errors import SettingsError

GIVEN = {
    "task": "serve",
    "dtype": "bf16",
    "context": "8192",
    "users": "50",
    "purchase": "spot",
    "usd_inr": 88.5,
}


def _run(*options: str) -> tuple[int, str, str]:
    app = typer.Typer()
    app.command()(advise)
    result = CliRunner().invoke(app, list(options))
    return result.exit_code, result.stdout, result.stderr


def test_serving_says_what_it_costs() -> None:
    code, printed, _ = _run("--usd-inr", "100")
    assert code == 0
    assert "8.03B parameters · serve · bf16 · 50 users x 8,192 tokens" in printed
    assert "weights 15.0 GiB, KV cache 50.0 GiB (128 KiB a token)" in printed
    assert "On your desk, no hourly price: RTX 4090, RTX 3090." in printed
    assert "spot prices at ₹100 a dollar" in printed
    assert "\x1b" not in printed


def test_the_rate_is_the_stacks_own() -> None:
    assert "a dollar" in _run("--task", "finetune", "--model", "0.6b")[1]


def test_it_is_readable_in_100_columns() -> None:
    for task, model in (("serve", "405b"), ("serve", "8b"), ("finetune", "70b")):
        ask, rate = read_request(model, GIVEN | {"task": task})
        out = io.StringIO()
        show(ask, best_plans(ask), rate, Console(file=out, width=100, force_terminal=True, color_system=None))
        lines = out.getvalue().splitlines()
        assert max(map(len, lines)) <= 100
        assert "…" not in out.getvalue()


def test_every_wrong_option_at_once() -> None:
    code, printed, said = _run("--model", "9x", "--task", "srve", "--dtype", "fp8", "--users", "none")
    assert (code, printed) == (2, "")
    assert "4 settings are wrong" in said
    assert "nearest: serve" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"task": "pretrain", "dtype": "int4"}, "TASK=finetune takes int8 and int4"),
        ({"task": "finetune", "dtype": "int4", "method": "full"}, "full takes DTYPE=bf16"),
        ({"task": "serve", "method": "lora"}, "only TASK=finetune"),
        ({"context": 0}, "context: 0"),
        ({"usd_inr": -1}, "usd_inr: -1"),
        ({"purchase": "lease"}, "purchase: lease"),
    ],
)
def test_options_that_do_not_go_together(change: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        read_request("8b", GIVEN | change)


@pytest.mark.parametrize(
    ("task", "dtype", "method"),
    [
        ("finetune", "bf16", "full"),
        ("finetune", "int8", "lora"),
        ("finetune", "int4", "lora"),
        ("pretrain", "bf16", "full"),
    ],
)
def test_method_by_default(task: str, dtype: str, method: str) -> None:
    assert read_request("8b", GIVEN | {"task": task, "dtype": dtype})[0].method == method


def test_a_broken_config_is_one_message(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"hidden_size": 64}))
    code, _, said = _run("--model", str(path))
    assert code == 2
    assert f"{path}: num_hidden_layers: nothing" in said


@pytest.mark.parametrize(
    ("context", "tokens"), [("8192", 8192), ("8k", 8192), ("128k", 131_072), ("128K", 131_072), ("0.5k", 512)]
)
def test_a_context_may_be_counted_in_k(context: str, tokens: int) -> None:
    assert read_request("8b", GIVEN | {"context": context})[0].context == tokens


@pytest.mark.parametrize("context", ["k", "1.5", "8kb", "-8k", "100m"])
def test_what_is_no_context(context: str) -> None:
    with pytest.raises(SettingsError, match="context: "):
        read_request("8b", GIVEN | {"context": context})


def test_a_context_over_the_models_own_is_refused_with_its_limit() -> None:
    with pytest.raises(SettingsError, match=r"context: 10485760\n.*up to 131072") as refused:
        read_request("8b", GIVEN | {"context": "10m"})
    assert refused.value.problems[0].nearest == "131072"
    assert read_request("Llama-4-Scout-17B-16E", GIVEN | {"context": "10m"})[0].context == 10_485_760


def test_without_a_context_it_is_no_more_than_the_model_takes() -> None:
    silent = {key: value for key, value in GIVEN.items() if key != "context"}
    assert read_request("8b", silent)[0].context == 8192
    path = Path(__file__).parents[2] / "infra" / "advice" / "configs" / "gpt2.json"
    assert read_request(str(path), silent)[0].context == 1024


def test_weights_are_served_as_the_checkpoint_has_them_and_trained_in_bf16() -> None:
    silent = {key: value for key, value in GIVEN.items() if key != "dtype"}
    assert read_request("gpt-oss-20b", silent)[0].dtype == "int4"
    assert read_request("Qwen/Qwen3-32B-FP8", silent)[0].dtype == "int8"
    assert read_request("Qwen/Qwen3-32B-FP8", GIVEN)[0].dtype == "bf16"
    assert read_request("gpt-oss-20b", silent | {"task": "finetune"})[0].dtype == "bf16"


def test_a_name_of_the_hub_is_taken() -> None:
    assert read_request("meta-llama/Llama-3.1-8B", GIVEN)[0].shape.name == "Llama-3.1-8B"


@pytest.mark.parametrize(
    ("model", "near"),
    [
        ("meta-llama/Llama-3.1-9B", "Llama-3.1-8B"),
        ("deepseek-ai/DeepSeek-V3.1", "DeepSeek-V3"),
        ("kimi-k3", "Kimi-K2"),
        ("openai/gpt-oss-21b", "gpt-oss-20b"),
    ],
)
def test_the_nearest_model_of_the_table_is_named(model: str, near: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read_request(model, GIVEN)
    (problem,) = refused.value.problems
    assert problem.nearest == near
    assert ("there is none of that name" in problem.allowed) == ("/" in model)


def test_what_was_assumed_stands_under_the_table(tmp_path: Path) -> None:
    config = json.loads(
        (Path(__file__).parents[2] / "infra" / "advice" / "configs" / "Qwen3-30B-A3B.json").read_text()
    )
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config | {"model_type": "brand_new"}))
    assert "counted as full attention" in _run("--model", str(path), "--usd-inr", "100")[1].replace("\n", " ")


def test_refusals_of_the_chooser_stand_under_the_table() -> None:
    ask, rate = read_request("8b", GIVEN)
    plans = best_plans(ask)
    (serving, *_) = [plan for plan in plans if plan.serves and plan.host.machine]
    assert serving.host.machine
    why = "which zones offer it is not known"
    refused = replace(serving, bought=Rejected(serving.host.machine, "", "zones", why))
    out = io.StringIO()
    show(ask, [refused], rate, Console(file=out, width=200))
    machines = f"{refused.layout.machines} {serving.host.machine.machine_type}"
    assert f"{serving.host.gpu.name}: fits on {machines}, but {why}" in out.getvalue()
    assert "tok/s" not in out.getvalue(), "nothing serves, so there is no table"
