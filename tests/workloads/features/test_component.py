"""The feature store as the engine sees it."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from pydantic import ValidationError

from infra.contracts.database import SECRET, VARIABLES
from infra.settings.workloads.features import Features
from tests.infra.platform.gpu_cluster import SERVE, gpu_cluster
from workloads.features.build import check_definitions
from workloads.features.component import FeatureStore, FeatureStoreArgs
from workloads.features.needs import ALERTS, NEEDS
from workloads.features.package import ROOT, files

ASKED: dict[str, Any] = {"image": "{registry}/india-ai-infra/features:2026.11"}


def store(**changes: Any) -> FeatureStore:
    settings = Features.model_validate({**ASKED, **changes})
    args = FeatureStoreArgs(
        gpu_cluster(SERVE), settings, "features:1", settings.redis_image, "s3://features/feast/loan_risk"
    )
    return FeatureStore("features", args)


@pytest.fixture(scope="module")
def made(deploy):
    password = {"random:index/randomPassword:RandomPassword": {"result": "drawn-at-random"}}
    return deploy(lambda: store().url, outputs=password)


def pod(made: Any, kind: str, name: str) -> dict[str, Any]:
    (only,) = [each for each in made.of(kind).values() if each.inputs["metadata"]["name"] == name]
    spec = only.inputs["spec"]
    return (spec["jobTemplate"]["spec"] if "jobTemplate" in spec else spec)["template"]["spec"]


def test_features_are_materialised_at_indias_time_one_at_a_time(made):
    assert made.result == "http://features.features.svc:6566"
    (cron,) = made.of("batch/v1:CronJob").values()
    spec = cron.inputs["spec"]
    assert (spec["timeZone"], spec["concurrencyPolicy"]) == ("Asia/Kolkata", "Forbid")
    assert spec["startingDeadlineSeconds"] == 3600
    (rule,) = spec["jobTemplate"]["spec"]["podFailurePolicy"]["rules"]
    assert rule["onExitCodes"]["values"] == [64]


def test_server_and_job_find_the_lake_the_database_and_redis(made):
    for kind, name in (("v1:Deployment", "features"), ("batch/v1:CronJob", "features-materialise")):
        spec = pod(made, kind, name)
        (container,) = spec["containers"]
        plain = {each["name"]: each["value"] for each in container["env"] if "value" in each}
        assert plain["FEATURES_LAKE"] == "s3://features/feast/loan_risk"
        assert plain["FEATURES_REDIS"] == "features-redis.features.svc:6379"
        assert container["envFrom"] == [{"secretRef": {"name": SECRET}}]
        assert not set(VARIABLES) & set(plain)
        (password,) = [each for each in container["env"] if each["name"] == "REDIS_PASSWORD"]
        assert password["valueFrom"]["secretKeyRef"] == {"name": "features-redis", "key": "password"}
        assert NEEDS.service_account and spec["serviceAccountName"] == NEEDS.service_account.name
        assert {"program", "database"} <= {each["name"] for each in container["volumeMounts"]}


def test_redis_drops_no_value_and_keeps_nothing_on_a_disk(made):
    (container,) = pod(made, "v1:Deployment", "features-redis")["containers"]
    flags = dict(zip(container["args"][::2], container["args"][1::2], strict=True))
    assert (flags["--maxmemory-policy"], flags["--save"], flags["--appendonly"]) == ("noeviction", "", "no")


def test_the_pods_have_programs_and_definitions_as_they_are_here(made):
    (texts,) = [each.inputs for each in made.of("v1:ConfigMap").values()]
    expected = files("workloads/features/definitions")
    assert texts["data"] == {path.replace("/", "."): text for path, text in expected.items()}
    digest = hashlib.sha256("".join(expected.values()).encode()).hexdigest()[:8]
    assert texts["metadata"]["name"] == f"features-{digest}"


def test_pods_are_told_of_a_hopsworks_of_ones_own_and_of_no_other(deploy):
    made = deploy(lambda: store(hopsworks={"host": "10.20.0.15", "project": "risk"}).url)
    told = [
        each.inputs for each in made.of("v1:ConfigMap").values() if "HOPSWORKS_HOST" in each.inputs["data"]
    ]
    assert told[0]["data"]["HOPSWORKS_HOST"] == "10.20.0.15"
    for host in ("c.app.hopsworks.ai", "8.8.8.8", "hopsworks.example.in"):
        with pytest.raises(ValidationError, match="a Hopsworks of your own"):
            Features.model_validate({**ASKED, "hopsworks": {"host": host, "project": "risk"}})


def test_a_folder_without_definitions_is_a_problem_of_the_settings():
    class Asked:
        def workload(self, kind: type[Features]) -> Features:
            return kind.model_validate({**ASKED, "definitions": "workloads/features/no_such_folder"})

    (problem,) = check_definitions(Asked())  # pyright: ignore[reportArgumentType]
    assert problem.path == "workloads.features.definitions"


def test_every_alert_has_its_place_in_the_page():
    page = (ROOT / "docs/features.md").read_text().lower()
    for alert in ALERTS:
        file, _, anchor = alert.runbook.partition("#")
        assert file == "docs/features.md"
        assert f"### {anchor.replace('-', ' ')}" in page
