"""RES-02 for providers of whatever cloud, and what operators in Kubernetes and other providers make."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from policies.pack import CONTROLS
from tests.policies.harness import UNKNOWN, Shown, failures, run, unresolved

EKS, GKE = (
    "https://0F1E2D.gr7.{}.eks.amazonaws.com",
    "gke_project_{}_cluster",
)


def kubeconfig(server: str, context: str = "c", args: list[str] | None = None) -> str:
    user = {"exec": {"command": "aws", "args": args or []}}
    return yaml.safe_dump(
        {
            "clusters": [{"name": context, "cluster": {"server": server}}],
            "contexts": [{"name": context, "context": {"cluster": context, "user": "u"}}],
            "current-context": context,
            "users": [{"name": "u", "user": user}],
        }
    )


def provider(name: str, **props: Any) -> tuple[str, dict[str, Any]]:
    return f"pulumi:providers:{name}", props


LEAKS = {
    "a cluster in Virginia": provider("kubernetes", kubeconfig=kubeconfig(EKS.format("us-east-1"))),
    "a cluster as JSON": provider(
        "kubernetes", kubeconfig=json.dumps(yaml.safe_load(kubeconfig(EKS.format("eu-west-1"))))
    ),
    "a login in Virginia": provider(
        "kubernetes",
        kubeconfig=kubeconfig("https://10.0.0.1", args=["eks", "get-token", "--region", "us-east-1"]),
    ),
    "a context in Iowa": provider(
        "kubernetes", kubeconfig=kubeconfig("https://203.0.113.9", GKE.format("us-central1"))
    ),
    "a cluster by its ARN": provider("kubernetes", context="arn:aws:eks:us-west-2:111122223333:cluster/c"),
    "a cluster of Azure": provider(
        "kubernetes", kubeconfig=kubeconfig("https://c-1.hcp.eastus.azmk8s.io:443")
    ),
    "New York": provider("kubernetes", kubeconfig=kubeconfig("https://1.k8s.ondigitalocean.com")),
    "helm's": provider("helm", kubeconfig=kubeconfig(EKS.format("us-east-1"))),
    "an endpoint of S3": provider(
        "aws", region="ap-south-1", endpoints=json.dumps([{"s3": "https://s3.us-east-1.amazonaws.com"}])
    ),
    "an endpoint of S3, as a tree": provider(
        "aws", region="ap-south-1", endpoints=[{"dynamodb": "https://dynamodb.eu-west-1.amazonaws.com"}]
    ),
    "another store": provider(
        "aws", region="ap-south-1", endpoints=json.dumps([{"s3": "https://a.r2.cloudflarestorage.com"}])
    ),
    "a store of somebody's": provider(
        "aws", region="ap-south-1", endpoints=json.dumps([{"s3": "https://s3.shop-archive.net"}])
    ),
    "Google, one endpoint": provider(
        "gcp",
        region="asia-south1",
        vertexAiCustomEndpoint="https://us-central1-aiplatform.googleapis.com/v1/",
    ),
    "Google, another universe": provider("gcp", region="asia-south1", universeDomain="apis-s3ns.fr"),
    "Google, billed abroad": provider(
        "gcp", region="asia-south1", storageCustomEndpoint="https://storage.europe-west3.rep.googleapis.com/"
    ),
    "cloud control": provider("aws-native", region="us-east-1"),
    "Google, native": provider("google-native", region="us-central1", project="p"),
    "Azure, native": provider("azure-native", location="eastus"),
    "Azure": provider("azure", location="West Europe"),
    "Azure of China": provider("azure-native", environment="china"),
    "Azure of the US government": provider("azure", environment="usgovernment"),
    "Atlas": provider("mongodbatlas", region="us-east-1"),
    "Alibaba": provider("alicloud", region="eu-central-1"),
    "Oracle": provider("oci", region="us-ashburn-1"),
    "Oracle by code": provider("oci", region="iad"),
    "Linode": provider("linode", objEndpoint="https://us-east-1.linodeobjects.com"),
    "Scaleway": provider("scaleway", region="fr-par"),
    "Hetzner": provider("hcloud", location="fsn1"),
    "Vultr": provider("vultr", region="ewr"),
    "IBM": provider("ibm", region="us-south"),
    "Snowflake": provider("snowflake", accountName="x", host="xy12345.us-east-1.snowflakecomputing.com"),
    "Databricks": provider("databricks", host="https://adb-1.azuredatabricks.net.eastus.example"),
    "Yandex": provider("yandex", zone="ru-central1-a"),
    "OpenStack": provider("openstack", authUrl="https://auth.cloud.ovh.net/v3", region="GRA11"),
    "a cloud that nobody knows": provider("openstack", region="RegionOne"),
    "no region": provider("aws"),
}
CLEAN = {
    "a cluster in Mumbai": provider(
        "kubernetes", kubeconfig=kubeconfig(EKS.format("ap-south-1"), args=["--region", "ap-south-1"])
    ),
    "a cluster in Delhi": provider(
        "kubernetes", kubeconfig=kubeconfig("https://203.0.113.9", GKE.format("asia-south2"))
    ),
    "a cluster on a desk": provider("kubernetes", kubeconfig=kubeconfig("https://127.0.0.1:6443", "kind")),
    "a file's name": provider("kubernetes", kubeconfig="~/.kube/config", context="prod"),
    "nothing said": provider("kubernetes"),
    "roles": provider(
        "aws",
        region="ap-south-1",
        assumeRoles=json.dumps([{"roleArn": "arn:aws:iam::111122223333:role/deploy"}]),
    ),
    "a local cloud": provider(
        "aws",
        region="ap-south-1",
        endpoints=json.dumps([{"s3": "http://127.0.0.1:5000", "iam": "http://localhost:5000"}]),
    ),
    "an endpoint inside": provider(
        "aws", region="ap-south-1", endpoints=json.dumps([{"s3": "https://minio.storage.svc:9000"}])
    ),
    "an endpoint at home": provider(
        "aws", region="ap-south-1", endpoints=json.dumps([{"s3": "https://s3.ap-south-1.amazonaws.com"}])
    ),
    "IAM has one home": provider(
        "aws",
        region="ap-south-1",
        endpoints=json.dumps(
            [{"iam": "https://iam.amazonaws.com", "sts": "https://sts.ap-south-1.amazonaws.com"}]
        ),
    ),
    "tags": provider("aws", region="ap-south-1", defaultTags=json.dumps({"tags": {"region": "us-east-1"}})),
    "Google": provider("gcp", region="asia-south1", zone="asia-south1-a", universeDomain="googleapis.com"),
    "Azure, Pune": provider("azure-native", location="centralindia", environment="public"),
    "Mumbai of Oracle": provider("oci", region="ap-mumbai-1"),
    "random": provider("random"),
    "MinIO": provider("minio", minioServer="minio.storage.svc:9000", minioRegion="us-east-1"),
}
MADE_LEAKS: dict[str, tuple[str, dict[str, Any]]] = {
    "config connector, SQL": (
        "kubernetes:sql.cnrm.cloud.google.com/v1beta1:SQLInstance",
        {"spec": {"region": "us-central1"}},
    ),
    "config connector, BigQuery": (
        "kubernetes:bigquery.cnrm.cloud.google.com/v1beta1:BigQueryDataset",
        {"spec": {"location": "EU"}},
    ),
    "config connector, Spanner": (
        "kubernetes:spanner.cnrm.cloud.google.com/v1beta1:SpannerInstance",
        {"spec": {"config": "nam3"}},
    ),
    "config connector, a registry": (
        "kubernetes:artifactregistry.cnrm.cloud.google.com/v1beta1:ArtifactRegistryRepository",
        {"spec": {"location": "europe"}},
    ),
    "crossplane, RDS": (
        "kubernetes:rds.aws.upbound.io/v1beta1:Instance",
        {"spec": {"forProvider": {"region": "us-east-1"}}},
    ),
    "crossplane, Azure": (
        "kubernetes:storage.azure.upbound.io/v1beta1:Account",
        {"spec": {"forProvider": {"location": "East US"}}},
    ),
    "crossplane, its provider": (
        "kubernetes:aws.crossplane.io/v1alpha1:ProviderConfig",
        {"spec": {"region": "eu-west-1"}},
    ),
    "ACK, a copy": (
        "kubernetes:dynamodb.services.k8s.aws/v1alpha1:GlobalTable",
        {"spec": {"replicationGroup": [{"regionName": "us-west-2"}]}},
    ),
    "ACK, by annotation": (
        "kubernetes:s3.services.k8s.aws/v1alpha1:Bucket",
        {"metadata": {"annotations": {"services.k8s.aws/region": "us-east-1"}}},
    ),
    "Cluster API": (
        "kubernetes:infrastructure.cluster.x-k8s.io/v1beta2:AWSCluster",
        {"spec": {"region": "us-east-2"}},
    ),
    "Cluster API, Google": (
        "kubernetes:infrastructure.cluster.x-k8s.io/v1beta1:GCPCluster",
        {"spec": {"region": "europe-west1"}},
    ),
    "Cluster API, Azure": (
        "kubernetes:infrastructure.cluster.x-k8s.io/v1beta1:AzureCluster",
        {"spec": {"location": "westeurope"}},
    ),
    "Karpenter": (
        "kubernetes:karpenter.sh/v1:NodePool",
        {
            "spec": {
                "template": {
                    "spec": {
                        "requirements": [
                            {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["us-east-1a"]}
                        ]
                    }
                }
            }
        },
    ),
    "external secrets": (
        "kubernetes:external-secrets.io/v1:ClusterSecretStore",
        {"spec": {"provider": {"aws": {"service": "SecretsManager", "region": "us-east-1"}}}},
    ),
    "Terraform": (
        "kubernetes:app.terraform.io/v1alpha2:Module",
        {"spec": {"variables": [{"name": "aws_region", "value": "eu-central-1"}]}},
    ),
    "Velero": (
        "kubernetes:velero.io/v1:BackupStorageLocation",
        {"spec": {"config": {"region": "us-west-2"}}},
    ),
    "MirrorMaker": (
        "kubernetes:kafka.strimzi.io/v1beta2:KafkaMirrorMaker2",
        {
            "spec": {
                "clusters": [{"alias": "t", "bootstrapServers": "b-1.c.kafka.us-east-1.amazonaws.com:9094"}]
            }
        },
    ),
    "Spark": (
        "kubernetes:sparkoperator.k8s.io/v1beta2:SparkApplication",
        {"spec": {"sparkConf": {"spark.hadoop.fs.s3a.endpoint": "s3.us-east-1.amazonaws.com"}}},
    ),
    "Postgres": (
        "kubernetes:postgresql.cnpg.io/v1:Cluster",
        {"spec": {"backup": {"barmanObjectStore": {"endpointURL": "https://s3.eu-west-1.amazonaws.com"}}}},
    ),
    "Atlas by operator": (
        "kubernetes:atlas.mongodb.com/v1:AtlasDeployment",
        {
            "spec": {
                "deploymentSpec": {"replicationSpecs": [{"regionConfigs": [{"regionName": "US_EAST_1"}]}]}
            }
        },
    ),
    "Atlas": ("mongodbatlas:index/cluster:Cluster", {"providerRegionName": "EU_WEST_1"}),
    "Confluent": ("confluentcloud:index/kafkaCluster:KafkaCluster", {"region": "westus2", "cloud": "AZURE"}),
    "Aiven": ("aiven:index/kafka:Kafka", {"cloudName": "google-europe-west1"}),
    "Azure": ("azure-native:storage:StorageAccount", {"location": "northeurope"}),
    "R2": ("cloudflare:index/r2Bucket:R2Bucket", {"location": "WNAM"}),
    "Elastic": ("ec:index/deployment:Deployment", {"region": "gcp-us-central1"}),
    "Redis": (
        "rediscloud:index/subscription:Subscription",
        {"cloudProvider": {"regions": [{"region": "us-east-1"}]}},
    ),
    "Neon": ("neon:index/project:Project", {"regionId": "aws-us-east-2"}),
    "Supabase": ("supabase:index/project:Project", {"region": "us-east-1"}),
    "PlanetScale": ("planetscale:index/database:Database", {"region": "us-west"}),
    "DigitalOcean": ("digitalocean:index/spacesBucket:SpacesBucket", {"region": "nyc3"}),
    "Linode": ("linode:index/objectStorageBucket:ObjectStorageBucket", {"region": "us-east"}),
    "native Google": ("google-native:storage/v1:Bucket", {"location": "US"}),
    "Databricks": ("databricks:index/mwsWorkspaces:MwsWorkspaces", {"awsRegion": "us-west-2"}),
    "Snowflake": ("snowflake:index/account:Account", {"region": "AWS_US_WEST_2"}),
    "Grafana": ("grafana:cloud/stack:Stack", {"regionSlug": "us"}),
    "ClickHouse": ("clickhouse:index/service:Service", {"region": "eu-central-1", "cloudProvider": "aws"}),
}
MADE_CLEAN: dict[str, tuple[str, dict[str, Any]]] = {
    "config connector": (
        "kubernetes:sql.cnrm.cloud.google.com/v1beta1:SQLInstance",
        {"spec": {"region": "asia-south1"}},
    ),
    "crossplane": (
        "kubernetes:rds.aws.upbound.io/v1beta1:Instance",
        {"spec": {"forProvider": {"region": "ap-south-1"}}},
    ),
    "Cluster API": (
        "kubernetes:infrastructure.cluster.x-k8s.io/v1beta1:AzureCluster",
        {"spec": {"location": "centralindia"}},
    ),
    "Karpenter shuns": (
        "kubernetes:karpenter.sh/v1:NodePool",
        {
            "spec": {
                "template": {
                    "spec": {
                        "requirements": [
                            {
                                "key": "topology.kubernetes.io/zone",
                                "operator": "NotIn",
                                "values": ["us-east-1a"],
                            }
                        ]
                    }
                }
            }
        },
    ),
    "Atlas": ("mongodbatlas:index/cluster:Cluster", {"providerRegionName": "AP_SOUTH_1"}),
    "Aiven": ("aiven:index/kafka:Kafka", {"cloudName": "google-asia-south1"}),
    "Azure": ("azure-native:storage:StorageAccount", {"location": "South India"}),
    "Elastic": ("ec:index/deployment:Deployment", {"region": "gcp-asia-south1"}),
    "DigitalOcean": ("digitalocean:index/spacesBucket:SpacesBucket", {"region": "blr1"}),
    "Snowflake": ("snowflake:index/account:Account", {"region": "AWS_AP_SOUTH_1"}),
}


def residency(type_: str, props: dict[str, Any]) -> list[str]:
    """Findings of any control of residency or workloads."""
    return [
        line
        for one in run(Shown(type_, props))
        for line in one.message.splitlines()
        if line.startswith(("[DPDP-RES-", "[DPDP-K8S-0"))
    ]


@pytest.mark.parametrize("case", LEAKS)
def test_a_provider_that_works_abroad(case: str) -> None:
    assert residency(*LEAKS[case])


@pytest.mark.parametrize("case", CLEAN)
def test_a_provider_that_works_at_home(case: str) -> None:
    assert not residency(*CLEAN[case])


@pytest.mark.parametrize("case", MADE_LEAKS)
def test_what_is_made_abroad(case: str) -> None:
    assert residency(*MADE_LEAKS[case])


@pytest.mark.parametrize("case", MADE_CLEAN)
def test_what_is_made_at_home(case: str) -> None:
    assert not residency(*MADE_CLEAN[case])


# What nobody knows yet


@pytest.mark.parametrize(
    ("name", "props"),
    [
        ("kubernetes", {"kubeconfig": UNKNOWN}),
        ("aws", {"region": "ap-south-1", "endpoints": UNKNOWN}),
        ("gcp", {"region": "asia-south1", "storageCustomEndpoint": UNKNOWN}),
        ("azure-native", {"location": UNKNOWN}),
        ("mongodbatlas", {"region": UNKNOWN}),
    ],
)
def test_an_unknown_address_is_no_pass(name: str, props: dict[str, Any]) -> None:
    assert unresolved(run(Shown(*provider(name, **props))), "DPDP-RES-02")


def test_a_kubeconfig_made_from_a_cluster_of_the_stack() -> None:
    cluster = Shown("aws:eks/cluster:Cluster", {"name": "c"}, "cluster")
    elsewhere = Shown("pulumi:pulumi:StackReference", {"name": "other"}, "other")
    command = Shown("command:local:Command", {"create": "cat"}, "command")
    for source, settled in ((cluster, True), (elsewhere, False), (command, False)):
        made = Shown(*provider("kubernetes", kubeconfig=UNKNOWN), "p", sources={"kubeconfig": [source.urn]})
        assert bool(unresolved(run(source, made), "DPDP-RES-02")) != settled


def test_places_that_are_declared() -> None:
    declared = {
        one.policy_name: {"indianPlaces": ["RegionOne", "s3.shop-archive.net"]}
        for one in CONTROLS
        if one.id == "DPDP-RES-02"
    }
    for case in ("a cloud that nobody knows", "a store of somebody's"):
        assert not failures(run(Shown(*LEAKS[case]), config=declared), "DPDP-RES-02")


def test_a_finding_names_the_setting_and_not_the_whole_text() -> None:
    (line,) = failures(run(Shown(*LEAKS["a cluster in Virginia"])), "DPDP-RES-02")
    assert "kubeconfig.clusters" in line
    assert "apiVersion" not in line
