"""A small stack on both clouds, as `pulumi stack export` writes it: a bit of everything that the page shows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

STACK = "prod"
TOPIC = "arn:aws:sns:ap-south-1:111122223333:alerts"
CHANNEL = "projects/p/notificationChannels/7"


def urn(type_: str, name: str) -> str:
    return f"urn:pulumi:{STACK}::india-ai-infra::{type_}::{name}"


def resource(
    type_: str, name: str, inputs: Mapping[str, Any], provider: str = "", **more: Any
) -> dict[str, Any]:
    return {
        "type": type_,
        "urn": urn(type_, name),
        "custom": type_.count("/") > 0 or type_.startswith(("kubernetes:", "pulumi:providers:")),
        "inputs": dict(inputs),
        "outputs": {},
        "parent": urn("pulumi:pulumi:Stack", "stack"),
        "provider": f"{provider}::some-id" if provider else "",
        "modified": "2026-11-27T21:07:00.5Z",
        **more,
    }


AWS, GCP = urn("pulumi:providers:aws", "aws"), urn("pulumi:providers:gcp", "gcp")
K8S, GKE = urn("pulumi:providers:kubernetes", "eks"), urn("pulumi:providers:kubernetes", "gke")
EKS_PART, GKE_PART = urn("x:aws:Cluster", "eks"), urn("x:gcp:Cluster", "gke")


def kubernetes(
    kind: str, name: str, spec: Mapping[str, Any], namespace: str = "", **more: Any
) -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return resource(
        f"kubernetes:{kind}", name, {"metadata": metadata, "spec": spec}, more.pop("on", K8S), **more
    )


def pods(image: str, args: list[str], gpus: int, pool: str, **more: Any) -> dict[str, Any]:
    container = {"image": image, "args": args, "resources": {"limits": {"nvidia.com/gpu": str(gpus)}}}
    spec = {"containers": [container], "nodeSelector": {"india-ai-infra/pool": pool}, **more}
    return {"template": {"spec": spec}}


def node_pool(name: str, machine: str, gpus: int) -> dict[str, Any]:
    needs = {
        "node.kubernetes.io/instance-type": machine,
        "karpenter.sh/capacity-type": "spot",
        "topology.kubernetes.io/zone": "ap-south-1a",
    }
    requirements = [{"key": key, "operator": "In", "values": [value]} for key, value in needs.items()]
    template = {"metadata": {"labels": {"india-ai-infra/pool": name}}, "spec": {"requirements": requirements}}
    limits = {"nvidia.com/gpu": str(gpus)}
    return kubernetes("karpenter.sh/v1:NodePool", name, {"limits": limits, "template": template})


RULE = {
    "alert": "GpuXidCritical",
    "expr": "DCGM_FI_DEV_XID_ERRORS == 46",
    "for": "1m",
    "labels": {"severity": "critical"},
    "annotations": {"summary": "XID {{ $value }} on GPU {{ $labels.gpu }}"},
}
QUIET = RULE | {"alert": "Quiet", "labels": {"severity": "info"}}
ALERTMANAGER = {
    "config": {
        "receivers": [{"name": "people", "sns_configs": [{"topic_arn": TOPIC}]}, {"name": "nobody"}],
        "route": {
            "receiver": "people",
            "routes": [{"matchers": ['severity =~ "info|none"'], "receiver": "nobody"}],
        },
    }
}
RECIPE = {"model": {"name": "tiny"}, "data": {"uri": "s3://lake-curated/text"}}
QUEUE_SPEC = {
    "resourceGroups": [
        {"flavors": [{"name": "serve", "resources": [{"name": "nvidia.com/gpu", "nominalQuota": 4}]}]}
    ]
}


AWS_BUDGET = {
    "name": "spend",
    "limitAmount": "100.5",
    "limitUnit": "USD",
    "notifications": [
        {"notificationType": kind, "threshold": share, "subscriberEmailAddresses": ["a@b.in"]}
        for kind, share in (("ACTUAL", 80), ("FORECASTED", 100))
    ],
}
GCP_BUDGET = {
    "displayName": "gcp-spend",
    "amount": {"specifiedAmount": {"units": "9000", "currencyCode": "INR"}},
    "thresholdRules": [{"thresholdPercent": 0.5}],
    "allUpdatesRule": {"monitoringNotificationChannels": [CHANNEL]},
}


def resources() -> list[dict[str, Any]]:
    """The stack; its network, and one bucket that another team owns, are what costs beside the pools."""
    tags = json.dumps({"tags": {"owner": "ml-platform"}})
    labels = json.dumps({"owner": "ml-platform"})
    return [
        resource("pulumi:pulumi:Stack", "stack", {}, parent=""),
        resource("pulumi:providers:aws", "aws", {"region": "ap-south-1", "defaultTags": tags}),
        resource("pulumi:providers:gcp", "gcp", {"region": "asia-south1", "defaultLabels": labels}),
        resource("x:aws:Cluster", "eks", {}),
        resource("x:gcp:Cluster", "gke", {}),
        resource("aws:eks/cluster:Cluster", "eks", {}, AWS, parent=EKS_PART),
        resource("gcp:container/cluster:Cluster", "gke", {"location": "asia-south1"}, GCP, parent=GKE_PART),
        resource("pulumi:providers:kubernetes", "eks", {}, parent=EKS_PART),
        resource("pulumi:providers:kubernetes", "gke", {}, parent=GKE_PART),
        resource("aws:ec2/natGateway:NatGateway", "nat", {"tags": {"owner": "network <b>team</b>"}}, AWS),
        resource("aws:sqs/queue:Queue", "abroad", {"region": "us-east-1"}, AWS),
        resource("aws:rds/instance:Instance", "unpriced", {}, AWS),
        node_pool("serve", "g6.xlarge", 4),
        kubernetes("kueue.x-k8s.io/v1beta2:ClusterQueue", "gpus", QUEUE_SPEC),
        kubernetes("kueue.x-k8s.io/v1beta2:LocalQueue", "q", {"clusterQueue": "gpus"}, "team-a"),
        kubernetes(
            "apps/v1:Deployment",
            "chat",
            {
                "replicas": 2,
                **pods("vllm:1", ["s3://lake-models/chat", "--served-model-name=chat-8b"], 1, "serve"),
            },
            "team-a",
        ),
        kubernetes(
            "batch/v1:Job",
            "tune",
            {
                "parallelism": 1,
                **pods("trainer:1", [], 1, "serve", volumes=[{"configMap": {"name": "recipe"}}]),
            },
            "team-a",
        ),
        resource(
            "kubernetes:core/v1:ConfigMap",
            "recipe",
            {
                "metadata": {"name": "recipe", "namespace": "team-a"},
                "data": {"recipe.json": json.dumps(RECIPE), "other.json": "no JSON"},
            },
            K8S,
        ),
        kubernetes(
            "monitoring.coreos.com/v1:PrometheusRule", "rules", {"groups": [{"rules": [RULE, QUIET]}]}
        ),
        resource(
            "kubernetes:helm.sh/v3:Release",
            "kube-prometheus-stack",
            {"values": {"alertmanager": ALERTMANAGER}},
            K8S,
        ),
        resource(
            "aws:sns/topicSubscription:TopicSubscription", "mail", {"topic": TOPIC, "endpoint": "a@b.in"}, AWS
        ),
        resource(
            "aws:cloudwatch/eventRule:EventRule", "rule", {"name": "spot", "description": "Alerts: spot"}, AWS
        ),
        resource("aws:cloudwatch/eventTarget:EventTarget", "target", {"rule": "spot", "arn": TOPIC}, AWS),
        resource(
            "gcp:monitoring/notificationChannel:NotificationChannel",
            "mail",
            {"labels": {"email_address": "c@d.in"}},
            GCP,
            id=CHANNEL,
        ),
        resource("aws:budgets/budget:Budget", "spend", AWS_BUDGET, AWS),
        resource("gcp:billing/budget:Budget", "spend", GCP_BUDGET, GCP),
        resource(
            "gcp:monitoring/alertPolicy:AlertPolicy",
            "keys",
            {
                "displayName": "gke: audit-keys",
                "severity": "CRITICAL",
                "notificationChannels": [CHANNEL],
                "conditions": [{"conditionMatchedLog": {"filter": 'protoPayload.serviceName="kms"'}}],
                "documentation": {"content": "A key of ${resource.label.key_id} goes."},
            },
            GCP,
        ),
    ]


def written(folder: Path, found: list[dict[str, Any]] | None = None) -> Path:
    """The stack's state as a file."""
    file = folder / "stack.json"
    file.write_text(
        json.dumps({"version": 3, "deployment": {"resources": resources() if found is None else found}})
    )
    return file
