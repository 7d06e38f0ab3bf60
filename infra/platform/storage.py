"""The class of the volumes that the platform's own pods keep their data on.

Sources: kubernetes-sigs/aws-ebs-csi-driver, docs/parameters.md; GKE guide, "Use customer-managed encryption keys".
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs
from pulumi_kubernetes.storage.v1 import StorageClass

STORAGE_CLASS = "india-ai-infra-encrypted"


@dataclass(frozen=True)
class Disk:
    """Disks of a cloud as its CSI driver makes them: the `provisioner` and its `parameters`, a customer key among
    them."""

    provisioner: str
    parameters: Mapping[str, pulumi.Input[str]]


def create_storage_class(disk: Disk | None, opts: pulumi.ResourceOptions) -> list[StorageClass]:
    """A StorageClass of `disk`: in the zone of the pod that asks first, and gone with its claim."""
    if disk is None:
        return []
    made = StorageClass(
        "storage-class",
        metadata=ObjectMetaArgs(name=STORAGE_CLASS),
        provisioner=disk.provisioner,
        parameters=disk.parameters,
        reclaim_policy="Delete",
        allow_volume_expansion=True,
        volume_binding_mode="WaitForFirstConsumer",
        opts=opts,
    )
    return [made]
