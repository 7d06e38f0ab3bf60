"""Residency: RES-01 resources, RES-02 providers, RES-08 keys.

The DPDP Act does not ask for any of this; `law.py` says what does, and for whom.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from pulumi_policy import EnforcementLevel, Severity

from policies.controls.residency.res_02_provider_addresses import (
    PROVIDER,
    provider_addresses,
    resolved_by_the_stacks_own,
)
from policies.framework.control import ANY_TYPE, Control, Finding
from policies.framework.provenance import resolved_by_own_parts
from policies.framework.resources import Resource, Settings, Stack, StackResource
from policies.framework.unknowns import Leaf, Path, Unknown, dig, dotted, each
from policies.law import KEY_RESIDENCY, RESIDENCY, RESIDENCY_GUARD
from policies.readers import locations
from policies.readers.exceptions import HOME, lets_through, only_at_home
from policies.readers.kms_keys import is_key_property, resolved_by_key
from policies.readers.locations import Place
from policies.readers.place_names import is_always_a_place, place_word
from policies.readers.references import is_pod_setting
from policies.readers.tables import block_names
from policies.readers.values.places import place
from policies.readers.values.reading import Value, destination_leaves, every_leaf, read

PROVIDER_TYPES = {
    "pulumi:providers:aws": "aws",
    "pulumi:providers:aws-native": "aws",
    "pulumi:providers:gcp": "gcp",
}
WITH_A_HOME = ("pulumi:providers:aws", "pulumi:providers:aws-native")

# Google names that end in "zone" and name no place. AWS has such names too (hostedZone, zoneId), and there a zone or
# location is only judged when its value looks like a place.
_GCP_NOT_PLACES = frozenset({"timezone", "managedzone", "dnszone", "dnspeeringzone"})
# An unknown block hides whatever it holds, so one of these names counts as an unknown place or key itself.
BLOCKS_OF_PLACES = block_names("blocks_of_places.txt")
BLOCKS_OF_KEYS = block_names("blocks_of_keys.txt")


def resource_location(resource: Resource, _settings: Settings) -> Iterator[Finding | Unknown]:
    """RES-01: every region, zone or location in the inputs, of whatever type and at whatever depth, is in India."""
    if resource.type.startswith("pulumi:providers:"):
        return  # RES-02 judges providers
    judge = _judge_of(resource.type)
    pair = _names_its_regions(resource)
    judged = set[Path]()
    for leaf in destination_leaves(resource):
        excepted = lets_through(resource.type, leaf.path, leaf.value, resource.props)
        if (pair and leaf.path == ("location",)) or _is_told(resource, leaf.path) or excepted:
            judged.add(leaf.path)
            continue
        word = place_word(leaf.name)
        if word and not isinstance(leaf.value, bool):
            if judge is not _judge_by_shape and (judge is _judge_gcp or is_always_a_place(leaf.name)):
                judged.add(leaf.path)
            yield from judge(resource.type, leaf, word)
        elif isinstance(leaf.value, Unknown) and _hides(leaf, resource, BLOCKS_OF_PLACES):
            yield leaf.value
    for value in read(resource).of("place", "reference"):
        excepted = lets_through(resource.type, value.path, value.word, resource.props)
        if not _is_a_place(value) or value.path in judged or excepted:
            continue
        if value.is_abroad:
            yield Finding(
                "the place is not in India",
                value.where,
                value.word,
                f"{locations.EXPECTED_AWS}, {locations.EXPECTED_GCP}",
                fix="change this value to an Indian place",
            )


def _is_a_place(value: Value) -> bool:
    """A place by its name, or by its path in a property that holds places; other references are the walk's."""
    by_path = "/keyRings/" not in value.word and locations.arn(value.word) is None
    return value.kind == "place" or (by_path and bool(place_word(value.key)))


def _is_told(resource: Resource, path: Path) -> bool:
    """Whether a path is a setting of pods, which K8S-03 judges."""
    return resource.type.startswith("kubernetes:") and is_pod_setting(path)


def _names_its_regions(resource: Resource) -> bool:
    """Whether a bucket in the pair IN says which two regions that is: those are judged, as any other location is."""
    if resource.type != "gcp:storage/bucket:Bucket" or str(resource.props.get("location")).lower() not in (
        locations.GCP_PAIRS
    ):
        return False
    return len(each(dig(resource.props, "customPlacementConfig", "dataLocations"))) == 2


def provider_region(resource: Resource, settings: Settings) -> Iterator[Finding | Unknown]:
    """RES-02: providers of AWS and Google say their region, and no provider's region, endpoint or cluster is abroad.

    One of AWS in us-east-1 is judged when the stack shows what it makes.
    """
    yield from provider_addresses(resource, settings)
    cloud = PROVIDER_TYPES.get(resource.type)
    if cloud is None:
        return
    given = {
        name: resource.props.get(name) for name in ("region", "zone") if name == "region" or cloud == "gcp"
    }
    if all(value in (None, "") for value in given.values()):
        yield Finding(
            "the provider has no region, so an environment variable decides",
            "region",
            None,
            locations.EXPECTED[cloud],
        )
    for name, value in given.items():
        if isinstance(value, Unknown):
            yield value
        elif value == HOME and resource.type in WITH_A_HOME:
            continue
        elif value not in (None, "") and not _is_indian(value, cloud, name):
            yield Finding("the provider's place is not in India", name, value, locations.EXPECTED[cloud])


def providers_at_home(stack: Stack, _settings: Settings) -> Iterator[tuple[str, Finding]]:
    """RES-02 over the stack: a provider of us-east-1 makes only what can be nowhere else and holds no personal data."""
    for provider in stack.of(*WITH_A_HOME):
        if provider.props.get("region") != HOME:
            continue
        made = [one for one in stack.all() if one.provider == provider.urn]
        movable = sorted({one.type for one in made if not only_at_home(one.type, one.props)})
        if movable or not made:
            what = f"the provider's place is not in India, and it makes {', '.join(movable) or 'nothing yet'}"
            yield provider.urn, Finding(what, "region", HOME, locations.EXPECTED_AWS)


def key_location(resource: Resource, _settings: Settings) -> Iterator[Finding | Unknown]:
    """RES-08: keys are made in India, stay in one region, and no resource refers to a key elsewhere."""
    yield from _own_key(resource)
    for leaf in every_leaf(resource):
        if isinstance(leaf.value, Unknown):
            if is_key_property(leaf.name) or _hides(leaf, resource, BLOCKS_OF_KEYS):
                yield leaf.value
        elif isinstance(leaf.value, str) and _is_key_of_no_place(leaf.value):
            yield Finding("nothing says where the key is", dotted(leaf.path), leaf.value, "a key in India")
    for value in read(resource).of("reference"):
        if not lets_through(resource.type, value.path, value.word):
            yield from _key_reference(value)


def _hides(leaf: Leaf, resource: Resource, blocks: frozenset[str]) -> bool:
    return leaf.name in blocks and resource.type.startswith("aws:")


def _own_key(resource: Resource) -> Iterator[Finding | Unknown]:
    if resource.type.startswith("aws:kms/"):
        multi = resource.props.get("multiRegion")
        if isinstance(multi, Unknown):
            yield multi
        elif multi not in (None, False, "false"):
            yield Finding("a multi-region key can be replicated to any region", "multiRegion", multi, "false")
    if resource.type == "gcp:kms/keyRing:KeyRing":
        place = resource.props.get("location")
        if isinstance(place, Unknown):
            yield place
        elif str(place) not in locations.GCP_PAIRS and not _is_indian(place, "gcp", "location"):
            yield Finding("the key ring is not in India", "location", place, locations.EXPECTED_GCP)


def _is_key_of_no_place(text: str) -> bool:
    """Whether a text is a key's ARN or path that lacks its place, so that the reader has no reference."""
    if reference := locations.arn(text):
        return reference.service == "kms" and reference.region in ("", "*")
    return "/keyRings/" in text and text.startswith("projects/") and locations.gcp_path_place(text) is None


def _key_reference(value: Value) -> Iterator[Finding]:
    reference = locations.arn(value.word)
    if reference and reference.service == "kms":
        if reference.region not in locations.AWS_REGIONS:
            yield Finding(
                "the key is not in India", value.where, value.word, f"a key in {locations.EXPECTED_AWS}"
            )
        elif reference.resource.startswith("key/mrk-"):
            yield Finding("the key is a multi-region key", value.where, value.word, "a key of one region")
    elif "/keyRings/" in value.word:
        place = locations.gcp_path_place(value.word)
        if place is None or locations.gcp_key_place(place) is None:
            yield Finding(
                "the key is not in India", value.where, value.word, f"a key in {locations.EXPECTED_GCP}"
            )


def _judge_of(type_: str) -> Callable[[str, Leaf, str], Iterator[Finding | Unknown]]:
    if type_.startswith("aws"):
        return _judge_aws
    if type_.startswith(("gcp:", "google-native:")):
        return _judge_gcp
    return _judge_by_shape


# `$.detail.region`, `method.request.querystring.region`: where a mapping takes a value from, at a key of any name.
_MAPPING = re.compile(r"\$|(?:method|integration|context|stageVariables)\.")


def _is_mapped(leaf: Leaf) -> bool:
    return len(leaf.path) > 1 and isinstance(leaf.value, str) and bool(_MAPPING.match(leaf.value))


def _judge_aws(type_: str, leaf: Leaf, word: str) -> Iterator[Finding | Unknown]:
    if not is_always_a_place(leaf.name) or _is_mapped(leaf):
        yield from _judge_by_shape(type_, leaf, word)
    elif isinstance(leaf.value, Unknown):
        yield leaf.value
    elif not _is_indian(leaf.value, "aws", word):
        yield _abroad(leaf, locations.EXPECTED_AWS)


def _judge_gcp(type_: str, leaf: Leaf, word: str) -> Iterator[Finding | Unknown]:
    if leaf.name.lower() in _GCP_NOT_PLACES:
        return
    if isinstance(leaf.value, Unknown):
        yield leaf.value
    elif type_ == "gcp:kms/keyRing:KeyRing":
        return  # RES-08 judges it
    elif not _is_indian(leaf.value, "gcp", word):
        yield _abroad(leaf, locations.EXPECTED_GCP)


def _judge_by_shape(type_: str, leaf: Leaf, word: str) -> Iterator[Finding | Unknown]:
    """A zone or location may be a DNS zone or a path: the reader tells what in it is a cloud's place.

    Of other clouds, a region or zone that nobody can tell is of unknown residency.
    """
    if isinstance(leaf.value, Unknown) and word == "region":
        yield leaf.value
    elif leaf.name in _OF_OTHERS and not type_.startswith(_READ_BY_SHAPE) and _is_untold(leaf):
        yield Finding("nothing says where this place is", dotted(leaf.path), leaf.value, "a place in India")


def _is_untold(leaf: Leaf) -> bool:
    """Whether a value looks like the code of a place, and is none that anybody knows."""
    is_code = isinstance(leaf.value, str) and _CODE.fullmatch(leaf.value) is not None
    return is_code and place(str(leaf.value), leaf.name) is None


# What other clouds call the place of a resource, and how the codes of places look.
_OF_OTHERS = ("region", "zone", "location", "metro", "datacenter")
_CODE = re.compile(r"[a-zA-Z]{2,4}(?:-[a-z]{2,5})?-?\d{0,2}(?:-[a-z0-9]{1,3})?")
_READ_BY_SHAPE = ("aws:", "gcp:", "kubernetes:", "pulumi:")


def _is_indian(value: object, cloud: str, word: str) -> bool:
    if not isinstance(value, str):
        return False
    find = (
        {"location": locations.gcp_location}.get(word, locations.gcp_place)
        if cloud == "gcp"
        else locations.aws_place
    )
    place: Place | None = find(value)
    return place is not None and (word == "location" or place.kind == word)


def _abroad(leaf: Leaf, expected: str) -> Finding:
    return Finding("the place is not in India", dotted(leaf.path), leaf.value, expected)


def _resolved(unknown: Unknown, resource: StackResource, stack: Stack) -> bool:
    """A key by a key of the stack; a block that may hide one by resources of the stack alone."""
    names = [part for part in unknown.path if isinstance(part, str)]
    if names and is_key_property(names[-1]):
        return resolved_by_key(unknown, resource, stack)
    return resolved_by_own_parts(unknown, resource, stack)


RES_01 = Control(
    id="DPDP-RES-01",
    title="Resource location in India",
    law=RESIDENCY,
    severity=Severity.CRITICAL,
    level=EnforcementLevel.MANDATORY,
    types=ANY_TYPE,
    remedy="place the resource in an Indian region, or take its region from the provider",
    check=resource_location,
    resolves=resolved_by_own_parts,
)
RES_02 = Control(
    id="DPDP-RES-02",
    title="Provider pinned to India",
    law=RESIDENCY_GUARD,
    severity=Severity.HIGH,
    level=EnforcementLevel.MANDATORY,
    types=(PROVIDER,),
    remedy="set the provider's region in the program, or `pulumi config set aws:region ap-south-1`",
    remedies={
        "pulumi:providers:gcp": "set its region in the program, or `pulumi config set gcp:region asia-south1`"
    },
    check=provider_region,
    stack_check=providers_at_home,
    resolves=resolved_by_the_stacks_own,
    settings={
        "indianPlaces": {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "description": "places, endpoints and clusters that are in India though their names do not say so",
        }
    },
)
RES_08 = Control(
    id="DPDP-RES-08",
    title="Keys stay in India",
    law=KEY_RESIDENCY,
    severity=Severity.HIGH,
    level=EnforcementLevel.MANDATORY,
    types=ANY_TYPE,
    remedy="make a single-region key in India and refer to that one",
    check=key_location,
    resolves=_resolved,
)
CONTROLS = (RES_01, RES_02, RES_08)
