"""lakeFS as the engine sees it: the values of its chart on both clouds."""

from __future__ import annotations

import json
import textwrap
from typing import Any

import pulumi
import pytest
import yaml

from infra.contracts.database import FOLDER as DATABASE
from infra.contracts.database import SECRET
from infra.settings import reading
from infra.settings.errors import SettingsError
from infra.settings.workloads.lakefs import Lakefs
from infra.sites.databases import with_database
from tests.infra.platform.gpu_cluster import SERVE, gpu_cluster
from tests.program import whole_stacks
from workloads.lakefs.build import WORKLOAD
from workloads.lakefs.component import LABELS, LakeFs, LakeFsArgs, configuration
from workloads.lakefs.needs import APP, IMAGE, IMAGE_TAG, NEEDS

DRAWN = "drawn-at-random"
CLOUDS = {"aws": ("ap-south-1", "s3"), "gcp": ("asia-south1", "gs")}


@pytest.fixture(scope="module", params=CLOUDS)
def cloud(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def made(deploy: Any, cloud: str) -> Any:
    region, scheme = CLOUDS[cloud]

    def program() -> str:
        namespaces = pulumi.Output.from_input(f"{scheme}://mumbai-curated/lakefs")
        cluster = gpu_cluster(SERVE, cloud=cloud, region=region)
        return LakeFs("lakefs", LakeFsArgs(cluster, Lakefs(replicas=3), IMAGE, namespaces)).url

    return deploy(program, outputs={"random:index/randomPassword:RandomPassword": {"result": DRAWN}})


@pytest.fixture(scope="module")
def values(made: Any) -> dict[str, Any]:
    return made.one("helm.sh/v3:Release").inputs["values"]


def test_the_chart_is_the_pinned_one_and_runs_the_pinned_server(made: Any, values: dict[str, Any]) -> None:
    release = made.one("helm.sh/v3:Release").inputs
    assert (release["chart"], release["version"]) == ("lakefs", "1.12.16")
    assert release["repositoryOpts"] == {"repo": "https://charts.lakefs.io"}
    assert release["namespace"] == "lakefs" and made.result == "http://lakefs.lakefs.svc"
    assert values["image"] == {"repository": IMAGE, "tag": IMAGE_TAG}
    assert values["replicaCount"] == 3


def test_its_data_are_in_the_stacks_region(values: dict[str, Any], cloud: str) -> None:
    region, scheme = CLOUDS[cloud]
    told = yaml.safe_load(values["lakefsConfig"])
    assert told["blockstore"]["type"] == scheme
    assert told["blockstore"]["default_namespace_prefix"] == f"{scheme}://mumbai-curated/lakefs"
    assert told["blockstore"]["s3"]["region"] == told["gateways"]["s3"]["region"] == region
    assert told["blockstore"][scheme]["disable_pre_signed"] is True


def test_the_database_is_found_by_its_secret_and_its_certificate_is_checked(values: dict[str, Any]) -> None:
    told = yaml.safe_load(values["lakefsConfig"])["database"]
    # No host, user, password or mode of TLS: the variables of the Secret say them all.
    assert told == {"type": "postgres", "postgres": {"connection_string": "postgres://"}}
    assert values["extraEnvVarsSecret"] == SECRET and NEEDS.database
    (mounted,) = (each for each in values["extraVolumeMounts"] if each["mountPath"] == DATABASE)
    (volume,) = (each for each in values["extraVolumes"] if each["name"] == mounted["name"])
    assert volume["secret"]["secretName"] == SECRET
    assert not {"PGSSLMODE", "PGSSLROOTCERT"} & {each["name"] for each in values["extraEnvVars"]}


def test_no_secret_is_in_the_release(made: Any, values: dict[str, Any]) -> None:
    assert DRAWN not in json.dumps(made.one("helm.sh/v3:Release").inputs)
    keys = made.one("core/v1:Secret").inputs
    assert values["existingSecret"] == keys["metadata"]["name"] == "lakefs-keys"
    held = keys["stringData"].get("value", keys["stringData"])
    (signing,) = (each for each in values["extraEnvVars"] if each["name"].endswith("SIGNING_SECRET_KEY"))
    named = {values["secretKeys"]["authEncryptSecretKey"], signing["valueFrom"]["secretKeyRef"]["key"]}
    assert named == held.keys() and len(named) == 2


def test_nothing_is_told_to_its_makers_nor_asked_of_them(values: dict[str, Any]) -> None:
    told = yaml.safe_load(values["lakefsConfig"])
    assert told["stats"] == told["email_subscription"] == {"enabled": False}
    assert told["security"] == {"check_latest_version": False, "audit_check_url": ""}


def test_the_config_map_that_the_chart_makes_of_it_can_be_read() -> None:
    """Its template puts the text below `config.yaml:`, no further in (templates/configmap.yaml): a block of lines is
    read there, and a text of one line is not."""

    def config_map(text: str) -> dict[str, Any]:
        scalar = "|\n" + textwrap.indent(text, "  ") if "\n" in text else json.dumps(text)
        return yaml.safe_load("data:\n  config.yaml:\n" + textwrap.indent(scalar, "  "))

    text = configuration("ap-south-1", "s3://b/lakefs")
    assert config_map(text)["data"]["config.yaml"] == text
    assert "$" not in text
    # Else Helm's writer of YAML makes a quoted scalar of one line of it.
    assert not any(line.endswith(" ") for line in text.splitlines())
    with pytest.raises(yaml.YAMLError):
        config_map("{stats: {enabled: false}}")


def test_pods_are_as_the_namespace_asks(made: Any, values: dict[str, Any]) -> None:
    assert values["podSecurityContext"]["runAsNonRoot"] is True
    assert values["securityContext"]["readOnlyRootFilesystem"] is True
    assert values["serviceAccount"] == {"name": "lakefs"}
    assert values["service"] == {"type": "ClusterIP"} and "ingress" not in values
    assert values["resources"]["limits"]["memory"]
    budget = made.one("PodDisruptionBudget").inputs
    assert budget["metadata"]["namespace"] == "lakefs" and budget["spec"]["selector"]["matchLabels"] == LABELS
    cache = yaml.safe_load(values["lakefsConfig"])["committed"]["local_cache"]["dir"]
    assert any(cache.startswith(each["mountPath"]) for each in values["extraVolumeMounts"])
    (monitor,) = NEEDS.monitors
    assert (monitor.app, monitor.port) == (APP, "http")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"buckets": []}, "at least 1 item"),
        ({"buckets": ["raw"]}, "'curated' or 'features'"),
        ({"buckets": ["curated", "curated"]}, "each bucket once"),
        ({"replicas": 0}, "greater than or equal to 1"),
        ({"image": "treeverse/lakefs:1"}, "Extra inputs"),
    ],
)
def test_what_it_can_not_be_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Lakefs.model_validate(wrong)


def on_both_clouds(asked: dict[str, Any]) -> Any:
    config = whole_stacks.config_of("prod")
    said = {key.partition(":")[2]: value for key, value in config.items() if "india-ai-infra:" in key}
    return reading.parse({**said, "workloads": {"lakefs": asked}}, *WORKLOAD.checks)


def test_its_database_is_in_its_own_cloud_which_a_stack_on_two_names() -> None:
    settings = on_both_clouds({"cloud": "gcp"})
    assert with_database(settings, "gcp", [NEEDS]) == ["lakefs"]
    assert with_database(settings, "aws", [NEEDS]) == []
    with pytest.raises(SettingsError, match="aws or gcp: the cloud whose lake has the data"):
        on_both_clouds({})


def test_it_may_write_below_its_folder_of_the_buckets_that_the_settings_name() -> None:
    assert WORKLOAD.needs_with(None) == NEEDS
    needs = WORKLOAD.needs_with(Lakefs(buckets=["features", "curated"]))
    rights = [(each.bucket, each.right, each.prefix) for each in needs.grants]
    assert rights == [
        ("features", "prune", "lakefs/"),
        ("features", "read", ""),
        ("curated", "prune", "lakefs/"),
        ("curated", "read", ""),
    ]
