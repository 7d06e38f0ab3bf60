"""What of an account decides about a call of S3: its roles, buckets, keys and the endpoint in between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from localcloud.permissions.iam_policies import Policies, Request, Statement, Verdict, judge, judge_trust
from localcloud.permissions.s3_calls import Call, Need, needs

# What a client that botocore or the AWS SDK for C++ makes sends over HTTPS, and what S3 says of it.
_TRANSPORT = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3", "aws:PrincipalIsAWSService": "false"}


class NotThereError(LookupError):
    """A call names a bucket that the account does not have."""


@dataclass(frozen=True)
class Bucket:
    """A bucket and who may what with it. `key` is the ARN of the KMS key that its objects are under, None under S3's
    own."""

    name: str
    region: str
    policy: Sequence[Statement]
    key: str | None

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:s3:::{self.name}"


@dataclass(frozen=True)
class Role:
    """A role: `policies` by name, and who may assume it."""

    arn: str
    policies: Mapping[str, Sequence[Statement]]
    trust: Sequence[Statement]


@dataclass(frozen=True)
class Account:
    """One account. `keys` are key policies by the key's ARN; `endpoints` are the S3 gateways' policies, by region."""

    id: str
    buckets: Mapping[str, Bucket]
    roles: Mapping[str, Role]
    keys: Mapping[str, Sequence[Statement]]
    endpoints: Mapping[str, Sequence[Statement]]

    def may(self, role: Role, call: Call, *, missing: bool = False, tagged: bool = False) -> list[Verdict]:
        """A verdict for each thing that `call` needs, made by a pod that has assumed `role`."""
        return [
            judge(self.request(role, need), self._policies(role, need))
            for need in needs(call, missing=missing, tagged=tagged)
        ]

    def request(self, role: Role, need: Need) -> Request:
        """`need` as policies see it."""
        bucket = self.bucket(need.bucket)
        context = {"aws:PrincipalAccount": self.id, "aws:ResourceAccount": self.id, **need.context}
        if not need.action.startswith("kms:"):
            resource = bucket.arn if need.key is None else f"{bucket.arn}/{need.key}"
            return Request(need.action, resource, role.arn, {**context, **_TRANSPORT})
        # With bucket keys, which every bucket of ours has, the encryption context is the bucket.
        through = {
            "kms:ViaService": f"s3.{bucket.region}.amazonaws.com",
            "kms:CallerAccount": self.id,
            "kms:EncryptionContext:aws:s3:arn": bucket.arn,
        }
        return Request(need.action, bucket.key or "", role.arn, {**context, **through})

    def _policies(self, role: Role, need: Need) -> Policies:
        bucket = self.bucket(need.bucket)
        if not need.action.startswith("kms:"):
            return Policies(role.policies, bucket.policy, None, self.endpoints.get(bucket.region))
        return (
            Policies(role.policies, key=self.keys[bucket.key])
            if bucket.key
            else Policies({"S3's own key": [{"Sid": "Own", "Effect": "Allow"}]})
        )

    def bucket(self, name: str) -> Bucket:
        """The bucket called `name`.

        Raises:
            NotThereError: there is none.
        """
        if name not in self.buckets:
            raise NotThereError(f"no bucket {name}; there are {', '.join(sorted(self.buckets))}")
        return self.buckets[name]

    def may_assume(self, role: Role, cluster_arn: str, namespace: str, service_account: str) -> list[Verdict]:
        """Whether EKS Pod Identity may give `role` to the pods of a service account, with the tags that it puts on the
        session (EKS user guide, "How EKS Pod Identity works" and "Session tags")."""
        context = {
            "aws:SourceAccount": self.id,
            "aws:SourceArn": cluster_arn,
            "aws:RequestTag/eks-cluster-arn": cluster_arn,
            "aws:RequestTag/eks-cluster-name": cluster_arn.rpartition("/")[2],
            "aws:RequestTag/kubernetes-namespace": namespace,
            "aws:RequestTag/kubernetes-service-account": service_account,
        }
        return [
            judge_trust(Request(action, role.arn, "pods.eks.amazonaws.com", context), role.trust)
            for action in ("sts:AssumeRole", "sts:TagSession")
        ]
