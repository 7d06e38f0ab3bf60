"""What a stack renders that decides about its pods' calls, read from what the program registered."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from localcloud.permissions.aws_account import Account, Bucket, Role
from localcloud.permissions.google_policies import Binding, bindings
from localcloud.permissions.iam_policies import statements
from localcloud.permissions.network import Connection, End, Network, UnknownFieldError
from tests.program.whole_stacks import S3_RANGE, config_of, run

# S3's ranges are public addresses, of each region its own; those of another are asked of EC2 (tests/mock_engine.py).
S3_RANGES = {"ap-south-1": S3_RANGE, "ap-south-2": "203.0.113.0/24"}


@dataclass(frozen=True)
class Container:
    """A container of a workload, as its pod's template has it."""

    namespace: str
    service_account: str
    environment: Mapping[str, str]
    args: Sequence[str]
    labels: Mapping[str, str] = field(default_factory=dict)

    def options(self, name: str) -> list[str]:
        """The values of `--name value` in the arguments, in order."""
        split = [part for arg in self.args for part in str(arg).split("=", 1)]
        return [split[at + 1] for at, part in enumerate(split) if part == f"--{name}"]


def deployed(deploy: Any, stack: str, changes: Mapping[str, Any] | None = None) -> Any:
    """What the program registers for one of the shipped stacks; `changes` are laid over its configuration."""
    config = config_of(stack)
    for key, values in (changes or {}).items():
        config[key] = {**config[key], **values}
    return run(deploy, config)


def aws_account(made: Any, account_id: str) -> Account:
    """The roles, buckets, keys and endpoints of a deployed stack. A resource of the replica's provider is in its
    region."""
    region = next(r.inputs["region"] for r in made.resources if r.type == "pulumi:providers:aws")
    elsewhere = {
        r.urn: r.inputs["region"] for r in made.resources if r.type == "pulumi:providers:aws" and r.inputs
    }

    def region_of(resource: Any) -> str:
        return elsewhere.get(resource.provider.rpartition("::")[0], region)

    encryption = made.of("s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration")
    buckets = {}
    for name, policy in made.of("s3/bucketPolicy:BucketPolicy").items():
        (rule,) = encryption[name].inputs["rules"]
        by_default = rule["applyServerSideEncryptionByDefault"]
        held = statements(policy.inputs["policy"])
        bucket = Bucket(policy.inputs["bucket"], region_of(policy), held, by_default.get("kmsMasterKeyId"))
        assert bucket.key is None or rule["bucketKeyEnabled"], name
        buckets[bucket.name] = bucket
    keys = {}
    for name, alias in made.of("kms/alias:Alias").items():
        policy = made.one("kms/key:Key", name).inputs["policy"]
        keys[f"arn:aws:kms:ap-south-1:{account_id}:key/{alias.inputs['targetKeyId']}"] = statements(policy)
    endpoints = {
        endpoint.inputs["serviceName"].split(".")[2]: statements(endpoint.inputs["policy"])
        for endpoint in made.of("ec2/vpcEndpoint:VpcEndpoint").values()
        if endpoint.inputs["vpcEndpointType"] == "Gateway"
    }
    return Account(account_id, buckets, _roles(made, account_id), keys, endpoints)


def _roles(made: Any, account_id: str) -> dict[str, Role]:
    """Roles of people and workloads, by the role's own name; policies are attached by it."""
    policies = made.of("iam/rolePolicy:RolePolicy")
    return {
        name.removeprefix("access-"): Role(
            f"arn:aws:iam::{account_id}:role/{policies[name].inputs['role']}",
            {f"policy of the role {name}": statements(policies[name].inputs["policy"])},
            statements(role.inputs["assumeRolePolicy"]),
        )
        for name, role in made.of("iam/role:Role").items()
        if name.startswith("access-")
    }


def by_role(account: Account) -> dict[str, str]:
    """What a bucket is to the lake, by its name: `lake-checkpoints-1a2b3c4` is `checkpoints`."""
    return {
        name: name.removeprefix("lake-").removeprefix("replica-").rpartition("-")[0]
        for name in account.buckets
    }


def container(made: Any, cloud: str, name: str) -> Container:
    """The container called `name` (`trainer`, `lake`, `nccl`, `vllm`) on a cloud, the first where there are several."""
    for resource in made.resources:
        if f":{cloud}:Cluster" not in resource.provider:
            continue
        spec = resource.inputs.get("spec") or {}
        # A CronJob has the template of a Job, which has that of its pods.
        template = spec.get("jobTemplate", {}).get("spec", spec).get("template") or {}
        for found in (template.get("spec") or {}).get("containers", []):
            if found["name"] == name:
                return Container(
                    resource.inputs["metadata"]["namespace"],
                    template["spec"]["serviceAccountName"],
                    {each["name"]: each["value"] for each in found.get("env", []) if "value" in each},
                    found.get("args", []),
                    template["metadata"]["labels"],
                )
    raise LookupError(f"no container {name}")


def google_container(made: Any, name: str) -> Container:
    """The container on Google; where the stack runs it on AWS alone, that with Google's own environment and lake."""
    try:
        return container(made, "gcp", name)
    except LookupError:
        found = container(made, "aws", name)
    lake = container(made, "gcp", "lake")
    cloud = {name for name in found.environment if name.startswith("AWS_")}
    own = {name: value for name, value in lake.environment.items() if name not in found.environment}
    checkpoints = lake.options("uri")[0].removesuffix("/proof")
    args = [re.sub(r"s3://[^/]*checkpoints[^/]*", checkpoints, str(arg)) for arg in found.args]
    environment = {name: value for name, value in found.environment.items() if name not in cloud} | own
    return replace(found, environment=environment, args=args)


def google_keys(made: Any, buckets: Mapping[str, str]) -> dict[str, str]:
    """The customer key that is each bucket's default, by the bucket's name."""
    made_as = made.of("gcp:storage/bucket:Bucket")
    return {
        name: made_as[f"lake-{role}"].inputs["encryption"]["defaultKmsKeyName"]
        for role, name in buckets.items()
    }


def google_bindings(made: Any) -> list[Binding]:
    """What a deployed stack grants on buckets."""
    granted = made.of("storage/bucketIAMMember:BucketIAMMember")
    return bindings({name: each.inputs for name, each in granted.items()})


def google_member(container: Container) -> str:
    """Who the pods of a container are to Google's IAM, by the project of the shipped stack and a mocked number."""
    pool = "projects/123456789012/locations/global/workloadIdentityPools/india-ai-infra-prod.svc.id.goog"
    return f"principal://iam.googleapis.com/{pool}/subject/ns/{container.namespace}/sa/{container.service_account}"


# The API server labels every namespace with its name; these are the clusters' own.
_OF_CLUSTERS = ("default", "kube-system", "gmp-system")
_NAME = "kubernetes.io/metadata.name"


def network(made: Any, cloud: str) -> Network:
    """The NetworkPolicies and namespaces of a cloud's cluster.

    Raises:
        UnknownFieldError: it has policies of another kind, which would be passed over.
    """
    own = [resource for resource in made.resources if f":{cloud}:Cluster" in resource.provider]
    policies = [resource for resource in own if resource.type.endswith("NetworkPolicy")]
    if others := sorted({each.type for each in policies} - {"kubernetes:networking.k8s.io/v1:NetworkPolicy"}):
        raise UnknownFieldError(f"policies of another kind: {', '.join(others)}")
    spaces = {name: {_NAME: name} for name in _OF_CLUSTERS}
    for resource in own:
        if resource.type.endswith(":Namespace"):
            meta = resource.inputs["metadata"]
            spaces[meta["name"]] = {**meta["labels"], _NAME: meta["name"]}
    return Network([policy.inputs for policy in policies], spaces)


def may_reach(made: Any, cloud: str, namespace: str, address: str, port: int) -> bool:
    """Whether the NetworkPolicies of `namespace` let a pod without labels out to an address."""
    out = Connection(End(namespace=namespace), End(address), port)
    return network(made, cloud).judge(out).allowed
