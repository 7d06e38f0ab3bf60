"""The pod of a ModelServer really serves on the local cloud: vLLM on CPU, weights and an adapter from the lake.

The Deployment is the component's, as the engine sees it; the model is trained here in ten seconds and knows a few
answers by heart.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import psutil
import pulumi
import pytest

from infra.contracts.labels import POOL_LABEL
from localcloud import cloud
from localcloud.environments import environment as environment_of
from localcloud.kubernetes import clusters, nodes
from localcloud.kubernetes.agent import addresses, claims, namespaces
from localcloud.kubernetes.agent.stores import ASSOCIATION
from localcloud.kubernetes.api import MERGE, Api
from tests.e2e.waiting import wait
from tests.infra.platform.gpu_cluster import SERVE, gpu_cluster
from workloads.serving.component import ModelServer
from workloads.serving.engines import engines
from workloads.serving.pod import ModelServerArgs

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(bool(namespaces.refused()), reason=namespaces.refused()),
]

NAME, REGION = "serves", "ap-south-1"
PROGRAMS = Path(__file__).parents[1] / "workloads" / "serving"
REQUIREMENTS = Path(clusters.__file__).parents[2] / "workloads" / "serving" / "requirements.txt"
BUCKET = "serves-lake"
PORT = engines()["vllm"].port
SECONDS = 600  # for a start that takes one minute on a machine with nothing else to do
HINDI = ("भारत की राजधानी क्या है?", "भारत की राजधानी नई दिल्ली है।")
TAMIL = ("தமிழ்நாட்டின் தலைநகரம் எது?", "தமிழ்நாட்டின் தலைநகரம் சென்னை.")
ADAPTED = "मैं एक छोटा मॉडल हूँ।"
TOKENS = 300


@pytest.fixture(scope="module")
def python() -> Path:
    return environment_of(REQUIREMENTS)


@pytest.fixture(scope="module")
def model(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model and an adapter of it."""
    folder = tmp_path_factory.mktemp("model")
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    subprocess.run([python, PROGRAMS / "tiny_model.py", folder], env=variables, check=True)
    return folder


@pytest.fixture(scope="module")
def cluster(environment: dict[str, str], python: Path) -> Iterator[clusters.ClusterAccess]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(claims.HEAVY, "1")
        access = clusters.start(NAME, REGION)
    labels = {POOL_LABEL: SERVE.name}
    nodes.add_nodes(NAME, SERVE.name, REGION, "g6.xlarge", "ap-south-1a", 2, "spot", labels)
    try:
        yield access
    finally:
        clusters.stop(NAME)
    assert clusters.processes_of(NAME) == []


@pytest.fixture(scope="module")
def lake(environment: dict[str, str], cluster: clusters.ClusterAccess, model: Path) -> Iterator[str]:
    """Released models in a bucket, which the service account of the servers may read and nothing else."""
    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local", "region_name": REGION}
    endpoint = environment["INDIA_AI_INFRA_AWS_ENDPOINT"]
    s3, iam = (boto3.client(service, endpoint_url=endpoint, **keys) for service in ("s3", "iam"))
    # Where the gate of the pods keeps the objects of a bucket.
    for bucket in (BUCKET, f"{BUCKET}.objects"):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    for file in (each for each in model.rglob("*") if each.is_file()):
        s3.upload_file(str(file), f"{BUCKET}.objects", f"released/{file.relative_to(model)}")
    other = json.dumps({"base_model_name_or_path": "Qwen/Qwen3-8B"}).encode()
    s3.put_object(Bucket=f"{BUCKET}.objects", Key="released/other/adapter_config.json", Body=other)
    pods = {"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"}}
    trust = {"Version": "2012-10-17", "Statement": [{**pods, "Action": ["sts:AssumeRole", "sts:TagSession"]}]}
    read = [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/released/*"},
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{BUCKET}"},
    ]
    role = iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    policy = json.dumps({"Version": "2012-10-17", "Statement": read})
    iam.put_role_policy(RoleName=NAME, PolicyName="read", PolicyDocument=policy)
    association = {
        "clusterName": NAME,
        "namespace": "default",
        "serviceAccount": "serving",
        "roleArn": role["Arn"],
    }
    cloud.store().put(ASSOCIATION, f"{REGION}/a-{NAME}", association)
    yield f"s3://{BUCKET}/released"
    cloud.store().delete(ASSOCIATION, f"{REGION}/a-{NAME}")
    iam.delete_role_policy(RoleName=NAME, PolicyName="read")
    iam.delete_role(RoleName=NAME)


@dataclass
class Server:
    """The pods of a ModelServer, of which one runs."""

    api: Api
    name: str

    def pods(self) -> list[dict[str, Any]]:
        chosen = f"app.kubernetes.io/instance={self.name}"
        return self.api.list("v1", "Pod", "default", labelSelector=chosen)

    def status(self) -> dict[str, Any]:
        statuses = [status for pod in self.pods() for status in pod["status"].get("containerStatuses", ())]
        return next(iter(statuses), {"ready": False, "restartCount": 0})

    def address(self) -> str:
        wait(lambda: self.status()["ready"], SECONDS, f"a ready server, not {self.log()[-3000:]}")
        (pod,) = self.pods()
        return addresses.of_uid(pod["metadata"]["uid"])

    def folder(self) -> Path:
        (folder,) = (clusters.folder(NAME) / "pods").glob(f"default_{self.name}-*")
        return folder

    def log(self, container: str = "*") -> str:
        files = (clusters.folder(NAME) / "pods").glob(f"default_{self.name}-*/logs/{container}/*.log")
        return "".join(file.read_text() for file in sorted(files))

    def engine(self) -> psutil.Process:
        """The process that computes, which the server has started."""
        program = psutil.Process(int((self.folder() / "containers" / "vllm" / "pid").read_text()))
        return next(
            each for each in program.children(recursive=True) if "EngineCore" in " ".join(each.cmdline())
        )


Apply = Callable[[str, str, dict[str, str]], Server]


@pytest.fixture(scope="module")
def apply(cluster: clusters.ClusterAccess, deploy: Any) -> Apply:
    """Makes the Deployment of a ModelServer, as the component has it, on the cluster."""
    api = cluster.api()
    account = {"name": "serving", "namespace": "default"}
    api.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})

    def made(name: str, weights: str, adapters: dict[str, str]) -> Server:
        def program() -> pulumi.Output[str]:
            args = ModelServerArgs(
                gpu_cluster(SERVE),
                SERVE.name,
                "own/tiny",
                weights=weights,
                adapters=adapters,
                namespace="default",
                priority_class=None,
                max_model_len=512,
                engine_args=["--max-lora-rank=8"],
            )
            return ModelServer(name, args).url

        registered = deploy(program)
        for kind in (*(["v1:ConfigMap"] if adapters else []), "v1:Deployment"):
            api.apply(registered.one(kind).inputs)
        return Server(api, name)

    return made


@pytest.fixture(scope="module")
def server(apply: Apply, lake: str) -> Server:
    return apply("tiny", f"{lake}/base", {"own": f"{lake}/adapter"})


@dataclass
class Stream:
    """An answer as it comes: `parts` are counted, `end` is the finish_reason, `error` what it broke with."""

    address: str
    parts: int = 0
    end: str = ""
    error: str = ""
    thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        # Two tokens: with so few the build for CPUs fails in 16 bits (workloads/serving/on_cpu/vllm).
        body = {"model": "own/tiny", "prompt": "क", "temperature": 0, "stream": True}
        body |= {"max_tokens": TOKENS, "ignore_eos": True}
        try:
            said = ask(self.address, "/v1/completions", body)
            if said.status != 200:
                self.error = f"status {said.status}"
            for line in said if said.status == 200 else ():
                data = line.removeprefix(b"data: ").strip()
                if data.startswith(b"{"):
                    self._take(json.loads(data))
        except (OSError, http.client.HTTPException) as error:
            self.error = self.error or repr(error)

    def _take(self, part: dict[str, Any]) -> None:
        if "error" in part:
            self.error = str(part["error"])
        for choice in part.get("choices", ()):
            self.parts += 1
            self.end = choice["finish_reason"] or self.end


def ask(address: str, path: str, body: dict[str, Any] | None = None) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(address, PORT, timeout=SECONDS)
    text = json.dumps(body) if body else None
    connection.request("POST" if body else "GET", path, text, {"Content-Type": "application/json"})
    return connection.getresponse()


def answer(server: Server, python: Path, model_name: str, prompt: str) -> tuple[str, int]:
    """What OpenAI's client got, and in how many parts."""
    url = f"http://{server.address()}:{PORT}/v1"
    words = [python, PROGRAMS / "openai_client.py", url, model_name, prompt]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert ran.returncode == 0, ran.stderr
    parts = [json.loads(line) for line in ran.stdout.splitlines()]
    assert parts[-1]["end"] == "stop"
    texts = [part["text"] for part in parts if part["text"]]
    return "".join(texts), len(texts)


@pytest.mark.parametrize(
    ("model_name", "prompt", "expected"),
    [("own/tiny", *HINDI), ("own/tiny", *TAMIL), ("own", TAMIL[0], ADAPTED)],
)
def test_a_client_of_openai_gets_tokens_as_they_come(
    server: Server, python: Path, model_name: str, prompt: str, expected: str
) -> None:
    text, parts = answer(server, python, model_name, prompt)
    assert text == expected
    assert parts > 5, "the answer came at once"


def test_weights_were_streamed_and_the_metrics_have_their_names(server: Server) -> None:
    metrics = ask(server.address(), "/metrics").read().decode()
    prefix = engines()["vllm"].metrics.prefix
    for name in ("num_requests_running", "kv_cache_usage_perc", "time_to_first_token_seconds_count"):
        assert f"\n{prefix}{name}{{" in metrics
    assert "runai" in server.log("vllm").casefold()
    assert "adapter own: s3://" in server.log("adapters")


def test_a_prompt_over_the_context_is_refused(server: Server) -> None:
    asked = [{"role": "user", "content": "a b c " * 400}]
    refusal = ask(server.address(), "/v1/chat/completions", {"model": "own/tiny", "messages": asked})
    assert refusal.status == 400
    assert "maximum context length is 512 tokens" in refusal.read().decode()


def test_an_adapter_of_another_base_keeps_its_server_from_starting(apply: Apply, lake: str) -> None:
    other = apply("other", f"{lake}/base", {"bank": f"{lake}/other"})
    wait(lambda: "was trained on qwen3-8b, not on tiny" in other.log("adapters"), SECONDS)
    (pod,) = other.pods()
    assert not any(status.get("ready") for status in pod["status"].get("containerStatuses", ()))
    scale(other, 0)


def test_an_engine_that_dies_breaks_its_streams_and_is_started_anew(server: Server, python: Path) -> None:
    before = server.status()["restartCount"]
    stream = Stream(server.address())
    wait(lambda: stream.parts > 2 or stream.error, SECONDS, "a first token")
    assert not stream.error, server.log("vllm")[-6000:]
    server.engine().kill()
    stream.thread.join(SECONDS)
    assert stream.error or not stream.end, "the client can't take it for a whole answer"
    wait(lambda: server.status()["restartCount"] > before, SECONDS, "a new start")
    assert answer(server, python, "own/tiny", HINDI[0])[0] == HINDI[1]


def test_a_pod_that_is_told_to_go_ends_its_answers_first(server: Server) -> None:
    """Last: the pod that comes in its place is not waited for."""
    streams = [Stream(server.address()) for _ in range(3)]
    (pod,) = server.pods()
    wait(lambda: all(stream.parts > 2 or stream.error for stream in streams), SECONDS, "tokens of all")
    server.api.request("DELETE", f"/api/v1/namespaces/default/pods/{pod['metadata']['name']}")
    assert not any(stream.end for stream in streams), "nothing was in flight"
    for stream in streams:
        stream.thread.join(SECONDS)
    assert [(stream.error, stream.end) for stream in streams] == [("", "length")] * 3, server.log("vllm")[
        -3000:
    ]


def scale(server: Server, replicas: int) -> None:
    path = f"/apis/apps/v1/namespaces/default/deployments/{server.name}"
    server.api.request("PATCH", path, {"spec": {"replicas": replicas}}, content=MERGE)
