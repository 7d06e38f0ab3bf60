"""What a platform makes of needs that none of the registered workloads has, or has alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pulumi_kubernetes.core.v1 import Secret

from infra.contracts.database import Database
from infra.contracts.images import Image
from infra.contracts.needs import (
    EVERYWHERE,
    Chart,
    Namespace,
    PodMonitor,
    PolicyRule,
    Role,
    RoleBinding,
    WorkloadNeeds,
    on,
)
from infra.platform import Platform, PlatformArgs
from infra.platform.rbac import create_rbac
from tests.infra.platform.gpu_cluster import PROFILES, SERVE, gpu_cluster

REDIS = Chart(
    "redis-operator",
    "oci://quay.io/team/redis-operator",
    "1.2.3",
    "cache",
    "tests",
    values={"image": {"repository": "quay.io/team/redis-operator", "tag": "1.2.3"}},
    images=(Image("image.repository", "quay.io/team/redis-operator", ":1.2.3"),),
)
CACHE = WorkloadNeeds(
    "cache",
    namespace=Namespace("cache"),
    clients=({"team/cache-client": "true"},),
    monitors=(PodMonitor("cache", "redis", "metrics"),),
    charts=(REDIS,),
)


def platform(
    deploy: Callable[..., Any],
    *needs: WorkloadNeeds,
    cloud: str = "aws",
    databases: Mapping[str, Database] | None = None,
) -> Any:
    def program() -> Any:
        return Platform(
            "platform",
            PlatformArgs(
                PROFILES[cloud],
                gpu_cluster(SERVE, cloud=cloud),
                "mumbai",
                ["10.0.0.0/16"],
                needs,
                databases=databases or {},
                registries={"quay.io": pulumi.Output.from_input("mirror.example/quay")},
            ),
        ).ready

    return deploy(program)


def test_a_chart_comes_with_the_workload_from_the_mirror_and_after_its_namespace(deploy: Any) -> None:
    made = platform(deploy, CACHE)
    release = made.one("Release", "redis-operator")
    assert release.inputs["values"] == {
        "image": {"repository": "mirror.example/quay/team/redis-operator", "tag": "1.2.3"}
    }
    assert made.one("v1:Namespace", "cache-namespace").urn in release.depends_on
    assert "redis-operator" not in platform(deploy).of("Release")


def test_a_chart_is_for_its_own_cloud(deploy: Any) -> None:
    google = replace(CACHE, charts=(replace(REDIS, cloud="gcp"),))
    assert "redis-operator" not in platform(deploy, google).of("Release")
    assert "redis-operator" in platform(deploy, google, cloud="gcp").of("Release")


def test_only_clients_come_in_and_nobody_gets_out(deploy: Any) -> None:
    policies = {
        name: found.inputs["spec"] for name, found in platform(deploy, CACHE).of("v1:NetworkPolicy").items()
    }
    assert set(policies) == {
        "cache-default-deny",
        "cache-allow-egress",
        "cache-allow-ingress",
        "cache-allow-clients",
    }
    assert policies["cache-allow-clients"]["ingress"] == [
        {"from": [{"namespaceSelector": {"matchLabels": {"team/cache-client": "true"}}}]}
    ]
    # It was granted nothing of the lake: neither an identity nor a store is of use to it.
    egress = policies["cache-allow-egress"]["egress"]
    assert not [peer for rule in egress for peer in rule["to"] if "ipBlock" in peer]


def test_a_workload_with_a_database_finds_it_by_a_secret_and_reaches_nothing_else(deploy: Any) -> None:
    database = Database("db.internal", "cache", "drawn", "verify-full", "PEM", ["10.0.9.0/24", "10.0.8.0/24"])
    made = platform(deploy, CACHE, databases={"cache": database})
    secret = made.one("v1:Secret", "cache-database")
    assert secret.inputs["metadata"] == {"name": "database", "namespace": "cache"}
    # Pulumi marks it as a secret.
    assert secret.inputs["stringData"]["value"] == {
        "PGHOST": "db.internal",
        "PGPORT": "5432",
        "PGDATABASE": "cache",
        "PGUSER": "cache",
        "PGPASSWORD": "drawn",
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": "/var/run/database/ca.pem",
        "ca.pem": "PEM",
    }
    assert any(isinstance(one, Secret) for one in made.result), "workloads wait for it"
    policy = made.one("v1:NetworkPolicy", "cache-allow-database").inputs["spec"]
    assert policy["policyTypes"] == ["Egress"]
    (rule,) = policy["egress"]
    assert [peer["ipBlock"]["cidr"] for peer in rule["to"]] == ["10.0.9.0/24", "10.0.8.0/24"]
    assert rule["ports"] == [{"port": 5432, "protocol": "TCP"}]
    assert "cache-database" not in platform(deploy, CACHE).of("v1:Secret")


@pytest.mark.parametrize("cloud", ["aws", "gcp"])
def test_pods_without_an_alert_are_scraped_and_sent_nowhere(deploy: Any, cloud: str) -> None:
    made = platform(deploy, CACHE, cloud=cloud)
    assert "podmonitor-cache" in made.of("PodMonitor")
    assert "podmonitoring-cache" not in made.of("PodMonitoring")
    groups = made.one("PrometheusRule", "prometheusrule-gpu-platform").inputs["spec"]["groups"]
    assert [group["name"] for group in groups] == ["gpus", "queues"]


def test_a_workload_without_pods_here_has_nothing_in_the_cluster(deploy: Any) -> None:
    bare = platform(deploy)
    burst = WorkloadNeeds("burst", monitors=CACHE.monitors, roles=(RoleBinding("ml-engineers", "view"),))
    assert {found.urn for found in platform(deploy, burst).resources} == {
        found.urn for found in bare.resources
    }


@pytest.mark.parametrize("role", [Role("work", (PolicyRule("", ("pods",), ("delete",)),)), Role("view", ())])
def test_two_roles_of_one_name_that_differ_are_refused(role: Role) -> None:
    needs = [
        replace(CACHE, roles=(RoleBinding("ml-engineers", Role("work", (PolicyRule("batch", ("jobs",)),))),)),
        replace(CACHE, roles=(RoleBinding("ml-engineers", role),)),
    ]
    with pytest.raises(ValueError, match=rf"two roles are called {role.name}.*rename one"):
        create_rbac(needs, {}, {}, pulumi.ResourceOptions())


@given(
    st.lists(st.frozensets(st.sampled_from(sorted(EVERYWHERE)))),
    st.frozensets(st.sampled_from(sorted(EVERYWHERE))),
)
def test_needs_are_of_those_that_run_in_one_of_the_places(runs_on: Any, places: Any) -> None:
    needs = [WorkloadNeeds(f"n{i}", runs_on=where) for i, where in enumerate(runs_on)]
    found = on(places, needs)
    assert all(each.runs_on & places for each in found)
    assert all(not each.runs_on & places for each in needs if each not in found)
