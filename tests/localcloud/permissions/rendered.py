"""What a stack renders that decides about its pods' calls, read from what the program registered."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from localcloud.permissions.aws_account import Account, Bucket, Role
from localcloud.permissions.google_policies import Binding, bindings
from localcloud.permissions.iam_policies import statements
from localcloud.permissions.network import Connection, End, Network, UnknownFieldError
from tests.program.whole_stacks import S3_RANGE, config_of, run

# S3's ranges are public addresses, of each region its own; those of another are asked of EC2 (tests/mock_engine.py).
S3_RANGES = {"ap-south-1": S3_RANGE, "ap-south-2": "203.0.113.0/24"}
ASKED = yaml.safe_load(Path(__file__).with_name("workloads.yaml").read_text())


@dataclass(frozen=True)
class Container:
    """A container of a workload, as its pod's template has it. `texts`: what its pods read of ConfigMaps, by key, and
    Ray's `serveConfigV2`."""

    namespace: str
    service_account: str
    environment: Mapping[str, str]
    args: Sequence[str]
    labels: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)

    def options(self, name: str) -> list[str]:
        """The values of `--name value` in the arguments, in order."""
        split = [part for arg in self.args for part in str(arg).split("=", 1)]
        return [split[at + 1] for at, part in enumerate(split) if part == f"--{name}"]


def deployed(deploy: Any, stack: str, changes: Mapping[str, Any] | None = None) -> Any:
    """What the program registers for one of the shipped stacks that asks for every workload; `changes` are laid over
    its configuration."""
    config = config_of(stack)
    for key, values in {"india-ai-infra:workloads": ASKED, **(changes or {})}.items():
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
    for resource, template, found in _containers(made, cloud):
        if found["name"] == name:
            return Container(
                resource.inputs["metadata"]["namespace"],
                template["spec"]["serviceAccountName"],
                {each["name"]: each["value"] for each in found.get("env", []) if "value" in each},
                found.get("args", []),
                template["metadata"]["labels"],
                _texts(made, resource, template),
            )
    raise LookupError(f"no container {name}")


def _containers(made: Any, cloud: str) -> Iterator[tuple[Any, Any, Any]]:
    """Each container, with the template of its pod and the resource that has it."""
    for resource in made.resources:
        if f":{cloud}:Cluster" in resource.provider:
            for template in _templates(resource.inputs.get("spec") or {}):
                yield from ((resource, template, found) for found in template["spec"].get("containers", []))


def _templates(spec: Mapping[str, Any]) -> Iterator[Any]:
    """The templates of pods in a resource's spec."""
    # A CronJob has the template of a Job, which has that of its pods; a RayService those of a head and of workers.
    spec = spec.get("jobTemplate", {}).get("spec", spec)
    ray = spec.get("rayClusterConfig")
    for holder in (ray["headGroupSpec"], *ray["workerGroupSpecs"]) if ray else (spec,):
        if (template := holder.get("template")) and template.get("spec"):
            yield template


def _texts(made: Any, resource: Any, template: Any) -> dict[str, str]:
    mounted = {(volume.get("configMap") or {}).get("name") for volume in template["spec"].get("volumes", [])}
    maps = [
        each.inputs
        for each in made.of("core/v1:ConfigMap").values()
        if each.provider == resource.provider and each.inputs["metadata"]["name"] in mounted
    ]
    config = {key: text for key, text in resource.inputs["spec"].items() if key == "serveConfigV2"}
    return {key: text for each in maps for key, text in each["data"].items()} | config


def google_container(made: Any, name: str) -> Container:
    """The container on Google; where the stack runs it on AWS alone, that with Google's own environment and lake."""
    try:
        return container(made, "gcp", name)
    except LookupError:
        found = container(made, "aws", name)
    lake, buckets = container(made, "gcp", "lake").environment, google_buckets(made)

    def there(text: Any) -> str:
        return re.sub(r"s3://lake-([a-z-]+)-\w+", lambda uri: f"gs://{buckets[uri[1]]}", str(text))

    kept = {key: there(value) for key, value in found.environment.items() if not key.startswith("AWS_")}
    own = {key: value for key, value in lake.items() if key not in found.environment}
    texts = {key: there(text) for key, text in found.texts.items()}
    return replace(found, environment=kept | own, args=[there(arg) for arg in found.args], texts=texts)


def google_buckets(made: Any) -> dict[str, str]:
    """The names of the lake's buckets on Google, by what they are."""
    lake = container(made, "gcp", "lake")
    named = {urlsplit(uri).netloc for uri in (*lake.options("uri"), *lake.options("refused-uri"))}
    return {name.removeprefix("lake-").rpartition("-")[0]: name for name in named}


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
