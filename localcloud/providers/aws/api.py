"""The AWS API behind the provider: botocore's models to check a call with, and the local endpoint to send it to."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.model import OperationModel
from botocore.parsers import ResponseParserError
from botocore.session import Session
from botocore.validate import ParamValidator

from localcloud import deployer

ENDPOINT = "INDIA_AI_INFRA_AWS_ENDPOINT"
LOCAL_KEYS = deployer.KEYS
_GONE = re.compile(r"NotFound|NotAttached|NoSuch|NonExist|DoesNotExist|^404$", re.IGNORECASE)


class RefusedError(Exception):
    """AWS refused an operation. `gone` says that what it was about does not exist."""

    def __init__(self, operation: str, code: str, message: str) -> None:
        super().__init__(f"{operation} was refused: {code}: {message}")
        self.code = code
        self.gone = bool(_GONE.search(code))


class Api:
    """Clients for each service and region, made when first used. Safe to use from many threads.

    `elsewhere` are endpoints by service, as a program gives them to its provider, and `keys` what opens those; all
    other services are the local cloud's. STS sees the deployer's role there. The others see plain keys of its account:
    on each call of a role's session moto walks all roles, and fails while another thread makes one.
    """

    def __init__(
        self, elsewhere: Mapping[str, str] | None = None, keys: tuple[str, str] = LOCAL_KEYS
    ) -> None:
        self._elsewhere = elsewhere or {}
        self._keys = keys
        self._session = Session()
        self._lock = threading.Lock()  # a botocore session makes models and clients for one thread at a time
        self._clients: dict[tuple[str, str], Any] = {}
        self._models: dict[tuple[str, str], OperationModel] = {}
        self._account: str | None = None
        self._signed_in: dict[str, Any] | None = None

    def model(self, service: str, operation: str) -> OperationModel:
        """The model of an operation: its input and output shapes."""
        key = (service, operation)
        with self._lock:
            if key not in self._models:
                self._models[key] = _service_model(self._session, service).operation_model(operation)
            return self._models[key]

    def faults(self, service: str, operation: str, params: dict[str, Any]) -> list[str]:
        """What botocore's service model has against these parameters: missing ones, wrong types, wrong lengths."""
        shape = self.model(service, operation).input_shape
        if shape is None:
            return []
        report = ParamValidator().validate(params, shape)
        return list(report.generate_report().splitlines()) if report.has_errors() else []

    def call(self, service: str, region: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        """Carry out one call; every page of it when the operation has pages."""
        client = self._client(service, region)
        method = client.meta.method_to_api_mapping
        name = next(python for python, api in method.items() if api == operation)
        try:
            answer = _answer(client, name, params)
        except ClientError as error:
            said = error.response.get("Error", {})
            raise RefusedError(operation, str(said.get("Code")), str(said.get("Message"))) from error
        except (BotoCoreError, ResponseParserError) as error:
            raise RefusedError(operation, type(error).__name__, str(error)) from error
        return _plain({k: v for k, v in answer.items() if k != "ResponseMetadata"})

    def account(self, region: str) -> str:
        """The id of the account that the credentials are of."""
        known = self._account
        if known is None:
            known = self._account = str(self.call("sts", region, "GetCallerIdentity", {})["Account"])
        return known

    def _client(self, service: str, region: str) -> Any:
        with self._lock:
            client = self._clients.get((service, region))
            if client is None:
                there = self._elsewhere.get(service)
                as_deployer = service == "sts" and not there
                keys = self._as_deployer() if as_deployer else _signed(self._keys if there else LOCAL_KEYS)
                client = self._clients[service, region] = self._session.create_client(
                    service,
                    region_name=region,
                    endpoint_url=there or _endpoint(),
                    **keys,
                    config=Config(retries={"total_max_attempts": 2}, max_pool_connections=32),
                )
            return client

    def _as_deployer(self) -> dict[str, Any]:
        """The keys of one session for all clients; the caller holds the lock."""
        if self._signed_in is None:
            try:
                self._signed_in = deployer.sign_in(self._session, _endpoint())
            except (BotoCoreError, ClientError) as error:
                raise RefusedError("AssumeRole", type(error).__name__, str(error)) from error
        return self._signed_in


def _answer(client: Any, name: str, params: dict[str, Any], attempts: int = 4) -> dict[str, Any]:
    """What AWS answers, every page of it.

    moto fails a call that reads what another thread writes, with a page instead of XML: botocore tries any other 500
    again, and that not.
    """
    try:
        if client.can_paginate(name):
            return client.get_paginator(name).paginate(**params).build_full_result()
        return getattr(client, name)(**params)
    except ResponseParserError:
        if attempts == 1:
            raise
        return _answer(client, name, params, attempts - 1)


def _signed(keys: tuple[str, str]) -> dict[str, Any]:
    return dict(zip(("aws_access_key_id", "aws_secret_access_key"), keys, strict=True))


@cache
def _service_model(session: Session, service: str) -> Any:
    return session.get_service_model(service)


def _endpoint() -> str:
    endpoint = os.environ.get(ENDPOINT)
    if not endpoint:
        raise RefusedError(
            "connect", "NoLocalCloud", f'{ENDPOINT} is not set: run `eval "$(make env)"` first'
        )
    return endpoint


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return value.isoformat() if isinstance(value, datetime) else value
