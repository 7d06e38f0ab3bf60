"""The read path: Feast's own, and then the statuses that it should have given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from feast import FeatureService, FeatureStore
from feast.online_response import OnlineResponse
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus, GetOnlineFeaturesResponse
from feast.protos.feast.types.Value_pb2 import Value

from .definitions import ttl_of
from .errors import FeaturesError

Entities = Mapping[str, Sequence[Any]]
_NULL = Value()


class OnlineReader:
    """Reads features of entities as of a moment: a value that is older than its view's ttl is null.

    Feast 0.67 answers PRESENT for a value of any age, and for an entity that Redis does not have. Here a value is
    PRESENT, NULL_VALUE (the row has none), OUTSIDE_MAX_AGE (too old) or NOT_FOUND, and null but for the first.
    """

    def __init__(self, store: FeatureStore) -> None:
        self.store = store

    def read(
        self, features: list[str] | FeatureService, entities: Entities, at: datetime | None = None
    ) -> OnlineResponse:
        """The features, each as `view:feature`, or those of a service. Results are named `view__feature`."""
        answer = self.store.get_online_features(features, dict(entities), full_feature_names=True)
        self.enforce(answer.proto, at)
        return answer

    async def read_async(self, features: list[str] | FeatureService, entities: Entities) -> OnlineResponse:
        """The same, of now, without a thread."""
        answer = await self.store.get_online_features_async(features, dict(entities), full_feature_names=True)
        self.enforce(answer.proto)
        return answer

    def enforce(self, answer: GetOnlineFeaturesResponse, at: datetime | None = None) -> None:
        """Set each status, and values to null, as of the moment."""
        moment = at or datetime.now(UTC)
        oldest: dict[str, float] = {}
        for name, vector in zip(answer.metadata.feature_names.val, answer.results, strict=True):
            view, found, _ = name.partition("__")
            if not found:
                continue
            if view not in oldest:
                oldest[view] = (moment - self._ttl(view)).timestamp()
            _enforce(vector, oldest[view], moment.timestamp())

    def _ttl(self, view: str) -> timedelta:
        return ttl_of(self.store.registry.get_feature_view(view, self.store.project, allow_cache=True))


def shorten(answer: GetOnlineFeaturesResponse) -> None:
    """Name each feature without its view. Raises FeaturesError where two are then alike."""
    names = answer.metadata.feature_names.val
    short = [name.partition("__")[2] or name for name in names]
    if again := [name for name in short if short.count(name) > 1]:
        raise FeaturesError(f"{again[0]} is a feature of two views: ask with full_feature_names")
    del names[:]
    names.extend(short)


def _enforce(vector: Any, oldest: float, newest: float) -> None:
    for at, (value, moment) in enumerate(zip(vector.values, vector.event_timestamps, strict=True)):
        seconds = moment.seconds + moment.nanos / 1e9
        if seconds == 0:
            status = FieldStatus.NOT_FOUND
        elif not oldest <= seconds <= newest:
            status = FieldStatus.OUTSIDE_MAX_AGE
        elif value.WhichOneof("val") in (None, "null_val"):
            status = FieldStatus.NULL_VALUE
        else:
            continue
        vector.statuses[at] = status
        value.CopyFrom(_NULL)
