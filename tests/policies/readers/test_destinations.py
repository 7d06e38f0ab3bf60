"""Destinations that only the stack can tell: buckets and global clusters, by name, by dependency, by inventory."""

from __future__ import annotations

import json
from typing import Any

import pytest

from policies.controls.residency.res_03_07_global_tables import _ACCESS_POINTS
from policies.controls.residency.res_04_05_replication import _MEMBERS, _OBJECTS, _TABLE_BUCKETS
from policies.controls.residency.res_11_log_places import _PLACES
from policies.controls.residency.res_12_streams import _BUCKETS as STREAMS
from policies.controls.residency.res_18_19_21_data_transfer import _BUCKETS as MOVERS
from policies.controls.residency.res_18_19_21_data_transfer import _EXPORTS
from policies.pack import CONTROLS
from policies.readers.destinations import Destination, name_in
from tests.policies.harness import UNKNOWN, Shown, failures, put, run, unresolved

ROWS = [
    *(("DPDP-RES-03", row) for row in _ACCESS_POINTS),
    *(("DPDP-RES-04", row) for row in (*_OBJECTS, *_TABLE_BUCKETS)),
    *(("DPDP-RES-05", row) for row in _MEMBERS),
    *(("DPDP-RES-11", row) for row in _PLACES),
    *(("DPDP-RES-12", row) for row in STREAMS),
    *(("DPDP-RES-18", row) for row in MOVERS),
    *(("DPDP-RES-19", row) for row in _EXPORTS),
]
rows = pytest.mark.parametrize(
    ("control", "row"), ROWS, ids=[f"{control} {row.type}.{row.path}" for control, row in ROWS]
)
PARAMETER = Shown("aws:ssm/parameter:Parameter", {}, "parameter")
ROLE = Shown("aws:iam/role:Role", {}, "role")


def shown(row: Destination, value: Any, sources: list[str] | None = None) -> Shown:
    path = row.path.split(".")
    return Shown(row.type, put({}, path, value), sources={path[0]: sources or []})


def target(row: Destination, name: str) -> Shown:
    return Shown(
        row.of[0],
        {"bucket": name, "name": name, "datasetId": name, "globalClusterIdentifier": name},
        "target",
    )


@rows
@pytest.mark.parametrize("value", ["elsewhere", "", 7, {"a": "b"}, ["elsewhere"]])
def test_a_name_that_nobody_knows_fails(control: str, row: Destination, value: Any) -> None:
    (message,) = failures(run(shown(row, value), target(row, "here")), control)
    assert "destination of unknown residency" in message
    assert "basis: " in message


@rows
def test_a_resource_of_the_stack_passes_by_name_and_by_dependency(control: str, row: Destination) -> None:
    there = target(row, "here")
    assert not failures(run(there, shown(row, "here")), control)
    nameless = Shown(row.of[0], {}, "target")
    assert not failures(run(nameless, ROLE, shown(row, UNKNOWN, [nameless.urn, ROLE.urn])), control)


@pytest.mark.slow
@rows
@pytest.mark.parametrize("level", range(4))
def test_unknown_never_passes_in_silence(control: str, row: Destination, level: int) -> None:
    path = row.path.split(".")
    resource = Shown(row.type, put({}, path[: level + 1], UNKNOWN))
    for sources in ([], [PARAMETER.urn], [ROLE.urn], [PARAMETER.urn, target(row, "").urn]):
        resource.sources = {path[0]: sources}
        assert failures(run(PARAMETER, ROLE, target(row, "here"), resource), control)


@rows
def test_an_inventory_lists_what_is_in_india(control: str, row: Destination) -> None:
    of = next(one for one in CONTROLS if one.id == control)
    name = next(key for key in of.settings if key != "hosts")
    config = {(of.policy_name if of.check is None else f"{of.policy_name}-stack"): {name: ["elsewhere"]}}
    assert not failures(run(shown(row, "elsewhere"), config=config), control)
    assert failures(run(shown(row, "elsewhere-2"), config=config), control)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("lake", "lake"),
        ("arn:aws:s3:::lake", "lake"),
        ("arn:aws:s3:::lake/logs/", "lake"),
        ("s3://lake/x", "lake"),
        ("gs://lake/x", "lake"),
        ("storage.googleapis.com/lake", "lake"),
        ("bigquery.googleapis.com/projects/p/datasets/d", "d"),
        ("lake.s3.amazonaws.com", "lake"),
    ],
)
def test_names(text: str, name: str) -> None:
    assert name_in(text) == name


def test_a_sink_that_says_its_place_is_judged_by_it() -> None:
    def sink(destination: str) -> list[str]:
        shown = Shown("gcp:logging/projectSink:ProjectSink", {"destination": destination})
        return failures(run(shown), "DPDP-RES-11")

    buckets = "logging.googleapis.com/projects/p/locations/{}/buckets/b"
    assert not sink(buckets.format("asia-south1"))
    assert len(sink(buckets.format("us-central1"))) == 1
    assert len(sink(buckets.format("global"))) == 1
    assert len(sink("logging.googleapis.com/projects/other")) == 1


def test_a_dataset_of_another_project_is_another() -> None:
    dataset = Shown(
        "gcp:bigquery/dataset:Dataset", {"datasetId": "d", "project": "p", "location": "asia-south1"}
    )
    for project, passes in (("p", True), ("q", False)):
        sink = Shown(
            "gcp:logging/projectSink:ProjectSink",
            {"destination": f"bigquery.googleapis.com/projects/{project}/datasets/d"},
        )
        assert (not failures(run(dataset, sink), "DPDP-RES-11")) == passes


def test_an_arn_abroad_in_a_type_of_no_family_is_a_movers() -> None:
    shown = Shown("aws:never/seen:Before", {"deep": [{"er": "arn:aws:sqs:us-east-1:000000000000:q"}]})
    assert failures(run(shown), "DPDP-RES-18")
    certificate = "arn:aws:acm:us-east-1:000000000000:certificate/c"
    edge = Shown(
        "aws:cloudfront/distribution:Distribution", {"viewerCertificate": {"acmCertificateArn": certificate}}
    )
    assert not failures(run(edge), "DPDP-RES-18")


def test_a_fault_is_told_once() -> None:
    """What RES-01 and RES-08 read is not told again."""
    for type_, props in (
        ("aws:never/seen:Before", {"region": "us-east-1"}),
        ("aws:never/seen:Before", {"kmsKeyId": "arn:aws:kms:us-east-1:000000000000:key/k"}),
        ("aws:never/seen:Before", {"targetRegion": "eu-west-1"}),
        ("gcp:compute/instance:Instance", {"zone": "projects/p/zones/us-central1-a"}),
    ):
        assert len([one for one in run(Shown(type_, props)) if "[DPDP-RES-" in one.message]) == 1


def test_s3_notifications_and_mail_to_people_have_no_place() -> None:
    mail = Shown("aws:sns/topicSubscription:TopicSubscription", {"protocol": "email", "endpoint": UNKNOWN})
    assert not run(mail)
    assert failures(
        run(
            Shown(
                "aws:s3/bucketNotification:BucketNotification",
                {"queues": [{"queueArn": "arn:aws:sqs:us-east-1:0:q"}]},
            )
        ),
        "DPDP-RES-04",
    )


def test_an_application_profile_counts_only_when_it_is_the_stacks_own() -> None:
    arn = "arn:aws:bedrock:ap-south-1:000000000000:application-inference-profile/abc"
    agent = Shown("aws:bedrock/agentAgent:AgentAgent", {"foundationModel": arn})
    profile = Shown("aws:bedrock/inferenceProfile:InferenceProfile", {}, outputs={"arn": arn})
    assert not failures(run(agent, profile), "DPDP-RES-13")
    assert failures(run(agent), "DPDP-RES-13")


def test_a_model_in_an_environment_variable() -> None:
    def function(model: str) -> list[str]:
        shown = Shown("aws:lambda/function:Function", {"environment": {"variables": {"MODEL": model}}})
        return failures(run(shown), "DPDP-RES-13")

    assert function("global.anthropic.claude-sonnet-5")
    assert not function("in.anthropic.claude-sonnet-5")
    assert not function("cloud.google.com/compute-class")


def test_hosts_in_the_configuration() -> None:
    shown = Shown(
        "aws:cloudwatch/eventApiDestination:EventApiDestination",
        {"invocationEndpoint": "https://api.partner.example/x"},
    )
    control = "dpdp-res-12-streams-and-events-stay-in-india"
    assert failures(run(shown), "DPDP-RES-12")
    assert not failures(run(shown, config={control: {"hosts": ["partner.example"]}}), "DPDP-RES-12")
    assert failures(run(shown, config={control: {"hosts": ["artner.example"]}}), "DPDP-RES-12")


def test_an_unknown_reference_is_settled_by_what_it_is_made_from() -> None:
    queue = Shown("aws:sqs/queue:Queue", {"tags": {"dpdp:data-class": "internal"}}, "queue")

    def target(*sources: Shown) -> list[str]:
        shown = Shown(
            "aws:cloudwatch/eventTarget:EventTarget",
            {"arn": UNKNOWN},
            sources={"arn": [one.urn for one in sources]},
        )
        return unresolved(run(*sources, shown), "DPDP-RES-12")

    assert not target(queue)
    assert not target(queue, ROLE)
    for sources in ((), (ROLE,), (PARAMETER,), (queue, PARAMETER)):
        assert target(*sources)


def test_services_without_a_region() -> None:
    flagged = [
        Shown(f"aws:{name}", {})
        for name in ("cloudfront/distribution:Distribution", "globalaccelerator/accelerator:Accelerator")
    ]
    for shown in flagged:
        assert failures(run(shown), "DPDP-RES-22")
        config = {
            "dpdp-res-22-global-services-from-the-list": {
                "allowed": ["aws:cloudfront/", "aws:globalaccelerator/"]
            }
        }
        assert not failures(run(shown, config=config), "DPDP-RES-22")
    for name in ("iam/role:Role", "route53/zone:Zone", "organizations/policy:Policy", "sqs/queue:Queue"):
        assert not failures(run(Shown(f"aws:{name}", {})), "DPDP-RES-22")


@pytest.mark.parametrize(
    ("registry", "found"),
    [
        ("111122223333.dkr.ecr.us-west-2.amazonaws.com", True),
        ("eu.gcr.io", True),
        ("111122223333.dkr.ecr.ap-south-1.amazonaws.com", False),
        ("asia-south1-docker.pkg.dev", False),
    ],
)
def test_an_image_inside_a_text_is_read(registry: str, found: bool) -> None:
    image = f"{registry}/app:1"
    task = {"containerDefinitions": json.dumps([{"name": "app", "image": image}])}
    build = {"source": {"buildspec": f"phases:\n  build:\n    commands:\n    - docker push {image}\n"}}
    for type_, props in (
        ("aws:ecs/taskDefinition:TaskDefinition", task),
        ("aws:codebuild/project:Project", build),
    ):
        assert bool(failures(run(Shown(type_, props)), "DPDP-RES-10")) is found
    prose = {"description": f"it was built from {registry} once"}
    assert not failures(run(Shown("aws:ecs/taskDefinition:TaskDefinition", prose)), "DPDP-RES-10")


def test_public_repositories_and_global_parameters() -> None:
    assert failures(run(Shown("aws:ecrpublic/repository:Repository", {"repositoryName": "r"})), "DPDP-RES-10")
    assert failures(run(Shown("gcp:parametermanager/parameter:Parameter", {})), "DPDP-RES-09")


def test_a_replica_of_cloud_sql_has_no_backups() -> None:
    settings = {"settings": {"backupConfiguration": {"enabled": True}}}
    type_ = "gcp:sql/databaseInstance:DatabaseInstance"
    assert failures(run(Shown(type_, settings)), "DPDP-RES-07")
    assert not failures(run(Shown(type_, {"masterInstanceName": "main", **settings})), "DPDP-RES-07")


def test_texts_that_hide_places() -> None:
    stack = Shown(
        "aws:cloudformation/stack:Stack", {"templateBody": "Resources:\n  R: {Region: us-east-1}\n"}
    )
    (message,) = failures(run(stack), "DPDP-RES-21")
    assert "us-east-1" in message
    document = '{"DestinationArn": "arn:aws:kinesis:us-east-1:000000000000:stream/s"}'
    policy = Shown("aws:cloudwatch/logAccountPolicy:LogAccountPolicy", {"policyDocument": document})
    assert failures(run(policy), "DPDP-RES-11")


def test_a_custom_configuration_of_spanner_is_shown_by_the_stack() -> None:
    own = Shown(
        "gcp:spanner/instanceConfig:InstanceConfig",
        {"name": "custom-pair", "baseConfig": "dual-region-india1"},
    )
    for name, passes in (
        ("custom-pair", True),
        ("projects/p/instanceConfigs/custom-pair", True),
        ("custom-other", False),
    ):
        instance = Shown("gcp:spanner/instance:Instance", {"config": name})
        assert (not failures(run(own, instance), "DPDP-RES-03")) == passes
    unknown = Shown("gcp:spanner/instance:Instance", {"config": UNKNOWN}, sources={"config": [own.urn]})
    assert not unresolved(run(own, unknown), "DPDP-RES-03")
    assert unresolved(run(unknown), "DPDP-RES-03")


def test_an_image_that_the_stack_builds_is_judged_where_it_is_built() -> None:
    built = Shown("docker:index/image:Image", {"imageName": "us-docker.pkg.dev/p/r/a"}, "built")
    function = Shown("aws:lambda/function:Function", {"imageUri": UNKNOWN}, sources={"imageUri": [built.urn]})
    found = run(built, function)
    assert not unresolved(found, "DPDP-RES-10")
    assert len(failures(found, "DPDP-RES-10")) == 1


def test_a_command_made_of_the_stacks_own_values_is_settled() -> None:
    queue = Shown("aws:sqs/queue:Queue", {}, "queue")
    for source, settled in ((queue, True), (PARAMETER, False)):
        command = Shown("command:local:Command", {"create": UNKNOWN}, sources={"create": [source.urn]})
        assert (not unresolved(run(source, command), "DPDP-RES-21")) == settled
