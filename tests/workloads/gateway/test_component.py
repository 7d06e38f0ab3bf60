"""The gateway as the engine sees it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra.contracts.site import Site, Sites
from infra.settings.valid_parts import parts_of
from infra.settings.workloads.gateway import Gateway
from tests.infra.platform.gpu_cluster import SERVE, gpu_cluster
from tests.workloads.gateway.test_keys import asked
from workloads.gateway import cache_pods, smg
from workloads.gateway.build import WORKLOAD
from workloads.gateway.cache import options
from workloads.gateway.checks import one_revision
from workloads.gateway.component import GatewayArgs, ModelGateway
from workloads.gateway.needs import NEEDS

ASKED: dict[str, Any] = {
    "models": [
        {
            "name": "Qwen/Qwen3-8B",
            "urls": ["http://serve.serving.svc:8000", "http://spare.serving.svc:8000"],
            "revision": "2026-11",
        },
        {"name": "bge-m3", "urls": ["http://embed.features.svc:8000"]},
    ],
    "tenants": [{"name": "bank", "dataClass": "internal"}, {"name": "lab", "aboveZero": True}],
    "cache": {"image": "{registry}/india-ai-infra/gateway-cache:2026.11"},
}


def gateway(**changes: Any) -> ModelGateway:
    settings = Gateway.model_validate({**ASKED, **changes})
    cache = settings.cache
    args = GatewayArgs(
        gpu_cluster(SERVE),
        settings,
        smg.IMAGE,
        "cache:1" if cache else None,
        cache.redis_image if cache else None,
    )
    return ModelGateway("gateway", args)


@pytest.fixture(scope="module")
def made(deploy):
    password = {"random:index/randomPassword:RandomPassword": {"result": "drawn-at-random"}}
    return deploy(lambda: gateway().url, outputs=password)


def deployment(made: Any, name: str) -> dict[str, Any]:
    (only,) = [each for each in made.of("v1:Deployment").values() if each.inputs["metadata"]["name"] == name]
    return only.inputs["spec"]


def pod(made: Any, name: str) -> dict[str, Any]:
    return deployment(made, name)["template"]["spec"]


def container(made: Any, name: str) -> dict[str, Any]:
    (only,) = pod(made, name)["containers"]
    return only


def config_map(made: Any, key: str) -> dict[str, str]:
    (only,) = [each.inputs["data"] for each in made.of("v1:ConfigMap").values() if key in each.inputs["data"]]
    return only


def test_the_door_is_the_caches_and_without_a_cache_the_gateways(deploy):
    made = deploy(lambda: gateway().url)
    assert made.result == "http://gateway.gateway.svc:8080/v1"
    (door,) = [
        each.inputs for each in made.of("v1:Service").values() if each.inputs["metadata"]["name"] == "gateway"
    ]
    assert door["spec"]["selector"]["app.kubernetes.io/name"] == "gateway-cache"
    alone = deploy(lambda: gateway(cache=None).url)
    assert alone.result == "http://gateway.gateway.svc:30000/v1"
    assert {each.inputs["metadata"]["name"] for each in alone.of("v1:Deployment").values()} == {"gateway"}


def test_smg_is_pinned_and_finds_its_servers_in_a_file(made):
    one = container(made, "gateway-smg")
    assert one["image"] == "ghcr.io/smg-project/smg:1.13.0"
    assert {"--enable-igw", "--discovery-provider=file", "--history-backend=none"} <= set(one["args"])
    workers = json.loads(config_map(made, smg.WORKERS_FILE)[smg.WORKERS_FILE])["workers"]
    assert [worker["url"] for worker in workers] == [
        url for model in ASKED["models"] for url in model["urls"]
    ]
    assert len({worker["id"] for worker in workers}) == 3
    # Not by whether a server is up: at zero, who asks must be told, and seen.
    assert one["readinessProbe"]["httpGet"]["path"] == "/health"


def test_no_key_is_in_a_deployment_and_each_server_has_only_its_own(made):
    one = container(made, "gateway-smg")
    assert "--tenant-api-key=bank:$(TENANT_KEY_0)" in one["args"]
    sources = {each["name"]: each.get("valueFrom") for each in one["env"]}
    assert sources["TENANT_KEY_0"]["secretKeyRef"] == {"name": "gateway-keys", "key": "bank"}
    (redis,) = container(made, "gateway-redis")["env"]
    assert redis["valueFrom"]["secretKeyRef"] == {"name": "gateway-redis", "key": "password"}
    held = {
        each.inputs["metadata"]["name"]: set(each.inputs["stringData"]["value"])
        for each in made.of("v1:Secret").values()
    }
    assert held == {
        "gateway-keys": {"bank", "lab"},
        "gateway-redis": {"password"},
        "gateway-cache": {"secret", "admin", "redis-password", "tenant-bank", "tenant-lab"},
    }


def test_another_version_makes_new_keys(made, deploy):
    def keepers(made: Any) -> set[str]:
        return {
            each.inputs["keepers"]["version"]
            for each in made.of("RandomPassword").values()
            if each.inputs.get("keepers")
        }

    newer = deploy(lambda: gateway(keyVersion="2026-12").url)
    assert (keepers(made), keepers(newer)) == ({"1"}, {"2026-12"})
    old, new = (deployment(each, "gateway-smg")["template"]["metadata"] for each in (made, newer))
    assert old["annotations"] != new["annotations"]


def test_the_cache_reads_the_file_that_it_is_given(made, tmp_path):
    files = config_map(made, cache_pods.CONFIG)
    (tmp_path / "cache.json").write_text(files[cache_pods.CONFIG])
    for name in ("secret", "admin", "redis-password", "tenant-bank", "tenant-lab"):
        (tmp_path / name).write_text(f"{name}-0123456789")
    told = options.load(tmp_path / "cache.json", tmp_path)
    assert told.upstream == "http://gateway-smg.gateway.svc:30000"
    assert told.redis == "redis://gateway-redis.gateway.svc:6379/0"
    assert told.revisions == {"Qwen/Qwen3-8B": "2026-11"}
    assert told.tenant("tenant-lab-0123456789") == options.Tenant("lab", "personal", above_zero=True)
    assert told.redis_password == "redis-password-0123456789"
    assert asked(key="tenant-bank-0123456789", options=told).life == 3600
    paths = {
        item["path"]
        for volume in pod(made, "gateway")["volumes"]
        for item in (volume.get("configMap") or {}).get("items", [])
    }
    assert {"cache/__main__.py", "cache/door.py", "cache.json"} <= paths
    assert {"cache.__main__.py", "cache.door.py"} <= set(files)


def test_redis_has_a_password_and_writes_nothing(made):
    words = container(made, "gateway-redis")["args"]
    flags = dict(zip(words[::2], words[1::2], strict=True))
    assert (flags["--save"], flags["--appendonly"]) == ("", "no")
    assert flags["--requirepass"] == "$(REDIS_PASSWORD)"
    assert container(made, "gateway-redis")["image"] == "docker.io/library/redis:8.2.3"
    assert deployment(made, "gateway-redis")["strategy"]["type"] == "Recreate"


@pytest.mark.parametrize("name", ["gateway", "gateway-smg", "gateway-redis"])
def test_every_pod_is_restricted_and_leaves_slowly(made, name):
    one = container(made, name)
    assert one["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod(made, name)["securityContext"]["runAsNonRoot"] is True
    assert pod(made, name)["automountServiceAccountToken"] is False
    if name != "gateway-redis":
        assert deployment(made, name)["replicas"] == 2
        sleep = one["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert sleep + cache_pods.DRAIN_SECONDS < pod(made, name)["terminationGracePeriodSeconds"]
    budgets = {each.inputs["metadata"]["name"] for each in made.of("PodDisruptionBudget").values()}
    assert name in budgets


def test_only_the_gateways_pods_leave_for_the_namespaces_of_its_servers(made):
    policies = {
        (each.inputs["metadata"]["namespace"], each.inputs["metadata"]["name"]): each.inputs["spec"]
        for each in made.of("NetworkPolicy").values()
    }
    assert set(policies) == {
        ("gateway", "gateway-to-serving"),
        ("serving", "gateway-from-gateway"),
        ("gateway", "gateway-to-features"),
        ("features", "gateway-from-gateway"),
    }
    leave = policies["gateway", "gateway-to-serving"]
    assert leave["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "gateway"}
    (peer,) = leave["egress"][0]["to"]
    assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "serving"}
    (caller,) = policies["serving", "gateway-from-gateway"]["ingress"][0]["from"]
    assert caller["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "gateway"}


def test_tls_is_at_the_door(deploy):
    cached = deploy(lambda: gateway(tlsSecret="door").url)
    assert cached.result == "https://gateway.gateway.svc:8080/v1"
    assert "--tls" in container(cached, "gateway")["args"]
    assert container(cached, "gateway")["readinessProbe"]["httpGet"]["scheme"] == "HTTPS"
    assert "--tls-cert-path=/etc/tls/tls.crt" not in container(cached, "gateway-smg")["args"]
    alone = deploy(lambda: gateway(tlsSecret="door", cache=None).url)
    assert "--tls-cert-path=/etc/tls/tls.crt" in container(alone, "gateway")["args"]


def test_bounds_are_the_gateways_flags(deploy):
    made = deploy(lambda: gateway(maxConcurrentRequests=200, requestsPerSecond=50).url)
    flags = set(container(made, "gateway-smg")["args"])
    assert {"--max-concurrent-requests=200", "--rate-limit-tokens-per-second=50"} <= flags


def test_it_is_built_in_the_cluster_that_is_named(deploy):
    def build() -> None:
        site = Site(gpu_cluster(SERVE), lake=None, registry="registry.in")  # type: ignore[arg-type]
        WORKLOAD.build(Gateway.model_validate(ASKED), Sites({"aws": site}))

    made = deploy(build)
    assert container(made, "gateway")["image"] == "registry.in/india-ai-infra/gateway-cache:2026.11"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"models": []}, "at least 1"),
        ({"models": [{"name": "a", "urls": ["https://api.openai.com/v1"]}]}, "a Service of the cluster"),
        ({"models": [{"name": "a", "urls": ["http://serve.serving.svc:8000/v1"]}]}, "without a path"),
        ({"models": [ASKED["models"][0]] * 2}, "not Qwen/Qwen3-8B twice"),
        ({"tenants": [{"name": "bank"}, {"name": "bank"}]}, "not bank twice"),
        ({"tenants": [{"name": "bank", "dataClass": "secret"}]}, "personal"),
        ({"cache": {}}, "image"),
        ({"cache": {**ASKED["cache"], "seconds": {"public": -1}}}, "0"),
    ],
)
def test_what_cant_be_meant_is_refused_in_words(changes, words):
    with pytest.raises(ValueError, match="(?s)" + words):
        Gateway.model_validate({**ASKED, **changes})


@pytest.mark.parametrize(
    ("served", "where"),
    [
        ({"model": "Qwen/Qwen3-8B", "revision": "2026-12"}, "models[0].revision: 2026-11"),
        (
            {"model": "x", "adapters": {"bge-m3": "{models}/released/a"}, "revision": "1"},
            "models[1].revision: nothing",
        ),
        ({"model": "Qwen/Qwen3-8B", "revision": "2026-11"}, ""),
        ({"model": "Qwen/Qwen3-8B"}, ""),
        ({"model": "another", "revision": "2026-12"}, ""),
    ],
)
def test_a_server_says_the_revision_that_answers_are_kept_by(served, where):
    workloads = {"gateway": ASKED, "serving": {"pool": "l4", "maxModelLen": 4096, **served}}
    problems = [str(each) for each in one_revision(parts_of({"workloads": workloads}))]
    assert [where in each for each in problems] == [True] * bool(where)


def test_its_needs_open_no_way_to_the_internet():
    assert not NEEDS.internet
    assert not NEEDS.grants
    assert not NEEDS.always
    assert {alert.runbook.partition("#")[0] for each in NEEDS.monitors for alert in each.alerts} == {
        "docs/gateway.md"
    }
