"""S3 for pods, each as its own role: EKS Pod Identity, and a gate that asks the account's policies.

The account is read from moto, where the engine made it. The objects are kept there as well, in a bucket beside each:
moto itself reads a bucket's policy without its conditions, and would refuse everything.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from localcloud.kubernetes.agent.references import References
from localcloud.permissions.gate import Gate, HttpRequest, HttpResponse, forward

ASSOCIATION = "aws:eks/podIdentityAssociation:PodIdentityAssociation"
# Where EKS mounts the token of its agent.
TOKEN_FOLDER = "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount"
BESIDE = ".objects"

# The Pod Identity associations of the local cloud, as the engine gave them.
Associations = Callable[[], list[Mapping[str, Any]]]


@dataclass
class Stores:
    """The store and the identities of a cluster's pods. `aws` is the address of moto."""

    cluster: str
    region: str
    aws: str
    associations: Associations
    _identities: list[Any] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def variables(self, references: References, folder: Path) -> dict[str, str]:
        """What sends a pod's clients to its store as its role; nothing where its service account has none. The token is
        written to `folder`, which is mounted at TOKEN_FOLDER."""
        account = references.pod["spec"].get("serviceAccountName") or "default"
        namespace = references.pod["metadata"]["namespace"]
        wanted = (self.cluster, namespace, account)
        if not any(_of(each) == wanted for each in self.associations()):
            return {}
        from localcloud.permissions import pod_identity

        with self._lock:
            agent, store = self._serve()
        folder.mkdir(parents=True, exist_ok=True)
        given = pod_identity.environment(agent, f"{namespace}/{account}", folder)
        token = Path(given["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"]).name
        return {
            **given,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": f"{TOKEN_FOLDER}/{token}",
            "AWS_ENDPOINT_URL": self.aws,
            "AWS_ENDPOINT_URL_S3": store.url,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
        }

    def _serve(self) -> tuple[Gate, Gate]:
        """The agent and the store, started once; both judge by the account as it is when a pod starts."""
        self._identities.append(self._identity())
        return self._agent, self._store

    def _identity(self) -> Any:
        from localcloud.permissions import moto_account
        from localcloud.permissions.pod_identity import PodIdentity

        account = moto_account.read(self._client, self._account_id, self.region)
        roles = {
            f"{namespace}/{name}": account.roles[each["roleArn"].rpartition("/")[2]]
            for each in self.associations()
            for cluster, namespace, name in [_of(each)]
            if cluster == self.cluster and each["roleArn"].rpartition("/")[2] in account.roles
        }
        arn = f"arn:aws:eks:{self.region}:{self._account_id}:cluster/{self.cluster}"
        return PodIdentity(account, arn, roles, self.aws, self.region)

    @cached_property
    def _agent(self) -> Gate:
        return Gate(lambda asked: self._identities[-1].answer(asked)).__enter__()

    @cached_property
    def _store(self) -> Gate:
        return Gate(self._answer).__enter__()

    def _answer(self, asked: HttpRequest) -> HttpResponse:
        from localcloud.permissions.s3_gate import S3Gate

        def role_of(key: str) -> Any:
            return next((role for each in self._identities if (role := each.role_of(key))), None)

        address = urlsplit(self.aws).netloc
        gate = S3Gate(self._identities[-1].account, role_of, address, pass_on=self._beside)
        return gate.answer(asked)

    def _beside(self, asked: HttpRequest, address: str) -> HttpResponse:
        """The answer of the bucket that has the objects."""
        bucket = urlsplit(asked.target).path.split("/")[1]
        if not bucket:
            return forward(asked, address)
        self._make(bucket + BESIDE)
        source = re.compile(r"^(/?[^/]+)")
        headers = {
            name: source.sub(rf"\1{BESIDE}", value) if name.lower() == "x-amz-copy-source" else value
            for name, value in asked.headers.items()
        }
        target = asked.target.replace(bucket, bucket + BESIDE, 1)
        answer = forward(replace(asked, target=target, headers=headers), address)
        if b"<?xml" not in answer.body[:10]:
            return answer
        return replace(
            answer, body=answer.body.replace(f">{bucket}{BESIDE}<".encode(), f">{bucket}<".encode())
        )

    def _make(self, bucket: str) -> None:
        """Make a bucket of objects, unless it is there."""
        if bucket not in self._made:
            place = {"LocationConstraint": self.region}
            s3 = self._client("s3")
            if all(each["Name"] != bucket for each in s3.list_buckets()["Buckets"]):
                s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=place)
            self._made.add(bucket)

    @cached_property
    def _made(self) -> set[str]:
        return set()

    @cached_property
    def _account_id(self) -> str:
        return self._client("sts").get_caller_identity()["Account"]

    def _client(self, service: str) -> Any:
        import boto3

        keys = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
        return boto3.client(service, endpoint_url=self.aws, region_name=self.region, **keys)


def _of(association: Mapping[str, Any]) -> tuple[str, str, str]:
    return association["clusterName"], association["namespace"], association["serviceAccount"]
