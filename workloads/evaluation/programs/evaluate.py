"""Asks an OpenAI-compatible endpoint every case of a golden set, by inspect-ai, and judges what it answers."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from typing import Any

from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.log import EvalSample
from inspect_ai.model import GenerateConfig, Model, get_model
from inspect_ai.scorer import Score, Scorer, Target, accuracy, grouped, scorer, stderr
from inspect_ai.solver import Generate, Solver, TaskState, solver

from workloads.evaluation.programs import results
from workloads.evaluation.programs.cases import Case, Judged, expected
from workloads.evaluation.programs.golden import GoldenSet
from workloads.evaluation.programs.job import Endpoint
from workloads.evaluation.programs.results import Answer, Results
from workloads.evaluation.programs.scoring import grade, question, wrong
from workloads.training.trainer.recipe import RecipeError

NAME, ERROR = "golden", "error"


def evaluate(golden: GoldenSet, endpoint: Endpoint, judge: Endpoint | None = None) -> Results:
    """The results of a model. A case without an answer is an error of its own, and ends nothing."""
    if judge is None and any(isinstance(case, Judged) for case in golden.cases):
        raise RecipeError(
            "judge is not given, and the golden set has judged cases: name an endpoint that judges"
        )
    cases = {case.id: case for case in golden.cases}
    samples = [
        Sample(id=case.id, input=case.prompt, target=expected(case), metadata=case.slices.model_dump())
        for case in golden.cases
    ]
    task = Task(
        name=golden.name,
        dataset=samples,
        solver=_asked(),
        scorer=_judged(cases, model_of(judge, "judge") if judge else None),
    )
    with tempfile.TemporaryDirectory() as logs:
        (log,) = eval(
            task,
            model=model_of(endpoint, "model"),
            log_dir=logs,
            log_level="error",
            log_realtime=False,
            display="none",
            fail_on_error=False,
            max_samples=endpoint.connections,
        )
        # The samples are read of the log's file as they are asked for.
        found = {str(sample.id): _answer(sample) for sample in log.samples or ()}
    if log.status != "success" or found.keys() != cases.keys():
        raise RuntimeError(f"inspect-ai ended as {log.status}: {log.error and log.error.message}")
    return Results(
        model=endpoint.model,
        revision=endpoint.revision,
        golden_set=golden.identity,
        at=results.now(),
        answers=tuple(found[case.id] for case in golden.cases),
    )


def model_of(endpoint: Endpoint, service: str) -> Model:
    """inspect-ai's model of an endpoint: it answers the same to the same, as far as its engine does."""
    return get_model(
        f"openai-api/{service}/{endpoint.model}",
        base_url=endpoint.url,
        api_key=os.environ.get(endpoint.key_variable) or "none",
        memoize=False,
        # The SDK would try again by itself, within one attempt of inspect-ai's.
        max_retries=0,
        config=GenerateConfig(
            temperature=0,
            seed=0,
            max_tokens=endpoint.max_tokens,
            max_connections=endpoint.connections,
            attempt_timeout=endpoint.timeout_seconds,
            max_retries=endpoint.retries,
        ),
    )


# An exception that leaves a solver or a scorer costs inspect-ai a long look at the stack.
@solver
def _asked() -> Solver:
    async def ask(state: TaskState, generate: Generate) -> TaskState:
        try:
            return await generate(state)
        except Exception as error:  # noqa: BLE001  whatever is wrong with one case is that case's result
            state.metadata[ERROR] = _sentence(error)
            return state

    return ask


@scorer(metrics=[grouped(accuracy(), "language"), stderr()], name=NAME)
def _judged(cases: Mapping[str, Case], judge: Model | None) -> Scorer:
    async def score(state: TaskState, target: Target) -> Score:
        case, answer = cases[str(state.sample_id)], state.output.completion
        try:
            if failed := _failed(state):
                return Score(value=0, metadata={ERROR: failed})
            if isinstance(case, Judged):
                assert judge
                why = grade((await judge.generate(question(case, answer))).completion)
            else:
                why = wrong(case, answer)
        except Exception as error:  # noqa: BLE001  the same of the judge
            return Score(value=0, metadata={ERROR: f"judge: {_sentence(error)}"})
        return Score(value=0 if why else 1, explanation=why)

    return score


def _failed(state: TaskState) -> str:
    """Why there is no answer. One without a choice is the endpoint's fault; an empty text is the model's own."""
    return state.metadata.get(ERROR, "" if state.output.choices else "the endpoint gave no choice")


def _sentence(error: BaseException) -> str:
    """What went wrong, behind the retries."""
    error = error.__cause__ or error
    return f"{type(error).__name__} {' '.join(str(error).split())}"[:300]


def _answer(sample: EvalSample) -> Answer:
    score = (sample.scores or {}).get(NAME)
    error = (score.metadata or {}).get(ERROR, "") if score else "it was not judged"
    usage: Any = sample.output.usage
    return Answer(
        id=str(sample.id),
        text=sample.output.completion,
        passed=score.as_int() == 1 if score and not error else None,
        why=(score.explanation or "") if score else "",
        error=error,
        seconds=round(sample.output.time or 0.0, 3),
        input_tokens=usage.input_tokens if usage else 0,
        output_tokens=usage.output_tokens if usage else 0,
    )
