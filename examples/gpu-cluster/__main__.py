"""EKS with a pool of spot L4 nodes, in the VPC that another team keeps."""

import pulumi

from india_ai_infra import Access, ExistingNetwork, GpuCluster, GpuClusterArgs, GpuPool, Network

config = pulumi.Config()
cluster = GpuCluster(
    "train",
    GpuClusterArgs(
        region="ap-south-1",
        owner="ml-platform",
        purpose="search models",
        data_class="internal",
        access=Access(deployers=config.require_object("deployers"), cidrs=["10.1.0.0/16"]),
        network=Network(
            existing=ExistingNetwork(
                vpc_id=config.require("vpc"), private_subnet_ids=config.require_object("subnets")
            )
        ),
        pools=[GpuPool(name="train", gpu="L4", gpus_per_node=4, max_nodes=2)],
    ),
)
pulumi.export("cluster", cluster.cluster_name)
pulumi.export("kubeconfig", cluster.kubeconfig)
