"""What the settings of a model server are held to before anything is made, by the engine that they choose."""

from __future__ import annotations

from infra.settings.errors import NOTHING, Problem
from infra.settings.valid_parts import Parts
from infra.settings.workloads import path_of
from infra.settings.workloads.serving import Serving, flag, optional
from infra.spelling import nearest
from workloads.serving.engines import Engine, engines, flags_of

SETTINGS = path_of(Serving)


def check_engine(parts: Parts) -> list[Problem]:
    """A problem for each setting that the engine does not have, or whose flag its version lacks."""
    asked = parts.workload(Serving)
    if asked is None:
        return []
    engine = engines()[asked.engine]
    return [
        *_cannot(asked, engine),
        *_missing(asked, engine),
        *_on_premises(asked, engine, parts),
        *_quantization(asked, engine),
        *_flags(asked, engine),
    ]


def _cannot(asked: Serving, engine: Engine) -> list[Problem]:
    given = {name: value for name, value in optional(asked).items() if value and name in engine.cannot}
    return [
        Problem(
            f"{SETTINGS}.{name}",
            _shown(value),
            f"{NOTHING} with {asked.engine}: {engine.cannot[name]}",
            _other(name),
        )
        for name, value in given.items()
    ]


def _other(setting: str) -> str | None:
    """The first engine that has the setting."""
    able = next((name for name, engine in engines().items() if setting in engine.flags), None)
    return f"engine: {able}" if able else None


def _shown(value: object) -> str:
    return ", ".join(value) if isinstance(value, dict) else str(value)


def _missing(asked: Serving, engine: Engine) -> list[Problem]:
    missing = [name for name in engine.needs if not optional(asked)[name]]
    return [
        Problem(f"{SETTINGS}.{name}", NOTHING, f"what {asked.engine} can't do without") for name in missing
    ]


def _on_premises(asked: Serving, engine: Engine, parts: Parts) -> list[Problem]:
    if not engine.in_clouds_alone or asked.pool not in {pool.name for pool in parts.site.pools.values()}:
        return []
    pools = {pool.name for cloud in parts.clouds for pool in cloud.pools.values()}
    allowed = f"a pool of a cloud with {asked.engine}: {engine.in_clouds_alone}"
    return [Problem(f"{SETTINGS}.pool", asked.pool, allowed, nearest(asked.pool, pools))]


def _quantization(asked: Serving, engine: Engine) -> list[Problem]:
    """Of engines with a list of their own; vLLM's methods are checked with the memory that they take."""
    method, known = asked.quantization, engine.quantization
    if not method or known is None or method in known:
        return []
    return [Problem(f"{SETTINGS}.quantization", method, ", ".join(known), nearest(method, known))]


def _flags(asked: Serving, engine: Engine) -> list[Problem]:
    """Flags that the version lacks. Those of an image whose version nobody has read are not checked."""
    known = flags_of(asked.image or engine.image)
    if known is None:
        return []
    unknown = [name for word in asked.engine_args if (name := flag(word)) and not known.has(name)]
    allowed = f"flags of {asked.engine} {known.version}"
    return [
        Problem(
            f"{SETTINGS}.engineArgs",
            f"--{name}",
            allowed,
            f"--{near}" if (near := nearest(name, known.flags)) else None,
        )
        for name in unknown
    ]
