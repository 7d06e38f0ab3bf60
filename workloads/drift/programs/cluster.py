"""The API server of the cluster that the program runs in, by its official client."""

from __future__ import annotations

import json
from collections.abc import Generator
from email.utils import parsedate_to_datetime
from typing import Any

from kubernetes import client, config

from .flight import Answer, Ask, FlightError

PATHS = {
    "Lease": "/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases",
    "Job": "/apis/batch/v1/namespaces/{namespace}/jobs",
    "CronJob": "/apis/batch/v1/namespaces/{namespace}/cronjobs",
}
METHODS = {"get": "GET", "create": "POST", "update": "PUT"}
SECONDS = 20


def connected(kubeconfig: str | None = None) -> client.ApiClient:
    """A client by the pod's own token, or by a file."""
    if kubeconfig:
        return config.new_client_from_config(kubeconfig)
    config.load_incluster_config()
    return client.ApiClient()


def carried_out(api: client.ApiClient, asking: Generator[Ask, Answer, Any]) -> Any:
    """What the generator returns, its questions asked of the API server."""
    try:
        ask = next(asking)
        while True:
            ask = asking.send(answer(api, ask))
    except StopIteration as end:
        return end.value


def answer(api: client.ApiClient, ask: Ask) -> Answer:
    """One question asked. Objects stay the JSON that they are, so that no field is lost."""
    path = PATHS[ask.kind].format(namespace=ask.namespace)
    request = api.param_serialize(
        METHODS[ask.verb],
        path if ask.verb == "create" else f"{path}/{ask.name}",
        header_params={"Accept": "application/json", "Content-Type": "application/json"},
        body=ask.body,
        auth_settings=["BearerToken"],
    )
    said = api.call_api(*request, _request_timeout=SECONDS)
    date = said.headers.get("Date")
    if not date:
        raise FlightError(
            "the API server does not say what time it is, by which budget and cooldown are held"
        )
    return Answer(said.status, _json(said.read()), parsedate_to_datetime(date))


def _json(raw: bytes) -> dict[str, Any]:
    try:
        return dict(json.loads(raw))
    except ValueError:
        return {"message": raw[:200].decode(errors="replace")}
