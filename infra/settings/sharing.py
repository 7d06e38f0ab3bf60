"""Settings of GPUs that several pods share."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field, ValidationInfo, field_validator

from infra.settings.errors import refuse
from infra.settings.model import Model

SharingMode = Literal["time-slicing", "mig"]
TIME_SLICING, MIG = get_args(SharingMode)
# Our own, against a slip of the pen.
MOST_PARTS = 48


class Sharing(Model):
    """Each GPU of a pool is several to pods: a pod asks for one, and gets a part. What parts keep from each other:
    docs/sharing.md."""

    mode: SharingMode = Field(
        description="How. With `time-slicing` pods take turns on the whole GPU, and its memory is nobody's own; with "
        "`mig` the GPU is cut, on Google alone."
    )
    parts: int = Field(
        ge=2, le=MOST_PARTS, description="Pods to a GPU. With mig as many as the profile makes."
    )
    profile: str | None = Field(
        default=None,
        pattern=r"^[1-7]g\.[1-9]\d*gb$",
        validate_default=True,
        description="With mig: how a GPU is cut, such as 1g.10gb of an H100, which makes 7.",
    )

    @field_validator("profile")
    @classmethod
    def _only_mig_cuts(cls, profile: str | None, info: ValidationInfo) -> str | None:
        mode = info.data.get("mode")
        if mode == MIG and profile is None:
            raise refuse("with mig, how a GPU is cut: 1g.10gb, say")
        if mode == TIME_SLICING and profile:
            raise refuse("only with mode: mig")
        return profile

    @property
    def memory_gib(self) -> float | None:
        """GiB of a part that has memory of its own; None where all parts share the GPU's."""
        return (
            float(self.profile.partition(".")[2].removesuffix("gb")) * 1e9 / 2**30 if self.profile else None
        )
