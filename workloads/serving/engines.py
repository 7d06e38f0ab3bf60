"""The engines of a model server as data: `engines.yaml`, and the flags that a version has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field

HERE = Path(__file__).parent


class Metrics(BaseModel):
    """Where an engine's metrics are, and how their names begin."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    port: int
    prefix: str


class Engine(BaseModel):
    """An engine: each field is explained at the top of `engines.yaml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    image: str
    command: tuple[str, ...]
    port: int
    health: str
    alive: str = ""
    """The path of the liveness probe, where it is not `health`."""
    metrics: Metrics
    flags: Mapping[str, tuple[str, ...]]
    cannot: Mapping[str, str] = Field(default={})
    needs: tuple[str, ...] = ()
    in_clouds_alone: str = ""
    """Why it can't serve from a store on premises; empty if it can."""
    quantization: tuple[str, ...] | None = None
    environment: Mapping[str, str] = Field(default={})
    warning: str = ""
    as_of: date
    source: str = Field(min_length=1)

    def adapter_words(self, paths: Mapping[str, str]) -> Iterator[str]:
        """The words for adapters, each a name that clients ask for and a folder of the pod."""
        for word in self.flags["adapters"]:
            each = paths.items() if "{name}" in word else [("", "")]
            yield from (word.format(name=name, path=path, count=len(paths)) for name, path in each)


class Flags(BaseModel):
    """The flags that a version of an engine has, without their dashes."""

    version: str
    as_of: date
    flags: frozenset[str]

    def has(self, flag: str) -> bool:
        """Whether it has a flag, or switches one off (`no-enable-prefix-caching`)."""
        return flag in self.flags or flag.removeprefix("no-") in self.flags


@cache
def engines() -> Mapping[str, Engine]:
    """Every engine by the name that settings give it."""
    read = yaml.safe_load((HERE / "engines.yaml").read_text())
    return {name: Engine.model_validate({**about, "name": name}) for name, about in read.items()}


@cache
def flags_of(image: str) -> Flags | None:
    """The flags of the version that an image has; None where nobody has read them."""
    read = Flags.model_validate(yaml.safe_load((HERE / "vllm_flags.yaml").read_text()))
    return read if image.endswith(f"vllm-openai:v{read.version}") else None
