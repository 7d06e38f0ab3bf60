"""Pods whose image is in the table run: programs of the standard library, under the real API server and controllers."""

from __future__ import annotations

import json
import os
import subprocess
import textwrap
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest

from infra.contracts.labels import INTERRUPTION, SIMULATED
from localcloud import processes
from localcloud.directories import bin_dir
from localcloud.kubernetes import clusters, nodes
from localcloud.kubernetes.agent import namespaces
from localcloud.kubernetes.api import MERGE, Api
from tests.e2e.waiting import wait

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(bool(namespaces.refused()), reason=namespaces.refused()),
]

NAME, REGION = "pods-run", "ap-south-1"
IMAGE = "python:3.12-slim"
MARK = uuid.uuid4().hex
SECONDS = 60  # longer than anything here takes, on a machine that is busy
POD_IP = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}


@pytest.fixture(scope="module")
def cluster(environment: dict[str, str]) -> Iterator[clusters.ClusterAccess]:
    access = clusters.start(NAME, REGION)
    nodes.add_nodes(NAME, "test", REGION, "m7i.4xlarge", "ap-south-1a", 2, "spot")
    try:
        yield access
    finally:
        clusters.stop(NAME)
    assert clusters.processes_of(NAME) == []


@pytest.fixture(scope="module")
def api(cluster: clusters.ClusterAccess) -> Api:
    return cluster.api()


@pytest.fixture
def kubectl(cluster: clusters.ClusterAccess) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        command = [bin_dir() / "kubectl", "--kubeconfig", cluster.kubeconfig_path, *words]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS, check=False, **options
        )

    return run


def program(text: str) -> list[str]:
    return ["python", "-u", "-c", textwrap.dedent(text)]


def container(command: list[str], **more: Any) -> dict[str, Any]:
    return {"name": "main", "image": IMAGE, "command": command, "env": [POD_IP], **more}


def make(api: Api, name: str, *containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return api.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": "default", "labels": {"app": name}},
            "spec": {"restartPolicy": "Never", "containers": list(containers), **spec},
        }
    )


def pod(api: Api, name: str) -> dict[str, Any]:
    found = api.get({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}})
    return found or {}


def state(api: Api, name: str) -> dict[str, Any]:
    statuses = pod(api, name).get("status", {}).get("containerStatuses")
    return statuses[0] if statuses else {"state": {}, "restartCount": 0, "ready": False}


def ended(api: Api, name: str) -> dict[str, Any]:
    return wait(lambda: state(api, name)["state"].get("terminated"), SECONDS)


def ready(api: Api, name: str) -> None:
    wait(lambda: state(api, name)["ready"], SECONDS)


def log_of(name: str) -> str:
    """The log file of a pod, of which there is one of that name."""
    (folder,) = (clusters.folder(NAME) / "pods").glob(f"default_{name}_*")
    return "".join(file.read_text() for file in sorted((folder / "logs" / "main").glob("*.log")))


def programs_with(word: str) -> list[psutil.Process]:
    """Any process of this machine: the word has to be one of this run (`MARK`), or a shell's script may hold it too."""
    assert MARK in word
    found = psutil.process_iter(["cmdline"])
    return [each for each in found if any(word in part for part in each.info["cmdline"] or ())]


def job(api: Api, name: str, text: str, pods: int = 1, rules: list[dict[str, Any]] | None = None) -> None:
    spec = {
        "restartPolicy": "Never",
        "subdomain": name,
        "terminationGracePeriodSeconds": 2,
        "containers": [container(program(text))],
    }
    api.apply(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {
                "completionMode": "Indexed",
                "completions": pods,
                "parallelism": pods,
                "backoffLimit": 0,
                "podReplacementPolicy": "Failed",
                **({"podFailurePolicy": {"rules": rules}} if rules else {}),
                "template": {"spec": spec},
            },
        }
    )


def outcome(api: Api, name: str) -> dict[str, Any]:
    """The condition by which a Job ended."""
    wanted = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": "default"}}

    def look() -> dict[str, Any] | None:
        found = (api.get(wanted) or {}).get("status", {}).get("conditions") or ()
        return next((each for each in found if each["type"] in ("Complete", "Failed")), None)

    return wait(look, SECONDS)


def service(api: Api, name: str, selector: dict[str, str], **spec: Any) -> None:
    metadata = {"name": name, "namespace": "default"}
    api.apply(
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"selector": selector, **spec}}
    )


def test_two_pods_of_a_job_meet_by_name_of_its_headless_service(api: Api) -> None:
    ports = [{"port": 29500}]
    service(api, "meet", {"job-name": "meet"}, clusterIP="None", publishNotReadyAddresses=True, ports=ports)
    job(
        api,
        "meet",
        """
        import os, socket, time
        index, own = int(os.environ["JOB_COMPLETION_INDEX"]), os.environ["POD_IP"]
        if index == 0:
            connection, _ = socket.create_server((own, 29500)).accept()
            connection.sendall(b"from " + own.encode())
        else:
            while True:
                try:
                    connection = socket.create_connection(("meet-0.meet.default.svc.cluster.local", 29500))
                    break
                except OSError:
                    time.sleep(0.1)
            said = connection.recv(100).decode()
            assert said == "from " + connection.getpeername()[0] != "from " + own
        """,
        pods=2,
    )
    assert outcome(api, "meet")["type"] == "Complete"


def test_a_failure_policy_reads_the_real_exit_code(api: Api) -> None:
    codes = {"operator": "In", "values": [75]}, {"operator": "In", "values": [64]}
    rules = [{"action": "Ignore", "onExitCodes": codes[0]}, {"action": "FailJob", "onExitCodes": codes[1]}]
    # With backoffLimit 0 the first 75 would end the Job, unless the policy ignores it.
    job(api, "codes", "import os, sys; sys.exit(75 if os.path.exists('/nowhere') else 64)", rules=rules)
    assert outcome(api, "codes")["reason"] == "PodFailurePolicy"
    node_folder = "/var/lib/tries"
    volume = {"name": "tries", "hostPath": {"path": node_folder}}
    text = "import sys, pathlib; t = pathlib.Path('/tries/one'); t.exists() or (t.touch(), sys.exit(75))"
    mounted = container(program(text), volumeMounts=[{"name": "tries", "mountPath": "/tries"}])
    node = api.list("v1", "Node")[0]["metadata"]["name"]
    template = {"restartPolicy": "Never", "nodeName": node, "volumes": [volume], "containers": [mounted]}
    spec = {"backoffLimit": 0, "podFailurePolicy": {"rules": rules}, "template": {"spec": template}}
    metadata = {"name": "again", "namespace": "default"}
    api.apply({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec})
    assert outcome(api, "again")["type"] == "Complete"


def test_a_pod_is_ready_when_its_probe_says_so_and_not_before(api: Api, kubectl: Any) -> None:
    probe = {"exec": {"command": ["test", "-f", "/tmp/ready"]}, "periodSeconds": 1}
    make(api, "probed", container(program("import time; time.sleep(1000)"), readinessProbe=probe))
    wait(lambda: "running" in state(api, "probed")["state"], SECONDS)
    time.sleep(2)  # two periods, in which the probe fails
    assert not state(api, "probed")["ready"]
    assert kubectl("exec", "probed", "--", "touch", "/tmp/ready").returncode == 0
    ready(api, "probed")
    assert not Path("/tmp/ready").exists()  # a container's /tmp is its own


def test_a_liveness_probe_that_fails_starts_the_container_anew(api: Api) -> None:
    text = """
    import http.server, os, threading
    class Answers(http.server.BaseHTTPRequestHandler):
        left = 2
        def do_GET(self):
            Answers.left -= 1
            self.send_response(200 if Answers.left > 0 else 500)
            self.end_headers()
    http.server.HTTPServer((os.environ["POD_IP"], 8080), Answers).serve_forever()
    """
    probe = {"httpGet": {"port": "web"}, "periodSeconds": 1, "failureThreshold": 1, "initialDelaySeconds": 1}
    ports = [{"name": "web", "containerPort": 8080}]
    made = container(program(text), livenessProbe=probe, ports=ports)
    make(api, "lives", made, restartPolicy="Always", terminationGracePeriodSeconds=1)
    wait(lambda: state(api, "lives")["restartCount"] >= 1, SECONDS)
    assert state(api, "lives")["lastState"]["terminated"]["exitCode"] in (137, 143)


def test_a_deleted_pod_has_its_grace_and_no_more(api: Api) -> None:
    asked = """
    import signal, sys, time
    signal.signal(signal.SIGTERM, lambda *_: (print("asked to stop"), time.sleep(1), print("saved"), sys.exit(75)))
    time.sleep(1000)
    """
    deaf = (
        f"import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(1000) # deaf-{MARK}"
    )
    make(api, "asked", container(program(asked)), terminationGracePeriodSeconds=30)
    make(api, "deaf", container(program(deaf)), terminationGracePeriodSeconds=2)
    ready(api, "asked")
    ready(api, "deaf")
    for name in ("asked", "deaf"):
        api.delete(pod(api, name))
    wait(lambda: not pod(api, "asked") and not pod(api, "deaf"), SECONDS)
    assert "asked to stop" in log_of("asked")
    assert "saved" in log_of("asked")
    assert programs_with(f"deaf-{MARK}") == []


def test_a_program_over_its_memory_is_killed_for_it(api: Api) -> None:
    limits = {"resources": {"limits": {"memory": "100Mi"}}}
    make(
        api,
        "greedy",
        container(program("import time; held = b'x' * 300_000_000; time.sleep(1000)"), **limits),
    )
    assert (ended(api, "greedy")["exitCode"], ended(api, "greedy")["reason"]) == (137, "OOMKilled")


def test_files_and_variables_come_from_config_maps_secrets_and_the_pod(api: Api) -> None:
    for kind, data in (("ConfigMap", {"data": {"a.txt": "one"}}), ("Secret", {"stringData": {"KEY": "two"}})):
        api.apply(
            {"apiVersion": "v1", "kind": kind, "metadata": {"name": "given", "namespace": "default"}, **data}
        )
    volumes = [
        {"name": "files", "configMap": {"name": "given", "items": [{"key": "a.txt", "path": "deep/b.txt"}]}},
        {"name": "room", "emptyDir": {}},
    ]
    mounts = [{"name": "files", "mountPath": "/opt/files"}, {"name": "room", "mountPath": "/scratch"}]
    text = """
    import os, sys
    print(open("/opt/files/deep/b.txt").read(), os.environ["KEY"], os.environ["NODE"], sys.argv[1])
    print(open("/scratch/note").read(), os.getuid(), os.environ["OMP_NUM_THREADS"])
    try:
        open("/opt/more", "w")
    except OSError:
        print("the machine's own files can't be written")
    """
    variables = [{"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}]
    limits = {"limits": {"cpu": "1500m"}}
    before = container(["sh", "-c", "echo -n first > /scratch/note"], volumeMounts=mounts) | {
        "name": "before"
    }
    made = container(
        [*program(text), "$(NODE) $$(NODE) $(NOBODY)"],
        env=variables,
        envFrom=[{"secretRef": {"name": "given"}}],
        volumeMounts=mounts,
        resources=limits,
        securityContext={"runAsUser": 1000},
    )
    make(api, "files", made, initContainers=[before], volumes=volumes)
    assert ended(api, "files")["exitCode"] == 0, log_of("files")
    node = pod(api, "files")["spec"]["nodeName"]
    assert f"one two {node} {node} $(NODE) $(NOBODY)" in log_of("files")
    assert "first 1000 1" in log_of("files")
    assert "can't be written" in log_of("files")


def test_kubectl_follows_the_log_to_its_end(api: Api, kubectl: Any) -> None:
    text = "import time\nfor step in range(4):\n    print('step', step)\n    time.sleep(0.5)"
    make(api, "talks", container(program(text)))
    wait(lambda: state(api, "talks")["state"].get("running"), SECONDS)
    said = kubectl("logs", "-f", "talks")
    assert said.stdout.splitlines() == [f"step {number}" for number in range(4)], said.stderr
    assert kubectl("logs", "--tail", "1", "talks").stdout == "step 3\n"


def test_kubectl_runs_a_command_in_the_container(api: Api, kubectl: Any) -> None:
    make(api, "inside", container(program("import time; time.sleep(1000)")))
    ready(api, "inside")
    said = kubectl(
        "exec", "inside", "--", "python", "-c", "import os, socket; print(os.environ['POD_IP'], os.getppid())"
    )
    assert said.stdout.split()[0].startswith("127."), said.stderr
    assert kubectl("exec", "inside", "--", "false").returncode != 0


def test_kubectl_forwards_a_port_and_services_lead_to_ready_pods(
    api: Api, kubectl: Any, cluster: clusters.ClusterAccess, tmp_path: Path
) -> None:
    text = """
    import http.server, os
    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            # With its length, and threads: kwok does not pass on that a connection was closed.
            name = os.environ["HOSTNAME"].encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(name)))
            self.end_headers()
            self.wfile.write(name)
    http.server.ThreadingHTTPServer((os.environ["POD_IP"], 8080), Answers).serve_forever()
    """
    probe = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}
    for name in ("web-1", "web-2"):
        made = container(program(text), ports=[{"containerPort": 8080}], readinessProbe=probe)
        make(api, name, made)
        api.request(
            "PATCH",
            f"/api/v1/namespaces/default/pods/{name}",
            {"metadata": {"labels": {"app": "web"}}},
            content=MERGE,
        )
    service(api, "web", {"app": "web"}, ports=[{"port": 8000, "targetPort": 8080}])
    ready(api, "web-1")
    ready(api, "web-2")
    port = processes.free_port()
    forwarding = processes.start(
        [
            bin_dir() / "kubectl",
            "--kubeconfig",
            cluster.kubeconfig_path,
            "port-forward",
            "web-2",
            f"{port}:8080",
        ],
        tmp_path / "forward.log",
    )
    try:
        processes.wait_until_listening(port, forwarding, tmp_path / "forward.log")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=SECONDS) as answer:
            assert answer.read() == b"web-2"
    finally:
        processes.stop(forwarding)
    ask = """
    import time, urllib.request
    seen = set()
    while len(seen) < 2:
        try:
            seen.add(urllib.request.urlopen("http://web:8000/").read())
        except OSError:
            time.sleep(0.2)
    print(sorted(seen))
    """
    make(api, "asks", container(program(ask)))
    assert ended(api, "asks")["exitCode"] == 0
    assert "[b'web-1', b'web-2']" in log_of("asks")


def test_a_notice_is_in_the_metadata_of_its_node_alone(api: Api) -> None:
    watch = """
    import json, os, time, urllib.error, urllib.request
    service = os.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"]
    def ask(path, method="GET", **headers):
        return urllib.request.urlopen(urllib.request.Request(service + path, method=method, headers=headers)).read()
    token = ask("/latest/api/token", "PUT", **{"X-aws-ec2-metadata-token-ttl-seconds": "60"}).decode()
    print("region", ask("/latest/meta-data/placement/region", **{"X-aws-ec2-metadata-token": token}).decode())
    while True:
        try:
            notice = ask("/latest/meta-data/spot/instance-action", **{"X-aws-ec2-metadata-token": token})
            break
        except urllib.error.HTTPError as error:
            print(error.code)
            time.sleep(0.2)
    print(json.loads(notice)["time"])
    """
    first, second = (node["metadata"]["name"] for node in api.list("v1", "Node"))
    make(api, "noticed", container(program(watch)), nodeName=first)
    make(api, "not-noticed", container(program(watch)), nodeName=second)
    wait(lambda: "404" in (log_of("noticed") if "running" in state(api, "noticed")["state"] else ""), SECONDS)
    times = "2026-11-27T10:00:00Z/2026-11-27T10:02:00Z"
    notice = {"metadata": {"annotations": {INTERRUPTION: times}}}
    api.request("PATCH", f"/api/v1/nodes/{first}", notice, content=MERGE)
    assert ended(api, "noticed")["exitCode"] == 0
    assert f"region {REGION}" in log_of("noticed")
    assert "2026-11-27T10:02:00Z" in log_of("noticed")
    assert "running" in state(api, "not-noticed")["state"]


@pytest.fixture
def bucket(environment: dict[str, str]) -> Iterator[str]:
    """A bucket, and a role that may use one prefix of it, associated with the service account default/trainer."""
    from localcloud import cloud
    from localcloud.kubernetes.agent.stores import ASSOCIATION

    keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local", "region_name": REGION}
    endpoint = environment["INDIA_AI_INFRA_AWS_ENDPOINT"]
    s3, iam = (boto3.client(service, endpoint_url=endpoint, **keys) for service in ("s3", "iam"))
    name = "pods-run-lake"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    pods = {"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"}}
    trust = {"Version": "2012-10-17", "Statement": [{**pods, "Action": ["sts:AssumeRole", "sts:TagSession"]}]}
    own = {
        "Effect": "Allow",
        "Action": ["s3:GetObject", "s3:PutObject"],
        "Resource": f"arn:aws:s3:::{name}/own/*",
    }
    role = iam.create_role(RoleName="pods-run", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    policy = json.dumps({"Version": "2012-10-17", "Statement": [own]})
    iam.put_role_policy(RoleName="pods-run", PolicyName="own", PolicyDocument=policy)
    association = {
        "clusterName": NAME,
        "namespace": "default",
        "serviceAccount": "trainer",
        "roleArn": role["Arn"],
    }
    cloud.store().put(ASSOCIATION, f"{REGION}/a-pods-run", association)
    yield name
    cloud.store().delete(ASSOCIATION, f"{REGION}/a-pods-run")
    iam.delete_role_policy(RoleName="pods-run", PolicyName="own")
    iam.delete_role(RoleName="pods-run")
    s3.delete_bucket(Bucket=name)


def test_a_pod_has_the_rights_of_its_own_role_in_s3(api: Api, bucket: str) -> None:
    text = f"""
    import boto3, botocore.exceptions
    s3 = boto3.client("s3")
    s3.put_object(Bucket="{bucket}", Key="own/a", Body=b"mine")
    print("read", s3.get_object(Bucket="{bucket}", Key="own/a")["Body"].read())
    try:
        s3.put_object(Bucket="{bucket}", Key="other/a", Body=b"not mine")
    except botocore.exceptions.ClientError as error:
        print("refused", error.response["Error"]["Code"])
    """
    metadata = {"name": "trainer", "namespace": "default"}
    api.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    make(api, "stores", container(program(text)), serviceAccountName="trainer")
    assert ended(api, "stores")["exitCode"] == 0, log_of("stores")
    assert "read b'mine'" in log_of("stores")
    assert "refused AccessDenied" in log_of("stores")


def test_a_pod_that_can_not_run_is_simulated_and_says_why(api: Api) -> None:
    # An image of the table whose volume nobody here has.
    volume = {"name": "disk", "csi": {"driver": "nobody.example"}}
    make(api, "imagined", container(["python"]), volumes=[volume])
    wait(lambda: pod(api, "imagined").get("status", {}).get("phase") == "Running", SECONDS)
    assert "no csi volumes here" in pod(api, "imagined")["metadata"]["annotations"][SIMULATED]
    make(api, "unknown", container([f"unknown-{MARK}"]) | {"image": "registry.example/unknown:1"})
    wait(lambda: pod(api, "unknown").get("status", {}).get("phase") == "Running", SECONDS)
    assert programs_with(f"unknown-{MARK}") == []


def test_a_lost_node_takes_its_programs_at_once(api: Api) -> None:
    (name,) = nodes.add_nodes(NAME, "test", REGION, "m7i.large", "ap-south-1a", 1, "spot")
    deaf = f"""
    import signal, time
    signal.signal(signal.SIGTERM, lambda *_: print("asked"))
    print("lost-{MARK}")
    time.sleep(1000)
    """
    make(api, "lost", container(program(deaf)), nodeName=name)
    ready(api, "lost")
    assert programs_with(f"lost-{MARK}")
    api.request("DELETE", f"/api/v1/nodes/{name}")
    wait(lambda: not programs_with(f"lost-{MARK}"), SECONDS)
    assert "asked" not in log_of("lost")


def test_a_killed_agent_leaves_no_program(api: Api) -> None:
    """Last: after it the cluster is no longer alive."""
    make(api, "orphan", container(program(f"import time; print('orphan-{MARK}'); time.sleep(1000)")))
    ready(api, "orphan")
    (agent,) = [each for each in clusters.processes_of(NAME, clusters.AGENT) if "-m" in each.cmdline()]
    os.kill(agent.pid, 9)
    wait(lambda: not programs_with(f"orphan-{MARK}"), SECONDS)
    # What it forked for the pod is an agent by its name too, and ends after the program did.
    wait(lambda: not clusters.alive(NAME), SECONDS)
