"""References: a property whose text leads elsewhere, by ARN, by Google path or by host name.

RES-01 reads what is named a region, zone or location. What this file reads has another name (`destinationVaultArn`,
`pushEndpoint`), so a control lists the properties that it can't do without (`ReferenceRule`), and `foreign_references`
finds whatever else leads abroad in every other text.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from policies.framework.control import Check, Finding
from policies.framework.provenance import is_own, sources
from policies.framework.resources import Resource, Settings, Stack, StackResource
from policies.framework.unknowns import Path, Unknown, dotted
from policies.readers import locations
from policies.readers.exceptions import lets_through
from policies.readers.place_names import place_word
from policies.readers.values.hosts import host as read_host
from policies.readers.values.reading import Value, read

Wrong = tuple[str, str]  # what is wrong, and what would be right
Judge = Callable[[str, Settings], Wrong | None]

_SUFFIX_OF_CLOUDS = (
    ".amazonaws.com", ".on.aws", ".api.aws", ".run.app", ".cloudfunctions.net", ".googleapis.com", ".pkg.dev", ".goog",
)  # fmt: skip
_INSIDE = (".internal", ".svc", ".svc.cluster.local")
# What CloudFront uses can be in no other region: certificates and web ACLs hold no personal data, and what functions
# at the edge do is a matter of caching (RES-17).
_US_EAST_1_SERVICES = ("acm", "wafv2")
# A role or key beside a reference says nothing of where it leads.
_BESIDE = ("aws:iam/", "aws:kms/", "gcp:kms/", "gcp:serviceaccount/", "gcp:projects/iAM")

# Which control speaks of a reference that leads abroad; DPDP-RES-18 of those in any other type.
FAMILIES = {
    "DPDP-RES-04": ("aws:s3/", "aws:s3control/", "aws:s3tables/", "gcp:storage/"),
    "DPDP-RES-05": (
        *(f"aws:{name}" for name in ("rds/", "docdb", "neptune", "elasticache/", "memorydb/", "keyspaces/")),
        *("aws:dynamodb/", "aws:redshift"),
        *(f"gcp:{name}/" for name in ("sql", "alloydb", "redis", "memorystore", "spanner", "bigtable", "firestore")),
    ),
    "DPDP-RES-06": (
        *(f"aws:{name}" for name in ("backup/", "dlm/", "ebs/", "efs/", "fsx/", "ec2/ami", "rds/snapshotCopy:")),
        *("aws:rds/clusterSnapshotCopy:", "aws:rds/instanceAutomatedBackupsReplication:", "aws:redshift/snapshotCopy:"),
        *(f"gcp:{name}" for name in ("gkebackup/", "backupdisasterrecovery/", "filestore/", "netapp/")),
        *(f"gcp:compute/{name}:" for name in ("snapshot", "image", "machineImage", "disk", "diskAsyncReplication")),
    ),
    "DPDP-RES-09": ("aws:secretsmanager/", "aws:ssm/parameter:", "gcp:secretmanager/", "gcp:parametermanager/"),
    "DPDP-RES-11": (
        *("aws:cloudtrail/", "aws:cfg/", "aws:ec2/flowLog:", "aws:networkfirewall/loggingConfiguration:", "aws:oam/"),
        *("aws:cloudwatch/log", "aws:wafv2/webAclLoggingConfiguration:", "aws:route53/queryLog:", "aws:securitylake/"),
        *("aws:route53/resolverQueryLogConfig:", "gcp:logging/", "gcp:observability/"),
    ),
    "DPDP-RES-12": (
        *("aws:kinesis/", "aws:cloudwatch/event", "aws:cloudwatch/metricStream:", "aws:pipes/", "aws:scheduler/"),
        *("aws:sns/", "aws:sqs/", "aws:msk/", "aws:mskconnect/", "gcp:pubsub/", "gcp:eventarc/"),
    ),
    "DPDP-RES-13": ("aws:bedrock", "aws:sagemaker/", "gcp:vertex/", "gcp:discoveryengine/"),
}  # fmt: skip


@dataclass(frozen=True)
class ReferenceRule:
    """A property that a control must know. `judge` reads known text (none where `foreign_references` does);
    `absent` says what is wrong when nothing is there, below a `block` that is there."""

    type: str
    path: str
    judge: Judge | None = None
    absent: str = ""
    block: str = ""

    def check(self, resource: Resource, settings: Settings) -> Iterator[Finding | Unknown]:
        """A finding for each value at the path that is wrong, and each `Unknown` there."""
        for where, block in at(resource.props, self.block):
            if block is not None:
                for inner, value in at(block, self.path):
                    yield from self._judged(f"{where}.{inner}".lstrip("."), value, settings)

    def _judged(self, where: str, value: Any, settings: Settings) -> Iterator[Finding | Unknown]:
        if isinstance(value, Unknown):
            yield value
        elif value is None or value == {}:
            if self.absent:
                yield Finding(self.absent, where, None, locations.EXPECTED_GCP)
        elif not isinstance(value, str):
            yield Finding("the value is not text, so where it leads can't be read", where, value, "text")
        elif self.judge and (wrong := self.judge(value, settings)):
            yield Finding(wrong[0], where, value, wrong[1])


def check_rules(table: Sequence[ReferenceRule]) -> Check:
    """A check of the properties in `table`."""

    def check(resource: Resource, settings: Settings) -> Iterator[Finding | Unknown]:
        for rule in table:
            if rule.type != resource.type:
                continue
            if not lets_through(rule.type, tuple(rule.path.split(".")), "", resource.props):
                yield from rule.check(resource, settings)

    return check


def at(tree: Any, path: str) -> list[tuple[str, Any]]:
    """Each value at a dotted path, with where it is; lists on the way and at the end are spread. None is absent."""
    found: list[tuple[str, Any]] = [("", tree)]
    for name in path.split(".") if path else ():
        found = [inner for where, holder in found for inner in _inside(where, holder, name)]
    return found


def _inside(where: str, holder: Any, name: str) -> list[tuple[str, Any]]:
    if isinstance(holder, Unknown):
        return [(where, holder)]
    if not isinstance(holder, dict | None):
        return [
            (where, [holder])
        ]  # of another shape; a list is text to nobody, so it is found out at the end
    where = f"{where}.{name}".lstrip(".")
    value = holder.get(name) if holder else None
    if isinstance(value, list) and value:
        return [(f"{where}[{index}]", item) for index, item in enumerate(value)]
    return [(where, None if value == [] else value)]


def abroad(text: str) -> Wrong | None:
    """Whether an ARN or Google path says a place outside India; text without a place says nothing."""
    if reference := locations.arn(text):
        if reference.region in (*locations.AWS_REGIONS, "", "*") or reference.service == "kms":
            return None  # RES-08 judges keys, and `*` is a pattern
        return "the reference leads out of India", f"a resource in {locations.EXPECTED_AWS}"
    place = locations.gcp_path_place(text) if "projects/" in text and "/keyRings/" not in text else None
    if place in (None, "global", "-") or place in locations.GCP_PAIRS or locations.gcp_place(place):
        return None
    return "the reference leads out of India", f"a resource in {locations.EXPECTED_GCP}"


def foreign_references(control_id: str) -> Check:
    """A check of every reference and host, in the types of the control's family, that says a place abroad.

    Words that are places by themselves are RES-01's. In Kubernetes, hosts are K8S-01's and settings of pods K8S-03's.
    """

    def check(resource: Resource, _settings: Settings) -> Iterator[Finding]:
        if family(resource.type) != control_id:
            return
        in_cluster = resource.type.startswith("kubernetes:")
        for value in read(resource).of("reference", "host"):
            if in_cluster and (value.kind == "host" or is_pod_setting(value.path)):
                continue
            if lets_through(resource.type, value.path, value.word, resource.props):
                continue
            if value.service is None and leads_abroad(value, resource.type):
                what = f"the host is in {value.place.word}" if value.host and value.place else LEADS_ABROAD
                yield Finding(
                    what, value.where, value.word, f"{locations.EXPECTED_AWS}, {locations.EXPECTED_GCP}"
                )

    return check


LEADS_ABROAD = "the reference leads out of India"
# Settings of pods: variables, arguments, files and the values of charts.
_TOLD = frozenset(
    {"args", "command", "data", "env", "envFrom", "extraEnv", "stringData", "values", "valuesYamlFiles"}
)


def is_pod_setting(path: Path) -> bool:
    """Whether a property of a Kubernetes resource is a setting of its pods."""
    return not _TOLD.isdisjoint(map(str, path))


def leads_abroad(value: Value, type_: str) -> bool:
    """Whether a place, reference or host is abroad; keys are RES-08's."""
    if not value.is_abroad or value.place is None:
        return False
    if value.place.word == "global" and value.kind == "reference":
        return any(part in value.word for part in _SERVED_ANYWHERE)
    reference = locations.arn(value.word)
    if reference is None:
        # A zone by its path is RES-01's, as a zone by its name is.
        return "/keyRings/" not in value.word and not (value.kind == "reference" and place_word(value.key))
    if reference.service == "kms":
        return False
    at_the_edge = reference.service == "lambda" and type_.startswith("aws:cloudfront/")
    return not (reference.region == "us-east-1" and (reference.service in _US_EAST_1_SERVICES or at_the_edge))


# Parts of Google's paths whose `global` means that data are kept or answered anywhere; others' is a control plane's.
_SERVED_ANYWHERE = (
    "/buckets/",
    "/publishers/",
    "/endpoints/",
    "/models/",
    "/agents/",
    "/dataStores/",
    "/collections/",
)


def family(type_: str) -> str:
    """The control that judges references in resources of this type: the longest prefix decides."""
    found = [
        (len(prefix), control)
        for control, prefixes in FAMILIES.items()
        for prefix in prefixes
        if type_.startswith(prefix)
    ]
    return max(found)[1] if found else "DPDP-RES-18"


def table_summary(about: str, table: Sequence[Any]) -> str:
    """The text on a check's page about the table that it reads: `about`, and every property that the table names."""
    named = dict.fromkeys(f"`{row.type.rpartition(':')[2]}` `{path_of(row)}`" for row in table)
    return f"{about} It reads {', '.join(named)}."


def path_of(rule: Any) -> str:
    """The whole dotted path of a rule."""
    return ".".join(filter(None, (getattr(rule, "block", ""), rule.path)))


def combine(about: str, *checks: Check) -> Check:
    """One check of several; of a place where an earlier one finds something, a later one says nothing.

    `about` is what its page says.
    """

    def check(resource: Resource, settings: Settings) -> Iterator[Finding | Unknown]:
        seen: set[str] = set()
        for each_check in checks:
            new = [found for found in each_check(resource, settings) if _place_of(found) not in seen]
            seen.update(map(_place_of, new))
            yield from new

    check.__doc__ = about
    return check


def _place_of(found: Finding | Unknown) -> str:
    return dotted(found.path) if isinstance(found, Unknown) else found.where


def region(text: str, _settings: Settings) -> Wrong | None:
    """A region of AWS by name, or an ARN (of an Outpost), which `foreign_references` judges."""
    if text in locations.AWS_REGIONS or locations.arn(text):
        return None
    return "the region is not in India", locations.EXPECTED_AWS


def host(text: str, settings: Settings) -> Wrong | None:
    """Where a URL or host leads: a cloud's regional host in India, an address inside, or one listed in `hosts`."""
    name = host_of(text)
    listed = [one for one in settings.get("hosts", ()) if isinstance(one, str)]
    if _is_inside(name) or any(name == one or name.endswith(f".{one}") for one in listed if one):
        return None
    place = read_host(name).place
    if place is not None and not place.is_india:
        return f"the host is in {place.word}", "a host in India"
    if place is not None and name.endswith(_SUFFIX_OF_CLOUDS):
        return None
    return "nothing says where this host is", "a cloud's host in an Indian region, or one listed in `hosts`"


HOSTS: dict[str, dict[str, Any]] = {
    "hosts": {
        "type": "array",
        "items": {"type": "string"},
        "default": [],
        "description": "hosts known to be in India; a host covers those under it",
    }
}


def host_of(text: str) -> str:
    """The host in a URL, a JDBC address or `host:port`."""
    after = text.strip().lower().removeprefix("jdbc:").rpartition("://")[2].lstrip("/")
    authority = re.split(r"[/?#;,]", after, maxsplit=1)[0].rpartition("@")[2]
    if authority.startswith("["):
        return authority[1:].partition("]")[0]
    return authority.partition(":")[0] if authority.count(":") == 1 else authority


def _is_inside(name: str) -> bool:
    """A private address leads into a network of yours; where that goes on to is a matter of peering (RES-16)."""
    try:
        return ipaddress.ip_address(name).is_private
    except ValueError:
        return name.endswith(_INSIDE) or name == "localhost"


def resolved_by_own(unknown: Unknown, resource: StackResource, _stack: Stack) -> bool:
    """An unknown reference made only from resources of this stack leads to one of them, and each is judged itself."""
    types = sources(unknown, resource)
    return all(map(is_own, types)) and any(not type_.startswith(_BESIDE) for type_ in types)
