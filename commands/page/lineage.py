"""Lineage of models, as a file says it: a list in JSON of the versions of models, each with where it came from."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel


class LineageError(Exception):
    """A file is no lineage; the message says where, and what is needed there."""


class Version(BaseModel):
    """One version of a model. `data` and `code` are commits, `run` the id of the run that made it, `deployment` the
    name of what serves it. What is not known is left out; more fields than these are not read."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel)

    model: str
    version: str = ""
    stage: str = ""
    run: str = ""
    data: str = ""
    code: str = ""
    deployment: str = ""


_VERSIONS = TypeAdapter(list[Version])


def read(file: Path) -> list[Version]:
    """The versions of a file.

    Raises:
        LineageError: the file can't be read, or is no such list.
    """
    needed = 'a list in JSON such as [{"model": "loan-risk", "version": "3", "run": "8f1c", "data": "41ab"}]'
    try:
        return _VERSIONS.validate_json(file.read_bytes())
    except OSError as error:
        raise LineageError(
            f"LINEAGE {file}: it can't be read: {error.strerror}; needed is {needed}"
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole file"
        raise LineageError(f"LINEAGE {file}: {where}: {first['msg']}; needed is {needed}") from None
