"""K8S-02 on resources of every type: who gets data because a key, an agent, a chart or an exporter names no address."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from policies.controls.kubernetes.k8s_02_implicit_saas import K8S_02, implicit_saas
from policies.framework.control import Finding
from policies.framework.resources import Resource
from policies.framework.unknowns import Unknown
from policies.readers.environments import environments, parts
from policies.readers.scripts import commands
from policies.readers.services import OutsideService, is_choice, outside_services
from policies.readers.tables import table
from policies.readers.values.hosts import host
from tests.policies.harness import SAFE, UNKNOWN, Shown, failures, run, unresolved

ROWS = yaml.load(Path(__file__).with_name("implicit_saas.yaml").read_text(), SAFE)


def found(type_: str, props: dict[str, Any]) -> list[Any]:
    return list(implicit_saas(Resource(type_, "urn", props), {}))


@pytest.mark.parametrize("row", ROWS["leaks"], ids=lambda row: row["id"])
def test_a_service_without_an_address_is_found(row: dict[str, Any]) -> None:
    findings = [one for one in found(row["type"], row["props"]) if isinstance(one, Finding)]
    assert [one for one in findings if one.what.startswith(row["service"])], findings
    assert len(findings) == 1
    messages = failures(run(Shown(row["type"], row["props"])), K8S_02.id)
    assert len(messages) == 1


@pytest.mark.parametrize("row", ROWS["clean"], ids=lambda row: row["id"])
def test_what_says_where_to_passes(row: dict[str, Any]) -> None:
    assert found(row["type"], row["props"]) == []
    diagnostics = run(Shown(row["type"], row["props"]))
    assert not failures(diagnostics, K8S_02.id)
    assert not unresolved(diagnostics, K8S_02.id)


def lambda_with(variables: dict[str, Any]) -> list[Any]:
    return found("aws:lambda/function:Function", {"environment": {"variables": variables}})


WITH_KEYS = [service for service in outside_services() if service.keys]


@pytest.mark.parametrize("service", WITH_KEYS, ids=lambda service: service.name)
def test_every_service_is_found_by_each_key_alone_and_passes_when_told(service: OutsideService) -> None:
    for key in service.keys:
        assert service.name in {one.what.split(" gets ")[0] for one in lambda_with({key: "k"})}, key
        for address in service.addresses:
            value = "ap-south-1" if is_choice(address) else "http://proxy.internal:8080"
            assert service.name not in {
                one.what.split(" gets ")[0] for one in lambda_with({key: "k", address: value})
            }
        for setting in service.settings:
            name, _, value = setting.partition("=")
            assert service.name not in {
                one.what.split(" gets ")[0] for one in lambda_with({key: "k", name: value})
            }


def test_every_default_host_is_one_that_is_refused_when_written() -> None:
    for service in outside_services():
        if service.default_host:
            known = host(service.default_host).service
            assert known, service.default_host
            assert known.country != "IN"


def test_a_service_in_india_needs_no_address() -> None:
    judged = {service.name for service in outside_services()}
    for row in table("services.csv"):
        if row["indian"] == "yes":
            assert row["name"] not in judged
        if row["indian"] == "none":
            assert row["name"] in judged


def test_layers_and_old_names_of_services_are_of_the_table() -> None:
    names = {row["name"] for row in table("services.csv")}
    assert {row["service"] for row in table("lambda_layers.csv")} <= names
    for row in table("lambda_layers.csv"):
        assert row["source"]
        assert row["date"].startswith("20")


def test_accepted_services_are_accepted_by_the_name_without_cloud_as_well() -> None:
    props = {"environment": {"variables": {"LANGFUSE_SECRET_KEY": "k", "DD_API_KEY": "k"}}}
    resource = Resource("aws:lambda/function:Function", "urn", props)
    found_ = [
        one.what
        for one in implicit_saas(resource, {"allowedServices": ["Langfuse"]})
        if isinstance(one, Finding)
    ]
    assert len(found_) == 1
    assert found_[0].startswith("Datadog")


@pytest.mark.parametrize(
    ("type_", "props", "path"),
    [
        ("aws:lambda/function:Function", {"environment": UNKNOWN}, "environment"),
        ("aws:lambda/function:Function", {"environment": {"variables": UNKNOWN}}, "environment.variables"),
        ("aws:ecs/taskDefinition:TaskDefinition", {"containerDefinitions": UNKNOWN}, "containerDefinitions"),
        ("aws:ec2/instance:Instance", {"userData": UNKNOWN}, "userData"),
        ("gcp:cloudrunv2/job:Job", {"template": {"template": {"containers": UNKNOWN}}}, "containers"),
        (
            "aws:codebuild/project:Project",
            {"environment": {"environmentVariables": [{"name": UNKNOWN}]}},
            "name",
        ),
    ],
)
def test_what_hides_variables_is_never_a_pass(type_: str, props: dict[str, Any], path: str) -> None:
    (message,) = unresolved(run(Shown(type_, props)), K8S_02.id)
    assert path in message


def test_a_task_of_the_stacks_own_parts_is_settled() -> None:
    own = Shown("aws:ecr/repository:Repository", {"name": "r"}, "r")
    other = Shown("pulumi:pulumi:StackReference", {}, "other")
    for source, is_settled in ((own, True), (other, False)):
        task = Shown(
            "aws:ecs/taskDefinition:TaskDefinition",
            {"containerDefinitions": UNKNOWN},
            sources={"containerDefinitions": [source.urn]},
        )
        assert bool(unresolved(run(task, source), K8S_02.id)) != is_settled


def test_a_file_of_variables_elsewhere_may_have_the_address() -> None:
    definition = [{"name": "a", "environment": [{"name": "DD_API_KEY", "value": "k"}],
                   "environmentFiles": [{"value": "arn:aws:s3:::b/app.env", "type": "s3"}]}]  # fmt: skip
    task = Shown("aws:ecs/taskDefinition:TaskDefinition", {"containerDefinitions": json.dumps(definition)})
    assert unresolved(run(task), K8S_02.id)
    assert not failures(run(task), K8S_02.id)


def test_long_texts_take_no_longer_than_their_length() -> None:
    # No test of time: a quadratic expression would not end within the limit of the whole suite.
    for run_ in (
        "A=",
        'A="',
        "'",
        "$(",
        "A=$(",
        ";",
        "&&",
        "export ",
        "docker run ",
        "-e ",
        "<match>\n",
        "output { a {",
        "x => [",
        "\\\n",
    ):
        text = "DD_API_KEY=\n" + run_ * (400_000 // len(run_))
        # A key that is empty is not set, whatever follows it.
        assert not found("kubernetes:core/v1:ConfigMap", {"data": {"a": text}})


# The reader of environments

NAMES = st.sampled_from(["DD_API_KEY", "OPENAI_BASE_URL", "WANDB_API_KEY", "A_B", "PORT"])
VARIABLES = st.dictionaries(NAMES, st.sampled_from(["k", "http://x.internal"]), max_size=3)


def as_list(variables: dict[str, str]) -> Any:
    return [{"name": name, "value": value} for name, value in variables.items()]


FORMS = st.sampled_from(
    [
        lambda variables: {"image": "i", "env": as_list(variables)},
        lambda variables: {"image": "i", "environment": variables},
        lambda variables: {"image": "i", "environment": {"variables": variables}},
        lambda variables: {"image": "i", "secrets": [{"name": one, "valueFrom": "arn"} for one in variables]},
        lambda variables: {"image": "i", "envs": [f"{name}={value}" for name, value in variables.items()]},
        lambda variables: {"image": "i", "serviceConfig": {"environmentVariables": variables}},
    ]
)
WRAPPERS = st.sampled_from(
    [
        lambda inner: {"containers": inner},
        lambda inner: {"spec": {"template": inner}},
        lambda inner: {"definition": json.dumps(inner)},
        lambda inner: {"file": yaml.safe_dump({"a": inner, "b": 1})},
        lambda inner: {"data": {"x.b64": base64.b64encode(json.dumps(inner).encode()).decode()}},
        lambda inner: [inner, {"image": "other"}],
    ]
)


@given(
    st.lists(st.tuples(VARIABLES, FORMS), min_size=1, max_size=4),
    st.lists(WRAPPERS, max_size=4),
)
def test_variables_of_different_containers_are_never_mixed(given_: list[Any], wrappers: list[Any]) -> None:
    tree: Any = [form(variables) for variables, form in given_]
    for wrap in wrappers:
        tree = wrap(tree)
    read = [
        {one.name for one in environment.variables}
        for part in parts("x:y:Z", {"root": tree}, lambda _text: True)
        if not isinstance(part, Unknown)
        for environment in environments("x:y:Z", part)
    ]
    written = [set(variables) for variables, _ in given_ if variables]
    assert sorted(map(sorted, filter(None, read))) == sorted(map(sorted, written))
    assert not any(environment_outer(part) for part in parts("x:y:Z", {"root": tree}, lambda _text: True))


def environment_outer(part: Any) -> Any:
    return getattr(part, "outer", ())


@given(st.dictionaries(NAMES, st.text(alphabet="abc:/.- ", min_size=1), min_size=1, max_size=4))
def test_a_script_sets_what_it_exports(variables: dict[str, str]) -> None:
    values = {name: value.strip() or "v" for name, value in variables.items()}
    for line in (
        "export {}='{}'",
        '{}="{}"',
        'Environment="{}={}"',
        "ENV {} '{}'",
        '$env:{} = "{}"',
        "  export {}='{}' # why",
    ):
        script = "\n".join(["#!/bin/sh", "set -e", *(line.format(*one) for one in values.items()), "run it"])
        exported, single = commands(script)
        assert {name for name, _ in exported} == set(values)
        assert single == []
    inline = " ".join(f"{name}='{value}'" for name, value in values.items())
    exported, single = commands(f"{inline} python a.py --x=1")
    assert exported == []
    assert [(dict(one), takes) for one, takes in single] == [(values, True)]
