"""Settings of AWS alone: regions, and the builds of add-ons."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from infra.settings.aws import ADDONS, Aws


def refusal(**aws: Any) -> str:
    with pytest.raises(ValidationError) as refused:
        Aws.model_validate({"region": "ap-south-1", **aws})
    (error,) = refused.value.errors()
    return f"{'.'.join(map(str, error['loc']))}: {error.get('ctx')}"


@pytest.mark.parametrize(
    ("region", "nearest"),
    [("ap-soth-1", "ap-south-1"), ("ap-south-22", "ap-south-2"), ("us-gov-west-1", None), ("Mumbai", None)],
)
def test_a_region_that_is_not_there_or_not_in_india_is_refused(region: str, nearest: str | None) -> None:
    said = refusal(region=region)
    assert said.startswith("region: ")
    assert "ap-south-1 (Mumbai), ap-south-2 (Hyderabad)" in said
    assert nearest is None or f"'near': '{nearest}'" in said


@pytest.mark.parametrize(
    ("versions", "words"),
    [
        ({"vpc-cnj": "v1.22.4-eksbuild.3"}, "vpc-cni"),
        ({"coredns": "latest"}, "describe-addon-versions"),
        ({"coredns": "1.13.2-eksbuild.21"}, "v1.13.2-eksbuild.21"),
        ({"coredns": "v1.13.2"}, "v1.22.4-eksbuild.3"),
    ],
)
def test_a_build_is_of_an_addon_that_is_installed_and_reads_as_eks_names_it(
    versions: dict[str, str], words: str
) -> None:
    said = refusal(cluster={"addonVersions": versions})
    assert said.startswith("cluster.addonVersions")
    assert words in said


@given(st.dictionaries(st.sampled_from(ADDONS), st.tuples(*[st.integers(0, 99)] * 4)))
def test_any_build_of_an_addon_is_kept_as_it_was_given(builds: dict[str, tuple[int, ...]]) -> None:
    given = {name: "v{}.{}.{}-eksbuild.{}".format(*parts) for name, parts in builds.items()}
    read = Aws.model_validate({"region": "ap-south-1", "cluster": {"addonVersions": given}})
    assert read.cluster.addon_versions == given


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("nobody", "must have an @-sign"),
        ("asha@example", "should have a period"),
        ("asha@@example.in", "@"),
        ("asha@example..in", "period"),
        ("asha @example.in", "SPACE"),
        ("alerts@platform.test", "reserved name"),
        (7, "not a text"),
    ],
)
def test_what_is_no_address_is_refused_in_one_message_that_says_why(address: object, reason: str) -> None:
    said = refusal(audit={"alertEmails": [address]})
    assert said.startswith("audit.alertEmails.0: ") and "an e-mail address, such as" in said
    assert reason in said


def test_an_address_is_kept_but_for_the_letter_case_of_its_domain() -> None:
    read = Aws.model_validate({"region": "ap-south-1", "audit": {"alertEmails": ["SOC+ml@Example.IN"]}})
    assert read.audit.alert_emails == ["SOC+ml@example.in"]
