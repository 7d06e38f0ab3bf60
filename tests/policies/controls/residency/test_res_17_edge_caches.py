"""A distribution that caches nothing, and what it hands to functions at edges: RES-17."""

from __future__ import annotations

from typing import Any

import pytest

from tests.policies.harness import UNKNOWN, Shown, failures, run, unresolved


def test_a_distribution_that_caches_nothing() -> None:
    def distribution(policy: Any, **behaviour: Any) -> Shown:
        cached = {"cachePolicyId": policy} | behaviour
        return Shown(
            "aws:cloudfront/distribution:Distribution", {"enabled": True, "defaultCacheBehavior": cached}
        )

    nothing = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
    assert not failures(run(distribution(nothing)), "DPDP-RES-17")
    assert failures(run(distribution("658327ea-f89d-4fab-a63d-7e88639e58f6")), "DPDP-RES-17")
    assert failures(
        run(distribution(nothing, lambdaFunctionAssociations=[{"lambdaArn": "a"}])), "DPDP-RES-17"
    )
    assert unresolved(run(distribution(UNKNOWN)), "DPDP-RES-17")


CACHES_NOTHING = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
EDGE_FUNCTION = "arn:aws:lambda:us-east-1:111122223333:function:edge:1"


def distribution(tag: str | None, **behaviour: Any) -> Shown:
    props: dict[str, Any] = {
        "enabled": True,
        "defaultCacheBehavior": {"targetOriginId": "o", "cachePolicyId": CACHES_NOTHING, **behaviour},
    }
    if tag:
        props["tags"] = {"dpdp:data-class": tag}
    return Shown("aws:cloudfront/distribution:Distribution", props)


def of_lambda(body: Any) -> dict[str, Any]:
    return {
        "lambdaFunctionAssociations": [
            {"eventType": "origin-request", "lambdaArn": EDGE_FUNCTION, "includeBody": body}
        ]
    }


@pytest.mark.parametrize("tag", [None, "public", "personal"])
def test_a_function_that_is_given_bodies_is_told_of_whatever_the_tag(tag: str | None) -> None:
    found = failures(run(distribution(tag, **of_lambda(body=True))), "DPDP-RES-17")
    assert any("bodies of requests" in one for one in found)


def test_a_function_of_public_content_that_is_given_no_body_passes() -> None:
    assert failures(run(distribution("public", **of_lambda(body=False))), "DPDP-RES-17") == []


def test_whether_a_function_is_given_bodies_may_not_stay_unknown() -> None:
    assert unresolved(run(distribution("public", **of_lambda(UNKNOWN))), "DPDP-RES-17")


def test_a_function_that_no_edge_takes_stays_out_of_us_east_1() -> None:
    """Lambda@Edge takes no variables, so nothing compels such a function to be there."""
    props = {"region": "us-east-1", "publish": True, "environment": {"variables": {"TABLE": "orders"}}}
    assert failures(run(Shown("aws:lambda/function:Function", props)), "DPDP-RES-01")
