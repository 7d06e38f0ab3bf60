"""The command: what it prints, and what it says of wrong options."""

import io
import json
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from infra.advice.command import advise, read_ask
from infra.advice.fit import best_plans
from infra.advice.show import show
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
        ask, rate = read_ask(model, GIVEN | {"task": task})
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
        read_ask("8b", GIVEN | change)


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
    assert read_ask("8b", GIVEN | {"task": task, "dtype": dtype})[0].method == method


def test_a_broken_config_is_one_message(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"hidden_size": 64}))
    code, _, said = _run("--model", str(path))
    assert code == 2
    assert f"{path}: num_hidden_layers: nothing" in said
