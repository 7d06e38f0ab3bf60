"""CompressionJob as the engine sees it, and settings that its program would refuse."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pytest

from infra.settings import reading
from infra.settings.errors import SettingsError
from infra.settings.workloads.compression import Compression
from tests.infra.platform.gpu_cluster import SERVE, gpu_cluster
from tests.program import whole_stacks
from workloads.compression.build import check_job, document
from workloads.compression.component import CompressionJob, CompressionJobArgs
from workloads.compression.needs import NEEDS, RELEASED
from workloads.compression.package import files
from workloads.compression.programs.job import Job

ASKED: dict[str, Any] = {
    "pool": "serve",
    "image": "registry.example/compression:1",
    "method": "int4",
    "source": "{models}/released/qwen",
    "target": "{models}/released/compressed/qwen-int4",
    "held": "{curated}/held",
}


@pytest.fixture(scope="module")
def made(deploy):
    def program() -> None:
        args = CompressionJobArgs(
            cluster=gpu_cluster(SERVE),
            pool="serve",
            image="registry.example/compression:1",
            document=document(Compression.model_validate(ASKED)),
            words={
                "{models}": pulumi.Output.from_input("s3://mumbai-models"),
                "{curated}": "s3://mumbai-curated",
            },
        )
        CompressionJob("compress", args)

    return deploy(program)


def test_the_pod_has_the_program_and_the_job_and_no_more_rights_than_it_needs(made):
    spec = made.one("v1:Job").inputs["spec"]
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    assert container["command"] == ["python", "-m", "workloads.compression.programs"]
    assert container["args"] == ["--job", "/opt/compression/job.json"]
    assert container["resources"]["limits"] == {"nvidia.com/gpu": "1"}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["nodeSelector"] == dict(SERVE.node_selector)
    assert pod["serviceAccountName"] == "compression"
    (volume,) = [volume for volume in pod["volumes"] if volume["name"] == "program"]
    program = made.one("v1:ConfigMap").inputs
    laid_out = {item["path"]: program["data"][item["key"]] for item in volume["configMap"]["items"]}
    job = Job.read(laid_out.pop("job.json"))
    assert (job.source, job.held) == ("s3://mumbai-models/released/qwen", "s3://mumbai-curated/held")
    assert laid_out == files()
    assert sum(map(len, program["data"].values())) < 900_000, "a ConfigMap has a mebibyte at most"


def test_what_would_be_refused_again_ends_the_job(made):
    refused, evicted = made.one("v1:Job").inputs["spec"]["podFailurePolicy"]["rules"]
    assert (refused["action"], refused["onExitCodes"]["values"]) == ("FailJob", [64, 65])
    assert evicted["action"] == "Ignore"


def test_it_may_write_only_where_its_settings_let_it_publish() -> None:
    (written,) = [grant for grant in NEEDS.grants if grant.right != "read"]
    assert (written.bucket, written.prefix) == ("models", RELEASED)
    assert ASKED["target"].startswith(f"{{models}}/{RELEASED}")


def problems(**changes: Any) -> dict[str, str]:
    said = {
        key.partition(":")[2]: value
        for key, value in whole_stacks.config_of("local").items()
        if key.startswith("india-ai-infra:")
    }
    try:
        reading.parse({**said, "workloads": {"compression": {**ASKED, **changes}}}, check_job)
    except SettingsError as error:
        return {problem.path: str(problem) for problem in error.problems}
    return {}


@pytest.mark.parametrize(
    ("changes", "path", "message"),
    [
        ({"target": "{models}/released/qwen"}, "target", ""),
        ({"target": "s3://elsewhere/released/compressed/qwen"}, "target", ""),
        ({"source": "{audit}/qwen"}, "source", "a folder: {models}/…"),
        ({"method": "int3"}, "method", "int4"),
        ({"method": "gptq"}, "", 'method "gptq" needs texts'),
        (
            {"distillation": {"student": "{models}/released/small"}},
            "",
            'give it with the method "distillation"',
        ),
        ({"gate": {"minAgreement": 1.1}}, "gate.minAgreement", "1"),
    ],
)
def test_a_job_that_would_be_refused_is_refused_before_anything_is_made(
    changes: dict[str, Any], path: str, message: str
) -> None:
    found = problems(**changes)
    (at,) = found
    assert at == f"workloads.compression.{path}".rstrip(".")
    assert message in found[at]


def test_settings_become_the_programs_job() -> None:
    assert problems() == {}
    job = json.loads(document(Compression.model_validate(ASKED)))
    assert "pool" not in job and job["gate"] == {"maxPerplexityIncrease": 0.05, "minAgreement": 0.9}


def test_the_settings_default_to_what_the_program_does() -> None:
    said = Job.read(document(Compression.model_validate(ASKED)))
    least = {name: ASKED[name] for name in ("method", "source", "target", "held")}
    assert said == Job.read(json.dumps(least))


def test_a_stack_that_asks_for_it_has_the_job_and_its_namespace(deploy) -> None:
    config = whole_stacks.config_of("local")
    config["india-ai-infra:workloads"]["compression"] = ASKED
    made = whole_stacks.run(deploy, config)
    (job,) = [each for each in made.resources if each.type.endswith("v1:Job") and each.name == "compress"]
    (container,) = job.inputs["spec"]["template"]["spec"]["containers"]
    assert container["image"] == ASKED["image"]
    namespaces = {
        each.inputs["metadata"]["name"] for each in made.resources if each.type.endswith("v1:Namespace")
    }
    assert "compression" in namespaces
    (program,) = [each for each in made.resources if each.name == "compress-program"]
    said = Job.read(program.inputs["data"]["job.json"])
    assert said.source.startswith("s3://") and said.source.endswith("/released/qwen")
