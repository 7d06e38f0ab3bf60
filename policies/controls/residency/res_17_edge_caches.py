"""Edges: RES-17 no edge caching of personal data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.resources import Resource, Settings, document
from policies.framework.unknowns import Unknown, dig, each
from policies.law import RESIDENCY
from policies.readers.data_stores import LABEL, TAG

DISTRIBUTION = "aws:cloudfront/distribution:Distribution"
ACCELERATION = (
    "aws:s3/bucketAccelerateConfiguration:BucketAccelerateConfiguration",
    "aws:s3/bucketAccelerateConfigurationV2:BucketAccelerateConfigurationV2",
)
CDN = (
    "gcp:compute/backendBucket:BackendBucket",
    "gcp:compute/backendService:BackendService",
)
MEDIA_CDN = "gcp:networkservices/edgeCacheService:EdgeCacheService"
IMPERSONAL = ("internal", "public")
# CloudFront's managed policy CachingDisabled (CloudFront guide, "Use managed cache policies").
_CACHES_NOTHING = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"


def edge_caches(resource: Resource, settings: Settings) -> Iterator[Finding | Unknown]:
    """RES-17: what keeps copies at edges in every country says that they are not personal, or keeps none; no function
    there is given the bodies of requests."""
    if resource.type == DISTRIBUTION:
        yield from _distribution(resource)
    elif resource.type in ACCELERATION:
        yield from _accelerated(resource.props.get("status"))
    elif resource.type in CDN:
        yield from _cdn(resource, settings)
    elif resource.type == MEDIA_CDN:
        yield from _class(f'labels["{LABEL}"]', dig(resource.props, "labels", LABEL))


def _distribution(resource: Resource) -> Iterator[Finding | Unknown]:
    if str(resource.props.get("enabled")).lower() == "false":
        return
    behaviours = [
        resource.props.get("defaultCacheBehavior"),
        *each(resource.props.get("orderedCacheBehaviors")),
    ]
    yield from (finding for behaviour in behaviours for finding in _given_bodies(behaviour))
    own = dig(resource.props, "tags", TAG)
    default = dig(document(resource.provider_props.get("defaultTags")), "tags", TAG)
    tag = default if own is None else own
    if isinstance(tag, str) and tag in IMPERSONAL:
        return
    if all(dig(one, "cachePolicyId") == _CACHES_NOTHING and not _runs_code(one) for one in behaviours):
        return
    unknown = [found for one in behaviours if isinstance(found := dig(one, "cachePolicyId"), Unknown)]
    if unknown and tag is None:
        yield from unknown
    else:
        yield from _class(f'tags["{TAG}"]', tag)


def _given_bodies(behaviour: Any) -> Iterator[Finding | Unknown]:
    """Lambda@Edge runs, and logs, in the region nearest to the caller. What is cached may be public; what callers send
    is theirs, whatever the tag says."""
    for association in each(dig(behaviour, "lambdaFunctionAssociations")):
        given = dig(association, "includeBody")
        if isinstance(given, Unknown):
            yield given
        elif given not in (None, False, "false"):
            yield Finding(
                "a function is given the bodies of requests at the edge nearest to the caller, in any country",
                "lambdaFunctionAssociations.includeBody",
                given,
                "false, and a function in an Indian region behind the distribution",
            )


def _runs_code(behaviour: Any) -> bool:
    return bool(each(dig(behaviour, "lambdaFunctionAssociations")))


def _accelerated(status: Any) -> Iterator[Finding | Unknown]:
    if isinstance(status, Unknown):
        yield status
    elif status != "Suspended":
        yield Finding(
            "transfer acceleration takes objects through edges abroad", "status", status, "Suspended"
        )


def _cdn(resource: Resource, settings: Settings) -> Iterator[Finding | Unknown]:
    cached = resource.props.get("enableCdn")
    if isinstance(cached, Unknown):
        yield cached
    elif cached not in (None, False, "false") and resource.props.get("name") not in each(
        settings.get("impersonal")
    ):
        yield Finding(
            "Cloud CDN keeps copies at edges abroad",
            "enableCdn",
            cached,
            "false, or the backend's name in the setting impersonal",
        )


def _class(where: str, value: Any) -> Iterator[Finding | Unknown]:
    if isinstance(value, Unknown):
        yield value
    elif value not in IMPERSONAL:
        yield Finding(
            "copies are kept at edges abroad, and nothing says that they are not personal data",
            where,
            value,
            " or ".join(IMPERSONAL),
        )


RES_17 = Control(
    id="DPDP-RES-17",
    title="No edge caching of personal data",
    law=RESIDENCY,
    severity=Severity.HIGH,
    level=EnforcementLevel.ADVISORY,
    types=(DISTRIBUTION, *ACCELERATION, *CDN, MEDIA_CDN),
    remedy=f'serve personal data from India without a cache, and tag the rest "{TAG}": public',
    check=edge_caches,
    settings={
        "impersonal": {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "description": "Google backends behind Cloud CDN that carry no personal data (they take no labels)",
        }
    },
)
CONTROLS = (RES_17,)
