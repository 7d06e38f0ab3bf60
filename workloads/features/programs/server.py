"""The server: POST /get-online-features as Feast's own has it, so that Feast's client (`type: remote`) reads from it,
with the statuses of online.py. It writes nothing, and there is no other way to ask it for anything."""

from __future__ import annotations

import time
from typing import Any

from feast import FeatureService, FeatureStore
from feast.errors import FeastObjectNotFoundException
from feast.feature_server_utils import convert_response_to_dict
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus, GetOnlineFeaturesResponse
from pydantic import BaseModel, Field, ValidationError
from redis.exceptions import RedisError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from .errors import FeaturesError
from .keys import mark_key
from .materialise import redis_of
from .metrics import SECONDS, VALUES, Materialised
from .online import OnlineReader, shorten

MOST_ENTITIES = 1000


class Asked(BaseModel):
    """The body of a request."""

    entities: dict[str, list[Any]] = Field(min_length=1)
    features: list[str] = []
    feature_service: str | None = None
    full_feature_names: bool = False


def application(store: FeatureStore, stale_seconds: int) -> Starlette:
    """The server of a store's project."""
    reader = OnlineReader(store)
    Materialised(redis_of(store), store.project, stale_seconds).register()

    async def answer(request: Request) -> JSONResponse:
        begun = time.perf_counter()
        body, code = await _answered(reader, await request.body())
        SECONDS.labels(str(code)).observe(time.perf_counter() - begun)
        return JSONResponse(body, code)

    def ready(_: Request) -> JSONResponse:
        try:
            materialised = redis_of(store).hexists(mark_key(store.project), "through")
        except RedisError as error:
            return JSONResponse({"ready": False, "because": str(error)}, 503)
        return JSONResponse({"ready": bool(materialised)}, 200 if materialised else 503)

    async def alive(_: Request) -> JSONResponse:
        return JSONResponse({"alive": True})

    return Starlette(
        routes=[
            Route("/get-online-features", answer, methods=["POST"]),
            Route("/ready", ready),
            Route("/health", alive),
        ]
    )


async def _answered(reader: OnlineReader, body: bytes) -> tuple[dict[str, Any], int]:
    try:
        asked = Asked.model_validate_json(body)
        _refuse_sizes(asked.entities)
        features = _features(reader.store, asked)
        answer = (await reader.read_async(features, asked.entities)).proto
        _count(answer)
        if not asked.full_feature_names:
            shorten(answer)
    except ValidationError as error:
        return {"detail": error.errors(include_url=False, include_context=False, include_input=False)}, 422
    except (FeaturesError, FeastObjectNotFoundException, KeyError, ValueError) as error:
        return {"detail": str(error)}, 422
    except RedisError as error:
        return {"detail": f"Redis: {error}"}, 503
    # Feast's own form of an answer: values as JSON has them.
    return convert_response_to_dict(answer), 200


def _features(store: FeatureStore, asked: Asked) -> list[str] | FeatureService:
    if bool(asked.features) == bool(asked.feature_service):
        raise FeaturesError("ask for `features`, or for a `feature_service`")
    if asked.feature_service:
        return store.get_feature_service(asked.feature_service, allow_cache=True)
    return asked.features


def _refuse_sizes(entities: dict[str, list[Any]]) -> None:
    sizes = {len(values) for values in entities.values()}
    if len(sizes) > 1 or not 0 < max(sizes) <= MOST_ENTITIES:
        raise FeaturesError(f"entities: as many values of each key, 1 to {MOST_ENTITIES}")


def _count(answer: GetOnlineFeaturesResponse) -> None:
    for name, vector in zip(answer.metadata.feature_names.val, answer.results, strict=True):
        view, _, feature = name.partition("__")
        for status in set(vector.statuses) if feature else ():
            counted = sum(1 for each in vector.statuses if each == status)
            VALUES.labels(view, FieldStatus.Name(status)).inc(counted)
