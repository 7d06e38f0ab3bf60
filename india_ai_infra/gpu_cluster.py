"""GpuCluster: a Kubernetes cluster with GPU pools and the operators that they need, on either cloud."""

import pulumi

from india_ai_infra import cluster_on_aws, cluster_on_google
from india_ai_infra.args import GpuClusterArgs
from india_ai_infra.checked import ArgumentsError, cluster_settings
from infra.settings.errors import SettingsError


class GpuCluster(pulumi.ComponentResource):
    """EKS or GKE with a private API server, keys of its own, GPU pools on the cheapest machines that the region has,
    and what pods on them need: Karpenter on AWS, the GPU driver, queues (Kueue), KEDA, metrics, rupees (OpenCost). It
    is called `<component>-<stack>`, on Google with `-gcp` behind it.

    Raises ArgumentsError, before anything is made, with all that is wrong in `args`.
    """

    cluster_name: pulumi.Output[str]
    """The cluster's name in the cloud."""
    endpoint: pulumi.Output[str]
    """The address of the API server, which is private."""
    kubeconfig: pulumi.Output[str]
    """A kubeconfig that asks the cloud's own command for a token, and so holds no secret."""
    tunnel: pulumi.Output[str]
    """With a jump host: the command that opens the way to the API server, else empty."""

    def __init__(self, name: str, args: GpuClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        asked = cluster_settings(name, args)
        super().__init__("india-ai-infra:index:GpuCluster", name, None, opts)
        build = cluster_on_aws.build if asked.aws else cluster_on_google.build
        try:
            made = build(self, name, asked)
        except SettingsError as error:
            raise ArgumentsError(f"GpuCluster {name}", error.problems) from None
        # As workloads take it; for Python programs alone.
        self.cluster = made.cluster
        self.cluster_name, self.endpoint = made.name, made.endpoint
        self.kubeconfig = made.kubeconfig
        self.tunnel = made.tunnel or pulumi.Output.from_input("")
        self.register_outputs(
            {
                "clusterName": self.cluster_name,
                "endpoint": self.endpoint,
                "kubeconfig": self.kubeconfig,
                "tunnel": self.tunnel,
            }
        )
