"""The cases of a golden set: five kinds of answer, each with what makes it right."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from jsonschema import Draft202012Validator, SchemaError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, field_validator
from pydantic.alias_generators import to_camel

from workloads.evaluation.programs.normal import normal, number


def _says_something(text: str) -> str:
    if not normal(text):
        raise ValueError(f"{text!r} has no letter and no digit")
    return text


Words = Annotated[str, AfterValidator(_says_something)]
Forms = Annotated[list[Words], Field(min_length=1)]


class Model(BaseModel):
    """What is read of files: camelCase, and no field that nobody knows."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class Slices(Model):
    """What a case is an instance of; results are shown, and held to a minimum, for each."""

    language: Literal["hi", "ta", "bn", "en", "mixed"] | Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]
    """ISO 639, or `mixed` for text that changes between two."""
    script: str = Field(pattern=r"^([A-Z][a-z]{3}|Mixed)$")
    """ISO 15924 (`Deva`, `Taml`, `Beng`, `Latn`), or `Mixed`."""
    region: Words = "IN"
    """ISO 3166-2 (`IN-TN`), or `IN` for all of India."""


class CaseFields(Model):
    """What cases of every kind have."""

    id: str = Field(pattern=r"^[\w.-]+$")
    prompt: Words
    slices: Slices
    source: str = ""
    """Where its fact was read."""


class Exact(CaseFields):
    """The answer is one of these, but for case, Unicode form, and what stands around words."""

    kind: Literal["exact"]
    answer: Forms

    @field_validator("answer", mode="before")
    @classmethod
    def _several(cls, given: Any) -> Any:
        return [given] if isinstance(given, str) else given


class Numeric(CaseFields):
    """The last number of the answer is this one, in whatever digits, give or take `tolerance`."""

    kind: Literal["numeric"]
    answer: Words
    tolerance: float = Field(default=0, ge=0, allow_inf_nan=False)

    @field_validator("answer", mode="before")
    @classmethod
    def _is_a_number(cls, given: Any) -> Any:
        if number(str(given)) is None:
            raise ValueError("give a number, such as 12,50,000 or २.५ लाख")
        return str(given)


class Schema(CaseFields):
    """The answer is JSON that the schema (Draft 2020-12) accepts."""

    kind: Literal["schema"]
    json_schema: dict[str, Any] = Field(alias="schema", min_length=1)

    @field_validator("json_schema")
    @classmethod
    def _is_one(cls, schema: dict[str, Any]) -> dict[str, Any]:
        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            raise ValueError(f"is no JSON schema: {error.message}") from error
        return schema


class Rubric(CaseFields):
    """The answer says each of `must`, and none of `mustNot`. A statement is the forms in which it may be said."""

    kind: Literal["rubric"]
    must: Annotated[list[Forms], Field(min_length=1)]
    must_not: list[Forms] = []


class Judged(CaseFields):
    """Another model says whether the answer meets `criterion`."""

    kind: Literal["judged"]
    criterion: Words
    answer: Words
    """A good one, for the judge to compare with."""


Case = Exact | Numeric | Schema | Rubric | Judged
_READ: TypeAdapter[Case] = TypeAdapter(Annotated[Case, Field(discriminator="kind")])


def read_case(line: bytes) -> Case:
    """The case in a line of JSON. ValidationError or another ValueError if it is none."""
    # Python's JSON would take the last of two fields of one name, and NaN.
    return _READ.validate_python(json.loads(line, object_pairs_hook=_once, parse_constant=_no_number))


def expected(case: Case) -> str:
    """The right answer as people read it."""
    match case:
        case Exact():
            return " | ".join(case.answer)
        case Numeric():
            return f"{case.answer} ± {case.tolerance:g}" if case.tolerance else case.answer
        case Schema():
            return json.dumps(case.json_schema, ensure_ascii=False)
        case Rubric():
            must = ["must: " + " | ".join(forms) for forms in case.must]
            return "; ".join(must + ["must not: " + " | ".join(forms) for forms in case.must_not])
        case Judged():
            return f"{case.criterion} ({case.answer})"


def answers(case: Case) -> list[str]:
    """What a model would have learnt by heart: texts, for numbers and rules are in every book."""
    match case:
        case Exact():
            return case.answer
        case Judged():
            return [case.answer]
        case _:
            return []


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(found := dict(pairs)) < len(pairs):
        raise ValueError(f"a field is given twice: {', '.join(name for name, _ in pairs)}")
    return found


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number")
