"""What the settings of every workload have in common."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from pydantic.alias_generators import to_camel

from infra.geography import Cloud
from infra.settings.errors import refuse
from infra.settings.fields import Rule
from infra.settings.model import Model

# The registry of the stack's own account or project, in the region where a pod runs.
OWN_REGISTRY = "{registry}"


def _image(text: str) -> str:
    """A reference as container runtimes read it (distribution/reference). Its registry may also be `{registry}`."""
    host = rf"(({re.escape(OWN_REGISTRY)}|[A-Za-z0-9.-]+(:\d+)?)/)?"
    path = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
    if re.fullmatch(rf"{host}{path}(/{path})*(:\w[\w.-]{{0,127}})?(@sha256:[0-9a-f]{{64}})?", text):
        return text
    raise refuse(_IMAGE)


_IMAGE = f"an image: <registry>/<repository>:<tag>, or {OWN_REGISTRY}/<repository>:<tag> for the stack's own registry"
Image = Annotated[str, Rule(_image, _IMAGE)]


def _released(text: str) -> str:
    if re.fullmatch(r"released(/[A-Za-z0-9][A-Za-z0-9._-]*)+", text):
        return text
    raise refuse(_RELEASED)


_RELEASED = "a folder of the bucket `models` below released/, such as released/intent"
ReleasedModel = Annotated[str, Rule(_released, _RELEASED)]


@dataclass(frozen=True)
class PoolUse:
    """What a workload takes of the pool that its pods run on."""

    pool: str
    gpus: int
    """Of each pod: no more than a node has."""
    gpus_setting: str
    """The setting that says so (`gpusPerNode`)."""
    nodes: int | None = None
    """Whole nodes at once, by the setting `nodes`: no more than the pool can have; None for pods that share them."""


class WorkloadSettings(Model):
    """What the settings of every workload are asked, whichever it is."""

    @property
    def pool_use(self) -> PoolUse | None:
        """None for a workload that names no pool."""
        return None

    @property
    def images(self) -> dict[str, str]:
        """The images that are named, by their settings: those called `image` or `…Image`."""
        named = {name: getattr(self, name) for name in type(self).model_fields if name.endswith("image")}
        return {to_camel(name): image for name, image in named.items() if image}


class InOneCloud(WorkloadSettings):
    """The settings of a workload that stands in one cluster of the stack, whatever pools there are."""

    cloud: Cloud | None = Field(
        default=None, description="The cloud whose cluster it is in, on a stack that has two."
    )
