"""LakeFs: lakeFS by its chart, on PostgreSQL and the lake.

Read: treeverse/charts@39e2645, charts/lakefs (its templates; `appVersion` is a number of the chart's own,
`image.community.tag` the server's).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import pulumi

from infra.contracts.cluster import GpuCluster
from infra.contracts.database import SECRET
from infra.contracts.helm import install
from infra.contracts.needs import Chart
from infra.settings.workloads.lakefs import Lakefs
from workloads.kubernetes import pods
from workloads.kubernetes.database import database_mount, database_volume
from workloads.kubernetes.passwords import password, secret
from workloads.kubernetes.server import disruption_budget, from_secret, needs_of, spread
from workloads.lakefs.needs import APP, IMAGE_TAG, NAME, NAMESPACE

CHART = Chart(
    name=NAME,
    chart="lakefs",
    version="1.12.16",
    namespace=NAMESPACE,
    source="treeverse/charts@39e2645",
    repository="https://charts.lakefs.io",
)
CONFIGURATION = Template(Path(__file__).with_name("config.yaml").read_text(encoding="utf-8"))
# As the chart labels its pods.
LABELS = {"app.kubernetes.io/name": APP, "app.kubernetes.io/instance": NAME}
# The keys of its Secret: what encrypts the credentials in its database, and what signs addresses of uploads.
AUTH, SIGNING = "auth_encrypt_secret_key", "signing_secret_key"
# 400 MB of it is a cache of metadata (committed.sstable.memory.cache_size_bytes); not measured here.
MEMORY_MIB = 1024


@dataclass(frozen=True)
class LakeFsArgs:
    """lakeFS of `settings`. repository: of the image. namespaces: the folder of the lake, `s3://…` or `gs://…`, that
    new repositories are in."""

    cluster: GpuCluster
    settings: Lakefs
    repository: pulumi.Input[str]
    namespaces: pulumi.Input[str]


class LakeFs(pulumi.ComponentResource):
    """The release of the chart, the Secret with its keys, and its PodDisruptionBudget.

    url: of its API, its pages and its S3 gateway inside the cluster.
    """

    url: str

    def __init__(self, name: str, args: LakeFsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:workloads:LakeFs", name, None, opts)
        child = pulumi.ResourceOptions(
            parent=self,
            provider=args.cluster.provider,
            depends_on=[*args.cluster.platform],
            deleted_with=args.cluster.resource,
        )
        drawn = {AUTH: password(f"{name}-auth", child), SIGNING: password(f"{name}-signing", child)}
        keys = secret(f"{name}-keys", NAMESPACE, drawn, child)
        install(CHART, _values(args, f"{name}-keys"), child, [keys])
        disruption_budget(name, NAMESPACE, LABELS, child)
        self.url = f"http://{CHART.name}.{NAMESPACE}.svc"
        self.register_outputs({"url": self.url})


def _values(args: LakeFsArgs, keys: str) -> Mapping[str, Any]:
    """The chart's values. No secret is in them: pods take the database's and the keys from Secrets."""
    region = args.cluster.region
    environment = {**args.cluster.environment, **pods.scratch_environment()}
    signing = from_secret("LAKEFS_BLOCKSTORE_SIGNING_SECRET_KEY", keys, SIGNING)
    namespaces = pulumi.Output.from_input(args.namespaces)
    return {
        "replicaCount": args.settings.replicas,
        "image": {"repository": args.repository, "tag": IMAGE_TAG},
        "lakefsConfig": namespaces.apply(lambda known: configuration(region, known)),
        "existingSecret": keys,
        "secretKeys": {"authEncryptSecretKey": AUTH},
        "extraEnvVarsSecret": SECRET,
        "extraEnvVars": [*pods.environment(environment), signing],
        "extraVolumes": [*pods.scratch_volumes(1), database_volume()],
        "extraVolumeMounts": [*pods.scratch_mounts(), database_mount()],
        "serviceAccount": {"name": NAMESPACE},
        "service": {"type": "ClusterIP"},
        "podSecurityContext": pods.pod_security(),
        "securityContext": pods.container_security(),
        "topologySpreadConstraints": spread(LABELS),
        "resources": needs_of("500m", MEMORY_MIB),
        "readinessProbe": {"periodSeconds": 5, "failureThreshold": 3, "timeoutSeconds": 5},
        "livenessProbe": {"periodSeconds": 20, "failureThreshold": 6, "timeoutSeconds": 5},
    }


def configuration(region: str, namespaces: str) -> str:
    """The server's configuration, in YAML."""
    return CONFIGURATION.substitute(
        region=region,
        namespaces=namespaces,
        store=namespaces.partition("://")[0],
        scratch=pods.SCRATCH,
    )
