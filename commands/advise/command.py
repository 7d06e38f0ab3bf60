"""`make advise`: which GPUs a model needs, and what they cost."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from commands.advise.show import show
from infra.advice.config_json import read_config
from infra.advice.fit import AdviceRequest, Task, best_plans
from infra.advice.memory import Dtype, Method
from infra.advice.model import Shape, known_or_scaled
from infra.advice.quantization import checkpoint
from infra.catalog.exchange_rate import assumed
from infra.settings.errors import Problem, SettingsError, problems_of, refuse
from infra.settings.money import Currency
from infra.settings.purchase import Market
from infra.stacks import file_of, settings_in

# Tokens: longer than any model takes (Llama-4-Scout's 10 million), and no typing error.
MOST_TOKENS = 16_777_216
# Unless a context is given, or the model takes less.
CONTEXT = 8192


def _tokens(given: object) -> object:
    """`128k` is 131,072 tokens, and `1m` 1,048,576: as models are named by what they take."""
    if isinstance(given, str) and (counted := re.fullmatch(r"(\d+(?:\.\d+)?)([km])", given.casefold())):
        return int(float(counted[1]) * (1024 if counted[2] == "k" else 1024**2))
    return given


class _Options(BaseModel):
    model_config = ConfigDict(frozen=True)

    task: Task
    dtype: Dtype | None = None
    method: Method | None = Field(default=None, validate_default=True)
    context: Annotated[int, BeforeValidator(_tokens)] | None = Field(default=None, ge=16, le=MOST_TOKENS)
    users: int = Field(ge=1, le=1_000_000)
    purchase: Market
    usd_inr: float = Field(gt=0)

    @field_validator("dtype")
    @classmethod
    def _whole_weights_in_pretraining(cls, dtype: str | None, info: ValidationInfo) -> str | None:
        if info.data.get("task") == "pretrain" and dtype not in (None, "bf16"):
            raise refuse(
                "bf16: weights that are trained can't be quantised; TASK=finetune takes int8 and int4",
                near="bf16",
            )
        return dtype

    @field_validator("method")
    @classmethod
    def _method_of_task(cls, given: Method | None, info: ValidationInfo) -> Method:
        task, dtype = info.data.get("task"), info.data.get("dtype") or "bf16"
        if given == "lora" and task != "finetune":
            raise refuse("none: only TASK=finetune has a choice of method")
        if given == "full" and dtype != "bf16":
            raise refuse(
                "lora: weights that are trained can't be quantised; full takes DTYPE=bf16", near="lora"
            )
        return given or ("lora" if task == "finetune" and dtype != "bf16" else "full")


def advise(
    model: Annotated[str, typer.Option(help="a size (8b), a known name, or a path to a config.json")] = "8b",
    task: Annotated[str, typer.Option(help="finetune, pretrain or serve")] = "serve",
    dtype: Annotated[str, typer.Option(help="of the weights: bf16, int8, int4; else the checkpoint's")] = "",
    context: Annotated[str, typer.Option(help="tokens of a sequence (8192, 128k)")] = "",
    users: Annotated[str, typer.Option(help="at the same time (serve)")] = "50",
    method: Annotated[str, typer.Option(help="full or lora (finetune)")] = "",
    purchase: Annotated[str, typer.Option(help="spot or on-demand")] = "spot",
    usd_inr: Annotated[str, typer.Option(help="rupees for a dollar; else that of Pulumi.local.yaml")] = "",
) -> None:
    """Which GPUs a model needs, how many, laid out how, and what they cost in rupees."""
    given = {"task": task, "users": users, "purchase": purchase}
    optional = {"dtype": dtype, "context": context, "method": method}
    given |= {name: value for name, value in optional.items() if value}
    try:
        ask, rate = read_request(model, {**given, "usd_inr": usd_inr or stack_rate()})
    except SettingsError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from None
    show(ask, best_plans(ask), rate)
    print(rate_assumed(usd_inr, rate))


def read_request(model: str, given: dict[str, Any]) -> tuple[AdviceRequest, float]:
    """What is asked, and rupees for a dollar.

    Raises:
        SettingsError: every wrong option at once: which, what was given, what is allowed, the nearest.
    """
    problems: list[Problem] = []
    shape = options = None
    try:
        shape = _shape(model)
    except SettingsError as error:
        problems += error.problems
    try:
        options = _Options.model_validate(given)
    except ValidationError as error:
        problems += problems_of(error, _Options)
    if shape is None or options is None:
        raise SettingsError(problems)
    if options.context and shape.context and options.context > shape.context:
        allowed = f"up to {shape.context}, the max_position_embeddings of {shape.name}"
        raise SettingsError([Problem("context", str(options.context), allowed, str(shape.context))])
    return _ask(shape, options), options.usd_inr


def _ask(shape: Shape, options: _Options) -> AdviceRequest:
    """Weights are served as the checkpoint keeps them, and trained in bf16, unless the options say otherwise."""
    return AdviceRequest(
        task=options.task,
        shape=shape,
        dtype=options.dtype or (shape.weights if options.task == "serve" else "bf16"),
        method=options.method or "full",
        context=options.context or min(CONTEXT, shape.context or CONTEXT),
        users=options.users,
        purchase=options.purchase,
    )


def _shape(model: str) -> Shape:
    """Of a file, a model of the table under its name on the Hugging Face hub too, or a size."""
    if model.endswith(".json") or ("/" in model and Path(model).exists()):
        return read_config(Path(model))
    if known := checkpoint(model):
        shape, weights = known
        return replace(shape, weights=weights)
    return known_or_scaled(model)


def stack_rate() -> float:
    """The rate that the stack `local` shows prices at."""
    return _currency().usd_inr


def rate_assumed(given: str, rate: float) -> str:
    """One sentence on the rate: `given` as an option, or the stack's, and then whether it is old or far off."""
    today = date.today()
    if given:
        return assumed(Currency(usd_inr=rate, as_of=today), "USD_INR", today)
    currency = _currency()
    return assumed(currency, f"{file_of('local').name}, of {currency.as_of}", today)


def _currency() -> Currency:
    try:
        return Currency.model_validate(settings_in(file_of("local")).get("currency"))
    except ValidationError as error:
        raise SettingsError(problems_of(error, Currency)) from None
