"""What the settings of the gateway are held to before anything is made."""

from __future__ import annotations

from infra.settings.errors import NOTHING, Problem
from infra.settings.valid_parts import Parts
from infra.settings.workloads import path_of
from infra.settings.workloads.gateway import Gateway
from infra.settings.workloads.serving import Serving


def one_revision(parts: Parts) -> list[Problem]:
    """A problem for each model whose server says another revision than the cache keeps answers by: none would be."""
    asked, served = parts.workload(Gateway), parts.workload(Serving)
    if not (asked and asked.cache and served and served.revision):
        return []
    return [
        Problem(
            f"{path_of(Gateway)}.models[{at}].revision",
            model.revision or NOTHING,
            f"{served.revision}, which {path_of(Serving)}.revision says of {model.name}",
        )
        for at, model in enumerate(asked.models)
        if model.name in (served.model, *served.adapters) and model.revision != served.revision
    ]
