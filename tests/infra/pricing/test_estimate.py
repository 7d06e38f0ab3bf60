"""The bill: what is counted from which resource, and that nothing is forgotten or priced by a guess."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.catalog.machines import MONTH_HOURS, machine, machines
from infra.pricing.estimate import Estimate, Item, estimate
from infra.pricing.lines import NOTHING, CostRange
from infra.pricing.meters import METERED
from infra.pricing.resources import Resource
from infra.pricing.services import by_use, is_free, meter
from infra.settings.stack import Usage

NO_USAGE = Usage.model_validate({field.alias: 0 for field in Usage.model_fields.values()})
PROVIDER = Resource("pulumi:providers:aws", "urn::aws", {"region": "ap-south-1"})
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
L4 = machine("ap-south-1", "g6.xlarge")


def made(type_: str, called: str = "it", parent: str = "", sources: Any = None, **inputs: Any) -> Resource:
    return Resource(type_, f"urn::{type_}::{called}", inputs, parent, PROVIDER.urn, sources or {})


def billed(*resources: Resource, **usage: float) -> Estimate:
    return estimate([PROVIDER, *resources], NO_USAGE.model_copy(update=usage))


def lines(month: Estimate) -> dict[str, tuple[CostRange, CostRange | None]]:
    return {item.what: (item.count, item.usd) for item in month.items}


def pool(
    name: str = "serve", most: int = 8, annotations: dict | None = None, over: Mapping[str, Any] | None = None
) -> Resource:
    wanted = {
        "node.kubernetes.io/instance-type": ["g6.xlarge"],
        "topology.kubernetes.io/zone": ["ap-south-1a"],
        "karpenter.sh/capacity-type": ["spot"],
        **(over or {}),
    }
    needs = [{"key": key, "operator": "In", "values": values} for key, values in wanted.items()]
    spec = {"limits": {"nvidia.com/gpu": str(most)}, "template": {"spec": {"requirements": needs}}}
    metadata = {"name": name, "annotations": annotations or {}}
    return made("kubernetes:karpenter.sh/v1:NodePool", name, metadata=metadata, spec=spec)


def pods(of: str, count: Any, gpus: Any, kind: str = "apps/v1:Deployment") -> Resource:
    number = "parallelism" if "Job" in kind else "replicas"
    container = {"resources": {"limits": {"nvidia.com/gpu": gpus}}}
    pod = {"nodeSelector": {"india-ai-infra/pool": of}, "containers": [container]}
    return made(f"kubernetes:{kind}", f"pods-{kind}", spec={number: count, "template": {"spec": pod}})


def test_an_interface_endpoint_is_paid_in_each_of_its_zones() -> None:
    endpoint = "aws:ec2/vpcEndpoint:VpcEndpoint"
    month = billed(
        made(endpoint, "a", vpcEndpointType="Interface", subnetIds=[UNKNOWN, UNKNOWN, UNKNOWN]),
        made(endpoint, "b", vpcEndpointType="Gateway", routeTableIds=["a"]),
    )
    (item,) = month.items
    assert item.count == CostRange.always(3)
    assert item.usd
    assert item.usd.expected == pytest.approx(3 * 0.013 * MONTH_HOURS)


RDS = {"instanceClass": "db.t4g.small", "allocatedStorage": 20, "maxAllocatedStorage": 100}


@pytest.mark.parametrize(("multi", "copies"), [(False, 1), (True, 2)])
def test_a_database_is_a_machine_and_a_disk_that_grows_twice_in_two_zones(multi: bool, copies: int) -> None:
    month = billed(made("aws:rds/instance:Instance", **RDS, multiAz=multi))
    found = {item.what: item for item in month.items}
    machine_, disk = found["db.t4g.small of RDS for PostgreSQL"], found["GiB of gp3 disk of RDS"]
    assert machine_.usd
    assert machine_.usd.expected == pytest.approx(copies * 0.042 * MONTH_HOURS)
    assert disk.count == CostRange(20 * copies, 20 * copies, 100 * copies)


def test_a_database_on_a_machine_without_a_price_is_no_zero() -> None:
    month = billed(made("aws:rds/instance:Instance", **{**RDS, "instanceClass": "db.r9.huge"}))
    assert [item.what for item in month.unknown] == ["rds-db.r9.huge"]


def test_a_database_on_google_is_its_vcpus_memory_disk_and_backups() -> None:
    sql, settings = "gcp:sql/databaseInstance:DatabaseInstance", {"tier": "db-custom-2-7680", "diskSize": 20}
    instance = made(
        sql, "db", settings={**settings, "diskAutoresizeLimit": 100, "availabilityType": "REGIONAL"}
    )
    rule = made(
        "gcp:compute/forwardingRule:ForwardingRule", sources={"target": [instance.urn]}, target=UNKNOWN
    )
    address = made("gcp:compute/address:Address", addressType="INTERNAL")
    month = billed(instance, rule, address)
    counts = {item.what: item.count for item in month.items}
    assert counts == {
        "vCPU of Cloud SQL Enterprise": CostRange.always(4),
        "GiB of memory of Cloud SQL Enterprise": CostRange.always(15),
        "GiB of SSD of Cloud SQL": CostRange(40, 40, 200),
        "GiB of backups of Cloud SQL": CostRange(20, 20, 100),
        "gcp-psc-endpoint": CostRange.always(1),
    }
    assert [item.what for item in month.unknown] == ["gcp-psc-endpoint"], "no source with its price was found"


def test_a_number_that_a_preview_cannot_know_is_no_zero() -> None:
    month = billed(made("aws:ec2/vpcEndpoint:VpcEndpoint", vpcEndpointType="Interface", subnetIds=UNKNOWN))
    assert [item.usd for item in month.items] == [None]
    assert month.unknown
    assert billed(pool(), pods("serve", UNKNOWN, 1)).unknown


def test_a_pool_that_is_limited_in_vcpus_has_the_disks_of_its_own_class() -> None:
    def node_class(name: str, gib: int) -> Resource:
        disks = [{"ebs": {"volumeSize": f"{gib}Gi"}}]
        spec = {"blockDeviceMappings": disks}
        return made("kubernetes:karpenter.k8s.aws/v1:EC2NodeClass", name, metadata={"name": name}, spec=spec)

    more = pool(
        "system",
        annotations={"india-ai-infra/expected-nodes": "0"},
        over={
            "node.kubernetes.io/instance-type": ["m6a.xlarge"],
            "karpenter.sh/capacity-type": ["on-demand"],
        },
    )
    more.inputs["spec"]["limits"] = {"cpu": "12"}
    more.inputs["spec"]["template"]["spec"]["nodeClassRef"] = {"name": "system"}
    found = lines(billed(node_class("gpu.shared", 200), more, node_class("system", 80)))
    assert found["m6a.xlarge on-demand"][0] == CostRange(0, 0, 3)
    (disks,) = (count for what, (count, _) in found.items() if "gp3" in what)
    assert disks == CostRange(0, 0, 240)


def test_an_elastic_pool_is_empty_at_least_and_at_its_limit_at_most() -> None:
    count, usd = lines(billed(pool(most=8)))["g6.xlarge spot"]
    assert count == CostRange(0, 0, 8)
    quote = L4.quote("spot")
    assert usd and quote
    assert usd.high == pytest.approx(8 * quote.high * MONTH_HOURS)


def test_the_stacks_own_pods_are_what_is_expected() -> None:
    replicas, job = pods("serve", 3, "1"), pods("serve", 2, 1, "batch/v1:Job")
    elsewhere = pods("other", 7, 1, "apps/v1:StatefulSet")
    count, _ = lines(billed(pool(), replicas, job, elsewhere))["g6.xlarge spot"]
    assert count.expected == 5
    # Never more than the pool may grow to.
    assert lines(billed(pool(most=4), replicas, job))["g6.xlarge spot"][0].expected == 4


def test_a_job_that_ends_within_hours_is_no_month() -> None:
    proof = pods("serve", 4, 1, "batch/v1:Job")
    proof.inputs["spec"]["activeDeadlineSeconds"] = 3600
    count, _ = lines(billed(pool(), proof, pods("serve", 1, 1)))["g6.xlarge spot"]
    assert count.expected == 1


def test_people_can_say_what_they_expect() -> None:
    said = {"india-ai-infra/expected-nodes": "0.5"}
    assert lines(billed(pool(annotations=said), pods("serve", 3, 1)))["g6.xlarge spot"][0].expected == 0.5


def test_gpus_are_packed_into_whole_nodes() -> None:
    large = pool(most=16, over={"node.kubernetes.io/instance-type": ["g6.12xlarge"]})
    count, _ = lines(billed(large, pods("serve", 5, 1)))["g6.12xlarge spot"]
    assert count == CostRange(0, 2, 4)


@pytest.mark.parametrize(
    ("purchases", "counted"),
    [
        (["spot", "on-demand"], "spot"),
        (["on-demand", "spot"], "spot"),  # what Karpenter tries first, whatever the order here
    ],
)
def test_of_a_chain_the_first_way_is_expected(purchases: list[str], counted: str) -> None:
    month = lines(billed(pool(over={"karpenter.sh/capacity-type": purchases}), pods("serve", 2, 1)))
    _, usd = month[f"g6.xlarge {counted} or on-demand"]
    assert usd
    assert usd.expected == pytest.approx(2 * (L4.price(counted) or 0) * MONTH_HOURS)


def test_at_maximum_a_chain_is_bought_its_dearest_way() -> None:
    purchases = {"karpenter.sh/capacity-type": ["spot", "on-demand"]}
    _, usd = lines(billed(pool(most=8, over=purchases)))["g6.xlarge spot or on-demand"]
    assert usd
    assert usd.high == pytest.approx(8 * (L4.on_demand_usd or 0) * MONTH_HOURS)


def test_a_reservation_is_paid_used_or_not() -> None:
    purchases = {"karpenter.sh/capacity-type": ["reserved", "spot", "on-demand"]}
    count, usd = lines(billed(pool(most=8, over=purchases), pods("serve", 2, 1)))[
        "g6.xlarge reserved or spot or on-demand"
    ]
    assert count == CostRange.always(8)
    assert usd
    assert usd.low == usd.high == pytest.approx(8 * (L4.on_demand_usd or 0) * MONTH_HOURS)


def test_a_way_without_a_price_is_passed_over() -> None:
    lacks_spot = next(
        found for found in machines("ap-south-1") if found.price("spot") is None and found.on_demand_usd
    )
    purchases = {"karpenter.sh/capacity-type": ["spot", "on-demand"]}
    month = billed(pool(over={**purchases, "node.kubernetes.io/instance-type": [lacks_spot.machine_type]}))
    (_, usd) = lines(month)[f"{lacks_spot.machine_type} spot or on-demand"]
    assert usd
    assert not month.unknown


def test_on_demand_beside_spot() -> None:
    item = next(item for item in billed(pool(), pods("serve", 1, 1)).items if "g6" in item.what)
    assert item.on_demand_usd and L4.on_demand_usd
    assert item.on_demand_usd.expected == pytest.approx(L4.on_demand_usd * MONTH_HOURS)


def test_a_node_group_stands_with_its_disks_and_its_vcpus() -> None:
    disks = [{"deviceName": "/dev/xvda", "ebs": {"volumeSize": 80}}]
    template = made("aws:ec2/launchTemplate:LaunchTemplate", blockDeviceMappings=disks)
    sizes = {"minSize": 2, "desiredSize": 3, "maxSize": 5}
    group = made(
        "aws:eks/nodeGroup:NodeGroup",
        sources={"launchTemplate": [template.urn]},
        instanceTypes=["m6a.xlarge"],
        capacityType="ON_DEMAND",
        scalingConfig=sizes,
    )
    monitored = made("aws:guardduty/detectorFeature:DetectorFeature", name="RUNTIME_MONITORING")
    month = lines(billed(template, group, monitored))
    assert month["m6a.xlarge on-demand"][0] == CostRange(2, 3, 5)
    assert month["GiB of gp3 disk"][0] == CostRange(160, 240, 400)
    assert month["vCPU under GuardDuty's runtime monitoring"][0] == CostRange(8, 12, 20)


def test_a_capacity_block_is_named_by_its_launch_template() -> None:
    template = made("aws:ec2/launchTemplate:LaunchTemplate", instanceType="p5.48xlarge")
    sizes = dict.fromkeys(("minSize", "desiredSize", "maxSize"), 1)
    sources = {"launchTemplate": [template.urn]}
    kind = "aws:eks/nodeGroup:NodeGroup"
    month = billed(template, made(kind, sources=sources, capacityType="CAPACITY_BLOCK", scalingConfig=sizes))
    assert list(lines(month)) == ["p5.48xlarge capacity-block"]
    assert [item.basis for item in month.items] == ["derived"]


def test_a_machine_without_a_price_is_listed_and_not_summed() -> None:
    lacks = next(one for one in machines("ap-south-2") if one.gpu_count and one.on_demand_usd is None)
    asked = {
        "node.kubernetes.io/instance-type": [lacks.machine_type],
        "topology.kubernetes.io/zone": ["ap-south-2a"],
        "karpenter.sh/capacity-type": ["on-demand"],
    }
    month = billed(pool(over=asked), pods("serve", 8, 1))
    assert [item.what for item in month.unknown] == [f"{lacks.machine_type} on-demand"]
    assert month.total == NOTHING


@pytest.mark.parametrize("zone", [UNKNOWN, "us-east-1a"])
def test_a_zone_that_is_not_known_does_not_break_the_bill(zone: str) -> None:
    month = billed(pool(over={"topology.kubernetes.io/zone": [zone]}), pods("serve", 1, 1))
    assert lines(month)["g6.xlarge spot"][0].expected == 1


def test_a_stack_abroad_has_a_bill_with_gaps() -> None:
    abroad = Resource("pulumi:providers:aws", "urn::aws", {"region": "us-east-1"})
    sizes = dict.fromkeys(("minSize", "desiredSize", "maxSize"), 1)
    group = made("aws:eks/nodeGroup:NodeGroup", instanceTypes=["g6.xlarge"], scalingConfig=sizes)
    month = estimate([abroad, group], NO_USAGE)
    assert [item.what for item in month.unknown] == ["g6.xlarge on-demand"]


def test_a_type_that_no_table_knows_is_listed() -> None:
    month = billed(made("aws:rds/proxy:Proxy"), made("aws:iam/role:Role"), made("aws:sqs/queue:Queue"))
    assert month.unpriced == {"aws:rds/proxy:Proxy": 1}
    assert month.by_use == {"aws:sqs/queue:Queue": 1}
    assert not month.items


def test_storage_moves_through_its_classes() -> None:
    bucket = made("aws:s3/bucket:Bucket")
    steps = [
        {"days": 30, "storageClass": "STANDARD_IA"},
        {"days": 90, "storageClass": "GLACIER_IR"},
        {"days": 400, "storageClass": "DEEP_ARCHIVE"},  # after it has expired
    ]
    lifecycle = made(
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        sources={"bucket": [bucket.urn]},
        rules=[{"transitions": steps, "expiration": {"days": 300}}],
    )
    month = lines(billed(bucket, lifecycle, lake_gib=300))
    assert {what: count.expected for what, (count, _) in month.items()} == pytest.approx(
        {"GiB in S3 Standard": 30, "GiB in S3 Standard-IA": 60, "GiB in S3 Glacier Instant Retrieval": 210}
    )


def test_logs_are_paid_when_they_come_in_and_while_they_are_kept() -> None:
    group = made("aws:cloudwatch/logGroup:LogGroup", retentionInDays=365)
    month = lines(billed(group, log_gib=10))
    assert month["GiB of logs taken in"][0].expected == 10
    assert month["GiB of logs kept, compressed"][0].expected == pytest.approx(0.15 * 120)


def test_components_are_the_outermost() -> None:
    stack = Resource("pulumi:pulumi:Stack", "urn::stack", {})
    lake = Resource("india-ai-infra:aws:Lake", "urn::lake::lake", {}, stack.urn)
    bucket = Resource("india-ai-infra:aws:Bucket", "urn::bucket::raw", {}, lake.urn)
    month = billed(stack, lake, bucket, made("aws:kms/key:Key", parent=bucket.urn))
    assert list(month.components) == ["lake"]
    assert not month.unpriced


MUMBAI = Resource("pulumi:providers:gcp", "urn::gcp", {"region": "asia-south1"})


def gke_pool(config: dict[str, Any], **inputs: Any) -> Resource:
    whole = {"nodeConfig": config, **inputs}
    return Resource("gcp:container/nodePool:NodePool", "urn::pool::it", whole, "", MUMBAI.urn)


def test_a_fixed_pool_of_google_has_its_nodes_in_each_zone() -> None:
    fixed = gke_pool(
        {"machineType": "a3-highgpu-8g", "diskSizeGb": 100}, nodeCount=2, nodeLocations=["a", "b"]
    )
    month = lines(estimate([MUMBAI, fixed], NO_USAGE))
    count, usd = month["a3-highgpu-8g on-demand"]
    assert count == CostRange.always(4)
    assert usd
    assert usd.expected == pytest.approx(4 * 92.13478 * MONTH_HOURS)
    assert month["GiB of balanced disk"][0] == CostRange.always(400)


@pytest.mark.parametrize(
    ("scaling", "high"),
    [({"minNodeCount": 0, "maxNodeCount": 3}, 6), ({"totalMinNodeCount": 0, "totalMaxNodeCount": 3}, 3)],
)
def test_an_elastic_pool_of_google_has_what_the_stacks_pods_ask_for(scaling: dict, high: int) -> None:
    gpus = [{"type": "nvidia-tesla-t4", "count": 2}]
    config = {"machineType": "n1-standard-8", "guestAccelerators": gpus, "spot": True}
    config["labels"] = {"india-ai-infra/pool": "serve"}
    elastic = gke_pool(config, autoscaling=scaling, nodeLocations=["asia-south1-a", "asia-south1-b"])
    count, _ = lines(estimate([MUMBAI, elastic, pods("serve", 3, 1)], NO_USAGE))["n1-standard-8+2xT4 spot"]
    assert count == CostRange(0, 2, high)


def test_of_a_chain_of_google_only_the_first_way_is_expected() -> None:
    def rung(purchase: dict[str, Any], said: str | None) -> Resource:
        config = {"machineType": "g2-standard-4", **purchase, "labels": {"india-ai-infra/pool": "serve"}}
        config["resourceLabels"] = {"expected-nodes": said} if said else {}
        return gke_pool(config, autoscaling={"totalMaxNodeCount": 4}, nodeLocations=["asia-south1-a"])

    held = {"reservationAffinity": {"consumeReservationType": "SPECIFIC_RESERVATION"}}
    purchases = [(held, None), ({"spot": True}, "0"), ({"flexStart": True}, "0"), ({}, "0")]
    chain = [
        replace(rung(*purchase), urn=f"urn::pool::{number}") for number, purchase in enumerate(purchases)
    ]
    month = lines(estimate([MUMBAI, *chain, pods("serve", 3, 1)], NO_USAGE))
    assert {what: count.expected for what, (count, _) in month.items()} == {
        "g2-standard-4 reserved": 4,
        "g2-standard-4 spot": 0,
        "g2-standard-4 flex-start": 0,
        "g2-standard-4 on-demand": 0,
    }
    assert all(count.high == 4 for count, _ in month.values()), "GKE limits each way by itself"
    said = lines(estimate([MUMBAI, rung({"spot": True}, "1-5")], NO_USAGE))
    assert said["g2-standard-4 spot"][0].expected == 1.5


def test_a_chain_of_google_is_full_once_at_its_dearest_way() -> None:
    def rung(name: str, purchase: dict[str, Any], said: str | None) -> Resource:
        config = {
            "machineType": "g2-standard-4",
            **purchase,
            "resourceLabels": {"expected-nodes": said} if said else {},
        }
        made = gke_pool(
            config, name=name, autoscaling={"totalMaxNodeCount": 4}, nodeLocations=["asia-south1-a"]
        )
        return replace(made, urn=f"urn::pool::{name}")

    priorities = [{"nodepools": ["serve-spot"]}, {"nodepools": ["serve-on-demand"]}]
    chain = Resource(
        "kubernetes:cloud.google.com/v1:ComputeClass",
        "urn::class",
        {"spec": {"priorities": priorities}},
        "",
        MUMBAI.urn,
    )
    purchases = [rung("serve-spot", {"spot": True}, "2"), rung("serve-on-demand", {}, "0")]
    month = lines(estimate([MUMBAI, chain, *purchases], NO_USAGE))
    assert month["g2-standard-4 spot"][0] == CostRange(0, 2, 2)
    assert month["g2-standard-4 on-demand"][0] == CostRange(0, 0, 4)


FEATURE, DETECTOR = "aws:guardduty/detectorFeature:DetectorFeature", "aws:guardduty/detector:Detector"


def test_the_price_of_a_unit_falls_with_all_that_the_stack_takes() -> None:
    sizes = dict.fromkeys(("minSize", "desiredSize", "maxSize"), 200)
    group = made("aws:eks/nodeGroup:NodeGroup", instanceTypes=["m6a.xlarge"], scalingConfig=sizes)
    count, usd = lines(billed(group, made(FEATURE, name="RUNTIME_MONITORING")))[
        "vCPU under GuardDuty's runtime monitoring"
    ]
    assert count.expected == 800
    assert usd
    assert usd.expected == pytest.approx(500 * 1.5 + 300 * 0.75)


def test_tiers_are_for_the_whole_stack_and_not_for_each_resource() -> None:
    two = [made("aws:ec2/internetGateway:InternetGateway", name) for name in "ab"]
    assert billed(*two, internet_gib=90).total == NOTHING
    assert billed(*two, internet_gib=150).total.expected == pytest.approx(50 * 0.1093)


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_more_never_costs_less(some: float, more: float) -> None:
    for name in ("internet-gib", "guardduty-vcpu", "kms-requests", "gmp-samples", "s3-STANDARD"):
        found = meter(name, "ap-south-1")
        assert found
        assert found.cost(some) <= found.cost(some + more)


def test_what_guardduty_reads_without_a_feature_is_paid() -> None:
    month = lines(billed(made(DETECTOR), management_events_millions=2, guardduty_flow_gib=25))
    assert {what: usd.expected for what, (_, usd) in month.items() if usd} == {
        "million management events in GuardDuty": 8,
        "GiB of flow and DNS logs in GuardDuty": 25,
    }


def test_a_feature_that_has_no_price_is_named() -> None:
    month = billed(made(FEATURE, name="LAMBDA_NETWORK_LOGS"))
    assert [item.what for item in month.unknown] == ["GuardDuty's LAMBDA_NETWORK_LOGS"]
    assert lines(billed(made(FEATURE, name="EBS_MALWARE_PROTECTION"), malware_scan_gib=10))


def test_checkpoints_that_were_overwritten_are_kept_and_paid() -> None:
    bucket = made("aws:s3/bucket:Bucket", "lake-checkpoints")
    rules = [{"noncurrentVersionExpiration": {"noncurrentDays": 14}}]
    lifecycle = made(
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        sources={"bucket": [bucket.urn]},
        rules=rules,
    )
    month = lines(billed(bucket, lifecycle, checkpoint_gib_per_day=100))
    assert month["GiB in S3 Standard"][0].expected == 1400
    for_a_year = lines(billed(bucket, checkpoint_gib_per_day=100))
    assert for_a_year["GiB in S3 Standard"][0].expected == 36500


def test_a_replica_is_stored_again_and_what_is_written_is_moved() -> None:
    there = Resource("pulumi:providers:aws", "urn::there", {"region": "ap-south-2"})
    ours, logs = made("aws:s3/bucket:Bucket", "raw"), made("aws:s3/bucket:Bucket", "logs")
    copy = replace(made("aws:s3/bucket:Bucket", "copy"), provider=there.urn)
    kind = "aws:s3/bucketReplicationConfig:BucketReplicationConfig"
    both_ways = [
        made(kind, "out", sources={"rules": [copy.urn]}),
        replace(made(kind, "back", sources={"rules": [ours.urn]}), provider=there.urn),
    ]
    whole = billed(there, ours, logs, copy, *both_ways, lake_gib=200, lake_written_gib=50)
    month = lines(whole)
    stored = [item.count.expected for item in whole.items if item.what == "GiB in S3 Standard"]
    assert stored == [100, 100, 100]
    count, usd = month["GiB replicated to the other region"]
    assert (count.expected, usd and usd.expected) == (25, pytest.approx(25 * 0.086)), "half of it each way"


def test_nat_of_google_is_paid_by_its_nodes_up_to_32() -> None:
    nat = Resource("gcp:compute/routerNat:RouterNat", "urn::nat", {}, "", MUMBAI.urn)
    config = {"machineType": "e2-standard-4"}
    for nodes, paid in ((3, 3), (40, 32)):
        month = lines(estimate([MUMBAI, nat, gke_pool(config, nodeCount=nodes)], NO_USAGE))
        assert month["node behind Cloud NAT"][0] == CostRange.always(paid)
        assert month["address of Cloud NAT"][0] == CostRange.always(1)


def test_conditions_on_metrics_are_paid_and_those_on_logs_are_not() -> None:
    def policy(*conditions: dict[str, Any]) -> Resource:
        kind = "gcp:monitoring/alertPolicy:AlertPolicy"
        return Resource(kind, "urn::policy", {"conditions": list(conditions)}, "", MUMBAI.urn)

    assert not estimate([MUMBAI, policy({"conditionMatchedLog": {}})], NO_USAGE).items
    (item,) = estimate([MUMBAI, policy({"conditionPrometheusQueryLanguage": {}})], NO_USAGE).items
    assert item.count == CostRange.always(1)


def test_a_line_of_two_pools_has_the_span_of_both() -> None:
    zones = ("aps1-az1", "aps1-az3")
    above = Resource("india-ai-infra:aws:Pools", "urn::pools", {})
    apart = [pool(f"in-{zone}", annotations={"india-ai-infra/zone-ids": zone}) for zone in zones]
    month = billed(above, *(replace(made, parent=above.urn) for made in apart))
    (item,) = [item for item in month.items if item.what == "g6.xlarge spot"]
    assert item.hour
    assert [item.hour.low, item.hour.high] == sorted(L4.price("spot", [zone]) or 0 for zone in zones)


def test_every_line_says_what_its_price_rests_on() -> None:
    month = billed(pool(), pods("serve", 1, 1), made("aws:kms/key:Key"), made(DETECTOR), guardduty_flow_gib=1)
    bases = {item.what: item.basis for item in month.items}
    assert bases["g6.xlarge spot"] == "observed"
    assert bases["GiB of flow and DNS logs in GuardDuty"] == "derived"
    assert all(item.as_of and item.sources for item in month.items)


def test_a_bucket_in_two_regions_costs_more() -> None:
    def gcs(**inputs: Any) -> float:
        found = Resource("gcp:storage/bucket:Bucket", "urn::gcs", inputs, "", MUMBAI.urn)
        return estimate([MUMBAI, found], NO_USAGE.model_copy(update={"lake_gib": 100})).total.expected

    assert gcs(customPlacementConfig={"dataLocations": ["ASIA-SOUTH1", "ASIA-SOUTH2"]}) > gcs() > 0


@pytest.mark.parametrize("type_", sorted(METERED))
def test_no_type_is_in_two_tables(type_: str) -> None:
    if not type_.startswith("kubernetes:"):
        assert not is_free(type_)
    assert type_ not in by_use()


def test_a_price_is_of_the_region_or_of_both() -> None:
    found = meter("eks-cluster", "ap-south-2")
    assert found
    assert found.cost(1) == pytest.approx(73)
    assert meter("no such meter", "ap-south-1") is None


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(0, 40), st.integers(1, 4)), max_size=6))
def test_low_expected_high_are_in_order_and_add_up(asked: list[tuple[int, int, int]]) -> None:
    resources = []
    for number, (most, replicas, gpus) in enumerate(asked):
        resources.append(pool(f"p{number}", most))
        found = pods(f"p{number}", replicas, gpus)
        resources.append(Resource(found.type, f"{found.urn}{number}", found.inputs, "", PROVIDER.urn))
    month = billed(*resources)
    assert month.total.low <= month.total.expected <= month.total.high
    assert month.total.expected == pytest.approx(sum(usd.expected for usd in month.components.values()))
    assert month.total.expected <= month.on_demand.expected
    assert all(isinstance(item, Item) for item in month.dearest)
