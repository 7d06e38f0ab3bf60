"""Runs and models go to a tracking server of one's own: those that others keep abroad are refused wherever they are
named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.policies.harness import Shown, failures, run

ABROAD = (
    "https://api.wandb.ai",
    "https://acme.wandb.io",
    "https://www.comet.com",
    "https://app.neptune.ai",
    "https://api.clear.ml",
    "https://dagshub.com/acme/fraud.mlflow",
    "https://dbc-a1b2345c-d6e7.cloud.databricks.com",
    "https://adb-1234567890123456.7.azuredatabricks.net",
)
OWN = (
    "http://tracking.tracking.svc:5000",
    "http://wandb.wandb.svc:8080",
    "https://mlflow.example.in",
    # MLflow's own words for a database, and for what the server proxies.
    "postgresql+psycopg2://",
    "mlflow-artifacts:/1/abc/artifacts",
)


def pod(name: str, value: str) -> Shown:
    containers = [{"name": "trainer", "env": [{"name": name, "value": value}]}]
    return Shown("kubernetes:batch/v1:Job", {"spec": {"template": {"spec": {"containers": containers}}}})


def recipe(tracking: dict[str, str]) -> Shown:
    """As the training job's settings become its pods' ConfigMap."""
    return Shown(
        "kubernetes:core/v1:ConfigMap", {"data": {"recipe.json": json.dumps({"tracking": tracking})}}
    )


@pytest.mark.parametrize("address", ABROAD)
def test_a_service_abroad_is_refused_in_settings_and_in_variables(address: str) -> None:
    for variable in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "WANDB_BASE_URL", "DATABRICKS_HOST"):
        assert failures(run(pod(variable, address)), "DPDP-K8S-01"), variable
    for setting in ("mlflowUri", "wandb"):
        assert failures(run(recipe({setting: address})), "DPDP-K8S-01"), setting


@pytest.mark.parametrize("address", OWN)
def test_a_server_of_ones_own_passes(address: str) -> None:
    shown: list[Any] = [pod("MLFLOW_TRACKING_URI", address), recipe({"mlflowUri": address, "wandb": address})]
    for each in shown:
        assert not failures(run(each), "DPDP-K8S-01")


@pytest.mark.parametrize("key", ["WANDB_API_KEY", "COMET_API_KEY", "NEPTUNE_API_TOKEN", "DAGSHUB_USER_TOKEN"])
def test_a_key_without_an_address_is_refused(key: str) -> None:
    assert failures(run(pod(key, "k")), "DPDP-K8S-02")
