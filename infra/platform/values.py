"""The values each chart must be given; what is not said here stays at the chart's own default.

Sources: each chart's values.yaml at the version in charts.yaml; the AWS guide "EKS-optimized accelerated AMIs" (read
2026-11-24). Where images come from is in images.yaml.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pulumi
import yaml

from infra.contracts.cluster import Pool
from infra.contracts.labels import (
    EKS_COMPUTE_TYPE,
    GKE_ACCELERATOR,
    GPU_RESOURCE,
    GPU_TOLERATION,
    HUGE_PAGES,
    POOL_LABEL,
    time_slicing,
)
from infra.contracts.platform_profile import PlatformProfile
from infra.platform.namespaces import QUEUED
from infra.settings.networks import ON_PREMISES_NODE_MASK

Values = dict[str, Any]
Receivers = Mapping[str, Sequence[Mapping[str, Any]]]

# The account of Alertmanager's pods: on AWS its Pod Identity association names it.
ALERTMANAGER = "alertmanager"
# Alerts that are no news: the one that always fires, the one that silences others, and notes.
NO_NEWS = 'severity =~ "info|none"'
# The configuration of NVIDIA's plugin for nodes whose GPUs nobody shares.
WHOLE_GPUS = "whole"
PROMETHEUS_GIB, ALERTMANAGER_GIB = 50, 1
# The groups of kube-prometheus-stack's own rules that are alerts; the others record what Grafana's dashboards show
# (prometheus-community/helm-charts, charts/kube-prometheus-stack/values.yaml, defaultRules).
ALERT_GROUPS = (
    "alertmanager", "configReloaders", "etcd", "general", "kubeApiserverSlos", "kubeControllerManager", "kubeProxy",
    "kubeSchedulerAlerting", "kubeStateMetrics", "kubernetesApps", "kubernetesResources", "kubernetesStorage",
    "kubernetesSystem", "network", "nodeExporterAlerting", "prometheus", "prometheusOperator", "windows",
)  # fmt: skip


def kube_prometheus_stack(
    profile: PlatformProfile,
    receivers: Receivers = MappingProxyType({}),
    storage_class: str | None = None,
) -> Values:
    """Finds every ServiceMonitor, PodMonitor and rule of the cluster, not only those of its own release.

    `receivers` are what Alertmanager sends to, by Alertmanager's name of their kind (`sns_configs`); without any there
    is none, and no alert of the chart's own: what tells nobody would only look as if it did. Metrics outlive their pod
    on disks of `storage_class`.
    """
    off = {"enabled": False}  # the cloud runs these out of reach
    unheard = {"defaultRules": {"rules": dict.fromkeys(ALERT_GROUPS, False)}}
    return {
        **profile.prometheus_values,
        **({} if receivers else unheard),
        "kubeControllerManager": off,
        "kubeScheduler": off,
        "kubeEtcd": off,
        "kubeProxy": off,  # listens on localhost only
        "alertmanager": alertmanager(receivers, storage_class) if receivers else off,
        "prometheus": {
            "prometheusSpec": {
                **_kept("storageSpec", storage_class, PROMETHEUS_GIB),
                "retention": "15d",
                # Before the disk is full, whatever the retention says.
                "retentionSize": f"{PROMETHEUS_GIB * 9 // 10}GiB",
                "ruleSelectorNilUsesHelmValues": False,
                "serviceMonitorSelectorNilUsesHelmValues": False,
                "podMonitorSelectorNilUsesHelmValues": False,
            }
        },
        "grafana": {
            "grafana.ini": {"analytics": {"reporting_enabled": False, "check_for_updates": False}},
            "testFramework": off,  # its image would be pulled from afar
        },
    }


def alertmanager(receivers: Receivers, storage_class: str | None) -> Values:
    """Alertmanager, whose root route ends with people. Lists take the place of the chart's own, in which the root
    route's receiver is "null"."""
    return {
        "serviceAccount": {"name": ALERTMANAGER},
        "alertmanagerSpec": _kept("storage", storage_class, ALERTMANAGER_GIB),
        "config": {
            "route": {
                "receiver": "people",
                "group_by": ["alertname", "namespace"],
                "routes": [{"receiver": "nobody", "matchers": [NO_NEWS]}],
            },
            "receivers": [{"name": "people", **receivers}, {"name": "nobody"}],
        },
    }


def _kept(at: str, storage_class: str | None, gib: int) -> Values:
    """The field `at` of a Prometheus or an Alertmanager: a volume of its own, if there is a class of them."""
    if storage_class is None:
        return {}
    claim = {
        "storageClassName": storage_class,
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": f"{gib}Gi"}},
    }
    # The claims go with what made them, or their disks would be paid for after a destroy.
    return {
        at: {"volumeClaimTemplate": {"spec": claim}},
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete", "whenScaled": "Retain"},
    }


def karpenter(
    cluster_name: pulumi.Input[str], interruption_queue: pulumi.Input[str], replicas: int, *, overlays: bool
) -> Values:
    """`replicas` may not exceed the system nodes: two controllers never share a node, nor run on one of their own.

    `overlays` turns NodeOverlays on, an alpha of Karpenter's, which pools of shared GPUs need.
    """
    gates = {"featureGates": {"nodeOverlay": True}} if overlays else {}
    return {
        "replicas": replicas,
        "serviceAccount": {"name": "karpenter"},  # the name that its Pod Identity association speaks of
        "settings": {
            "clusterName": cluster_name,
            "interruptionQueue": interruption_queue,
            "eksControlPlane": True,
            # The cluster's is on: no node is started in a zone that AWS has moved traffic away from.
            "enableZonalShift": True,
            **gates,
        },
        "controller": {
            "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}},
        },
    }


def gpu_operator(pools: Iterable[Pool] = ()) -> Values:
    """For EKS's AL2023 NVIDIA image: driver and container toolkit are in the image, the device plugin is not.

    Where GPUs of `pools` are shared, the plugin has a configuration for each number of parts, which a node's label
    names, and one for nodes without that label, whose GPUs are whole.
    """
    return {
        "driver": {"enabled": False},
        "toolkit": {"enabled": False},
        "devicePlugin": {"enabled": True, **_plugin_configurations(pools)},
        "daemonsets": {"tolerations": [GPU_TOLERATION]},
        "node-feature-discovery": {"worker": {"tolerations": [GPU_TOLERATION]}},
        "dcgmExporter": {
            "serviceMonitor": {"enabled": True},
            "config": {"name": "gpu-counters", "create": True, "data": gpu_counters()},
        },
    }


def _plugin_configurations(pools: Iterable[Pool]) -> Values:
    shared = sorted({pool.gpu_parts for pool in pools} - {1})
    if not shared:
        return {}
    data = {WHOLE_GPUS: {"version": "v1"}} | {time_slicing(parts): _time_slicing(parts) for parts in shared}
    texts = {name: yaml.safe_dump(configuration, sort_keys=False) for name, configuration in data.items()}
    return {"config": {"create": True, "name": "gpu-sharing", "default": WHOLE_GPUS, "data": texts}}


def _time_slicing(parts: int) -> Values:
    """A pod that asks for two would get no more than one that asks for one: it is refused."""
    resources = [{"name": GPU_RESOURCE, "replicas": parts}]
    return {
        "version": "v1",
        "sharing": {"timeSlicing": {"failRequestsGreaterThanOne": True, "resources": resources}},
    }


def cilium(pod_cidrs: Sequence[str]) -> Values:
    """The network of nodes on premises, where the VPC's own can't run; cloud nodes keep that one.

    Its agent has no toleration to be given: it tolerates everything. It asks for no second operator, as a site may have
    one node, and leaves the pods of cloud nodes alone, which it does not know.
    """
    on_premises = {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [
                    {
                        "matchExpressions": [
                            {
                                "key": EKS_COMPUTE_TYPE,
                                "operator": "In",
                                "values": ["hybrid"],
                            }
                        ]
                    }
                ]
            }
        }
    }
    return {
        "affinity": on_premises,
        "envoy": {"enabled": False},  # it would run on every node, and there are no rules on HTTP for it
        "ipam": {
            "mode": "cluster-pool",
            "operator": {
                "clusterPoolIPv4MaskSize": ON_PREMISES_NODE_MASK,
                "clusterPoolIPv4PodCIDRList": list(pod_cidrs),
            },
        },
        "operator": {
            "affinity": on_premises,
            "replicas": 1,
            "tolerations": [{"operator": "Exists"}],
            "unmanagedPodWatcher": {"restart": False},
        },
    }


def gpu_counters() -> str:
    """What DCGM's exporter counts, on every cloud: in its own CSV."""
    return Path(__file__).with_name("gpu_counters.csv").read_text()


def dcgm_exporter(_pools: Iterable[Pool] = ()) -> Values:
    """For GKE, beside Google's own exporter, whose 21 fields have no XID, no memory error and no throttling.

    Privileged, for it must see GPUs that belong to other pods; driver libraries are the node's. No profiling counters:
    two exporters can't both have those.
    """
    counters = {"name": "exporter-metrics-volume", "mountPath": "/etc/dcgm-exporter/default-counters.csv"}
    return {
        "customMetrics": gpu_counters(),
        "priorityClassName": "",  # GKE keeps the system's classes for kube-system
        "securityContext": {"privileged": True},
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": _ON_GPU_NODES}},
        # Every taint: a pool with a chain also has that of its ComputeClass.
        "tolerations": [{"operator": "Exists"}],
        "extraHostVolumes": [{"name": "nvidia", "hostPath": "/home/kubernetes/bin/nvidia"}],
        "extraVolumeMounts": [
            {**counters, "subPath": "default-counters.csv"},
            {"name": "nvidia", "mountPath": "/usr/local/nvidia", "readOnly": True},
        ],
        "extraEnv": [{"name": "LD_LIBRARY_PATH", "value": "/usr/local/nvidia/lib64"}],
    }


_ON_GPU_NODES = {
    "nodeSelectorTerms": [{"matchExpressions": [{"key": GKE_ACCELERATOR, "operator": "Exists"}]}]
}


# By the name of the chart that a cloud's profile gives.
OF_GPU_CHART: Mapping[str, Callable[[Iterable[Pool]], Values]] = MappingProxyType(
    {"gpu-operator": gpu_operator, "dcgm-exporter": dcgm_exporter}
)


def efa_device_plugin(pools: Sequence[str]) -> Values:
    """Runs on the nodes of `pools` only: a machine type that can do EFA may also stand in a pool without it."""
    return {
        "supportedInstanceLabels": {"keys": [POOL_LABEL], "values": list(pools)},
        "tolerations": [GPU_TOLERATION],
    }


def keda() -> Values:
    """Metrics on, so that a scaler in error can be alerted on."""
    return {"prometheus": {"operator": {"enabled": True, "serviceMonitor": {"enabled": True}}}}


def kueue(profile: PlatformProfile) -> Values:
    """Quotas count GPUs only; a queued Job is all or nothing, and waits for spot capacity for ever."""
    return {
        "enablePrometheus": True,
        "metrics": {"prometheusNamespace": "monitoring"},
        "managerConfig": {
            "controllerManagerConfigYaml": yaml.safe_dump(_kueue_configuration(profile), sort_keys=False)
        },
    }


def _kueue_configuration(profile: PlatformProfile) -> Values:
    return {
        "apiVersion": "config.kueue.x-k8s.io/v1beta2",
        "kind": "Configuration",
        "health": {"healthProbeBindAddress": ":8081"},
        "metrics": {"bindAddress": ":8443", "enableClusterQueueResources": True},
        "webhook": {"port": 9443},
        "leaderElection": {"leaderElect": True, "resourceName": "c1f6bfd2.kueue.x-k8s.io"},
        "controller": {"groupKindConcurrency": {"Job.batch": 5, "Workload.kueue.x-k8s.io": 10}},
        "clientConnection": {"qps": 300, "burst": 500},
        "managedJobsNamespaceSelector": {"matchLabels": QUEUED},
        "waitForPodsReady": {
            "timeout": "30m",  # a spot GPU node, its image and the rendezvous
            # Longer than any restart: evicting in the middle of one has left quota reserved with no pod (kueue#14811).
            "recoveryTimeout": "60m",
            "blockAdmission": False,
            # No backoffLimitCount: with one, a dry spot market deactivates a workload for good (kueue#15255).
            "requeuingStrategy": {
                "timestamp": "Eviction",
                "backoffBaseSeconds": 60,
                "backoffMaxSeconds": 900,
            },
        },
        # GPUs are what is scarce, and whole nodes bring the rest with them. An undeclared resource blocks admission.
        "resources": {
            "excludeResourcePrefixes": [
                "cpu",
                "memory",
                "ephemeral-storage",
                HUGE_PAGES,
                profile.fabric_resources,
            ]
        },
        "integrations": {"frameworks": ["batch/job", "trainer.kubeflow.org/trainjob", "ray.io/rayjob"]},
    }
