"""Images that a setting has unless another is given: nodes of a real stack can pull them as they are written."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import BaseModel

from infra.settings.cross_checks import image_problems
from infra.settings.workloads import Workloads


def defaults(model: type[BaseModel], path: str) -> Iterator[tuple[str, str]]:
    """The default images of a model and of the models in it, by their setting."""
    for name, field in model.model_fields.items():
        if name.endswith("image") and isinstance(field.default, str):
            yield f"{path}.{name}", field.default
        for part in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from defaults(part, f"{path}.{name}")


FOUND = dict(defaults(Workloads, "workloads"))


@pytest.mark.parametrize("setting", FOUND)
def test_a_default_image_is_not_refused_on_a_real_stack(setting: str) -> None:
    assert image_problems(setting, FOUND[setting]) == []


def test_there_are_some() -> None:
    assert len(FOUND) >= 2
