"""What Google refuses though every field is well-formed: rules between fields, and between resources.

Reasons that begin with a capital are Google's own words, from reports of users; the others say a documented rule.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any

from localcloud.providers.gcp import node_pools
from localcloud.providers.gcp.rules import (
    Misfit,
    Records,
    Rule,
    Scope,
    given,
    is_open,
    key_in_region,
    key_location,
    minor_of,
    seconds_of,
)
from localcloud.providers.gcp.table import channels
from localcloud.providers.protocol import UNKNOWN, Values


def refusals(token: str, inputs: Values, scope: Scope, records: Records) -> list[Misfit]:
    """What Google would refuse in these inputs, as (property path, reason). What is not known yet breaks no rule."""
    return [misfit for rule in _RULES.get(token, ()) for misfit in rule(inputs, scope, records)]


# ── Storage ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def _hierarchical_namespace(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    if not given(inputs, "hierarchicalNamespace.enabled"):
        return
    for feature in ("versioning", "autoclass"):
        if given(inputs, f"{feature}.enabled"):
            yield f"{feature}.enabled", f"a bucket with a hierarchical namespace can't have {feature}"
    if inputs.get("uniformBucketLevelAccess") is not UNKNOWN and not inputs.get("uniformBucketLevelAccess"):
        yield (
            "uniformBucketLevelAccess",
            "a hierarchical namespace needs uniform bucket-level access: set it to true",
        )


def _bucket_key(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    location = given(inputs, "location")
    key = key_location(given(inputs, "encryption.defaultKmsKeyName"))
    if location and key and key != location.lower():
        yield (
            "encryption.defaultKmsKeyName",
            f"Cloud KMS region '{key}' not available for use with GCS region '{location.upper()}'.",
        )


# ── Networks ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def _subnet_ranges(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    own = _ranges(inputs)
    good = []
    for path, text in own:
        try:
            good.append((path, ipaddress.ip_network(text)))
        except ValueError as wrong:
            yield path, f"Invalid value for field 'resource.{path}': '{text}': {wrong}"
    others = [
        (network, other["name"], other_id.split("/")[3])
        for other_id, other in records("gcp:compute/subnetwork:Subnetwork").items()
        if other_id != scope["id"] and _same_network(other, inputs)
        for network in (ipaddress.ip_network(text) for _, text in _ranges(other))
    ]
    mine = [(network, inputs.get("name"), scope["region"]) for _, network in good]
    for index, (path, network) in enumerate(good):
        for taken, name, region in mine[:index] + others:
            if taken.version == network.version and taken.overlaps(network):
                yield (
                    path,
                    f"Invalid IPCidrRange: {network} conflicts with existing subnetwork '{name}' in region '{region}'.",
                )
                break


def _ranges_in_use(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    """A secondary range that a cluster has for its pods or services stays as it is while the cluster stands."""
    before, after = _secondary(scope.get("old") or {}), _secondary(inputs)
    if inputs.get("secondaryIpRanges") is UNKNOWN:
        return
    for name, cidr in before.items():
        if after.get(name) in (cidr, UNKNOWN):
            continue
        for cluster in records("gcp:container/cluster:Cluster").values():
            policy = cluster.get("ipAllocationPolicy") or {}
            if policy is UNKNOWN or str(cluster.get("subnetwork")).rsplit("/", 1)[-1] != inputs.get("name"):
                continue
            if name in (policy.get("clusterSecondaryRangeName"), policy.get("servicesSecondaryRangeName")):
                yield (
                    "secondaryIpRanges",
                    f"range {name} ({cidr}) is in use by cluster {cluster.get('name')} and can be neither changed nor "
                    "removed: a cluster with other ranges is another cluster, in a stack or a network of its own",
                )


def _secondary(inputs: Values) -> dict[str, Any]:
    ranges = inputs.get("secondaryIpRanges")
    found = [each for each in ranges if isinstance(each, dict)] if isinstance(ranges, list) else []
    return {str(each.get("rangeName")): each.get("ipCidrRange") for each in found}


def _ranges(inputs: Values) -> list[tuple[str, str]]:
    ranges = [("ipCidrRange", inputs.get("ipCidrRange"))]
    secondary = inputs.get("secondaryIpRanges")
    for index, each in enumerate(secondary if isinstance(secondary, list) else ()):
        ranges.append((f"secondaryIpRanges[{index}].ipCidrRange", given(each, "ipCidrRange")))
    return [(path, text) for path, text in ranges if isinstance(text, str)]


def _same_network(one: Values, other: Values) -> bool:
    names = [
        str(each["network"]).rsplit("/", 1)[-1] for each in (one, other) if each["network"] is not UNKNOWN
    ]
    return len(names) == 2 and names[0] == names[1]


# ── Clusters ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def _data_plane(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    provider = inputs.get("datapathProvider")
    if provider is UNKNOWN:
        return
    if given(inputs, "enableMultiNetworking") and provider != "ADVANCED_DATAPATH":
        yield (
            "enableMultiNetworking",
            "multi-networking needs datapathProvider ADVANCED_DATAPATH (Dataplane V2)",
        )
    if given(inputs, "networkPolicy.enabled") and provider == "ADVANCED_DATAPATH":
        yield (
            "networkPolicy.enabled",
            "Enabling NetworkPolicy for clusters with DatapathProvider=ADVANCED_DATAPATH is not allowed.",
        )


def _version(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    asked = given(inputs, "minMasterVersion")
    if not asked or asked == "latest" or is_open(inputs.get("releaseChannel")):
        return
    channel = given(inputs, "releaseChannel.channel") or "UNSPECIFIED"
    minors = channels()[channel]["minors"]
    if ".".join(asked.split(".")[:2]) in minors:
        return
    if channel == "UNSPECIFIED":
        reason = f'Master version "{asked}" is unsupported.'
    else:
        reason = f'Master version must be one of "{channel}" channel supported versions'
    yield "minMasterVersion", f"{reason} It can be {', '.join(minors)}"


def _one_minor(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    """A control plane is raised by one minor version at a time."""
    asked, stands = given(inputs, "minMasterVersion"), scope.get("played")
    stands = stands.get("version") if isinstance(stands, dict) else None
    if not asked or asked == "latest" or not stands:
        return
    (major, minor), (_, stood) = minor_of(asked), minor_of(stands)
    if minor - stood > 1:
        steps = ", then ".join(f"{major}.{step}" for step in range(stood + 1, minor + 1))
        yield (
            "minMasterVersion",
            f'Master cannot be upgraded to "{asked}": cannot upgrade the master more than a minor version at a time. '
            f"The control plane has {stands}: an update to {steps}",
        )


def _first_nodes(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    given = [inputs.get(name) for name in ("enableAutopilot", "nodePools", "initialNodeCount")]
    if not any(each or each is UNKNOWN for each in given):
        yield "initialNodeCount", "Cluster.initial_node_count must be greater than zero."


def _cluster_key(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    yield from key_in_region(inputs, "databaseEncryption.keyName", scope["location"])


def _default_pool(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    if inputs.get("removeDefaultNodePool") or inputs.get("enableAutopilot"):
        return
    inside = inputs.get("nodePools")
    pools = [("", inputs)]
    if isinstance(inside, list):
        pools = [
            (f"nodePools[{index}].", pool) for index, pool in enumerate(inside) if isinstance(pool, dict)
        ]
    for path, pool in pools:
        own = {"nodeLocations": inputs.get("nodeLocations"), **pool}
        yield from ((path + where, reason) for where, reason in node_pools.pool(own, scope, records))


# ── Databases ────────────────────────────────────────────────────────────────────────────────────────────────────────
def _database_key(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    yield from key_in_region(inputs, "encryptionKeyName", scope["region"], "database")


def _database_is_reached(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    path = "settings.ipConfiguration"
    ways = given(inputs, path)
    if ways is None or is_open(ways):
        return
    private = ways.get("privateNetwork") or any(one.get("pscEnabled") for one in ways.get("pscConfigs") or ())
    if ways.get("ipv4Enabled") is False and not private:
        yield path, "At least one of Public IP or Private IP or PSC connectivity must be enabled."


def _database_edition(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    """From PostgreSQL 16 on the default is Enterprise Plus, which has no custom machines and longer logs."""
    settings, version = inputs.get("settings"), given(inputs, "databaseVersion")
    if not isinstance(settings, dict) or not isinstance(version, str):
        return
    edition, tier = settings.get("edition"), settings.get("tier")
    plus = edition == "ENTERPRISE_PLUS" or (
        edition is None
        and version.startswith("POSTGRES_")
        and version[9:].isdecimal()
        and int(version[9:]) >= 16
    )
    if plus and isinstance(tier, str) and tier.startswith(("db-custom-", "db-f1-", "db-g1-")):
        yield (
            "settings.tier",
            f"Invalid Tier ({tier}) for (ENTERPRISE_PLUS) Edition: it has no custom or shared-core machines; "
            "edition ENTERPRISE has",
        )
    days = given(inputs, "settings.backupConfiguration.transactionLogRetentionDays")
    if isinstance(days, int) and edition is not UNKNOWN and not 1 <= days <= (35 if plus else 7):
        yield (
            "settings.backupConfiguration.transactionLogRetentionDays",
            f"is {days}; logs are kept 1 to {35 if plus else 7} days in this edition",
        )


# ── Alerts ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def _alert_policy(inputs: Values, scope: Scope, records: Records) -> Iterator[Misfit]:
    """A policy is on logs or on metrics: only the first kind has a rate limit, and must have it."""
    conditions = inputs.get("conditions")
    if not isinstance(conditions, list) or UNKNOWN in (*conditions, inputs.get("alertStrategy")):
        return
    on_logs = any("conditionMatchedLog" in one for one in conditions)
    limited = bool((inputs.get("alertStrategy") or {}).get("notificationRateLimit"))
    path = "alertStrategy.notificationRateLimit"
    if limited and not on_logs:
        # chainguard-dev/terraform-infra-common#352
        yield path, "metric-based alert policies must not specify a notification rate limit"
    if on_logs and not limited:
        yield path, "a policy with a condition on logs needs a notification rate limit"
    for index, one in enumerate(conditions):
        query = one.get("conditionPrometheusQueryLanguage")
        if isinstance(query, dict):
            at = f"conditions[{index}].conditionPrometheusQueryLanguage"
            yield from ((f"{at}.{name}", why) for name, why in _prometheus_condition(query))
            if len(conditions) > 1:
                yield at, "a policy with a condition in PromQL has no other condition"


def _prometheus_condition(query: Values) -> Iterator[Misfit]:
    """Durations are of Google's kind; a metric that was never written is unknown (superserve-ai/sandbox#370)."""
    for name in ("duration", "evaluationInterval"):
        duration = given(query, name)
        if duration and not re.fullmatch(r"\d+(\.\d+)?s", duration):
            yield name, f"Illegal duration format; duration must end with 's': {duration!r}"
        elif (
            duration
            and name == "evaluationInterval"
            and (seconds_of(duration) <= 0 or seconds_of(duration) % 30)
        ):
            yield name, "must be a positive multiple of 30 seconds"
    if query.get("disableMetricValidation") is not UNKNOWN and not query.get("disableMetricValidation"):
        yield (
            "disableMetricValidation",
            "nothing has written the query's metrics to this project yet: set it to true",
        )


_RULES: Mapping[str, tuple[Rule, ...]] = {
    "gcp:monitoring/alertPolicy:AlertPolicy": (_alert_policy,),
    "gcp:storage/bucket:Bucket": (_hierarchical_namespace, _bucket_key),
    "gcp:compute/subnetwork:Subnetwork": (_subnet_ranges, _ranges_in_use),
    "gcp:container/cluster:Cluster": (
        _data_plane,
        _version,
        _one_minor,
        _first_nodes,
        _cluster_key,
        _default_pool,
    ),
    "gcp:sql/databaseInstance:DatabaseInstance": (_database_key, _database_is_reached, _database_edition),
    "gcp:container/nodePool:NodePool": (node_pools.pool, node_pools.networks),
}

# Rules that are habits of Google's (gcp/habits.yaml), not conditions on the fields of one resource.
HABITS: tuple[Rule, ...] = (node_pools.sold, _one_minor, _ranges_in_use)
