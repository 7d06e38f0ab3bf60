"""Where Feast's Redis store keeps what, read from infra/online_stores/redis.py of Feast 0.67.

An entity is one hash, `<serialised entity key><project>`. Of each view it has a field for each feature, named by a
digest, and `_ts:<view>`, the moment of the row.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Any

from feast import FeatureView
from feast.infra.online_stores.helpers import _mmh3, _redis_key, _redis_key_prefix
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.type_map import python_values_to_proto_values

from .definitions import join_keys


def fields_of(view: FeatureView) -> list[bytes]:
    """The fields of a view in an entity's hash."""
    return [*(_mmh3(f"{view.name}:{field.name}") for field in view.features), f"_ts:{view.name}".encode()]


def keys_of(view: FeatureView, project: str, entities: Iterable[tuple[Any, ...]]) -> Iterator[bytes]:
    """The hash of each entity, which is given by its join keys' values in the order of `join_keys`."""
    names = join_keys(view)
    kinds = [field.dtype.to_value_type() for field in view.entity_columns]
    for entity in entities:
        values = [
            python_values_to_proto_values([value], kind)[0] for value, kind in zip(entity, kinds, strict=True)
        ]
        yield _redis_key(project, EntityKey(join_keys=names, entity_values=values), 3)


def all_keys(client: Any, view: FeatureView, project: str) -> Iterator[bytes]:
    """The hashes of all entities of the view's kind. Not by a pattern of Redis: the project `risk` would match the keys
    of `loan_risk`, and the length of a name may be a sign of patterns."""
    prefix, end = _redis_key_prefix(join_keys(view)), project.encode()
    for key in client.scan_iter(count=1000):
        if key.startswith(prefix) and key[_end_of_values(key, len(prefix), len(join_keys(view))) :] == end:
            yield key


def mark_key(project: str) -> str:
    """The hash with which the programs tell each other what Redis holds."""
    return f"features:{project}"


def _end_of_values(key: bytes, at: int, values: int) -> int:
    for _ in range(values):
        if at + 8 > len(key):
            return len(key)
        (length,) = struct.unpack_from("<I", key, at + 4)
        at += 8 + length
    return at
