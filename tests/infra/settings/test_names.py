"""Names of clouds that hold the stack's name: what the program renders for the longest stack fits, and a longer one is
refused before anything is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.aws.registry import LONGEST_PREFIX, prefix
from infra.gcp.nodes import _account_id
from infra.settings import reading
from infra.settings.errors import SettingsError
from infra.settings.names import fits, names, shortened
from infra.stacks import PROJECT, file_of, settings_in
from tests.program.whole_stacks import config_of, run_anew

pytestmark = pytest.mark.slow

# Properties that name what another resource is called, and kinds whose names are shortened to fit.
REFERS = {"clusterName", "cluster", "rule"}
SHORTENED = {
    f"aws:ecr/{kind}"
    for kind in (
        "pullThroughCacheRule:PullThroughCacheRule",
        "repositoryCreationTemplate:RepositoryCreationTemplate",
    )
}


def room(cloud: str) -> int:
    return min(name.room(PROJECT) for name in names() if name.cloud == cloud)


def rendered(deploy: Callable[..., Any], stack: str) -> dict[tuple[str, str], set[str]]:
    """Every text of a cloud's inputs that holds the stack's name and is a name: not a path, a rule or a label."""
    recorded = run_anew(deploy, config_of("prod"), stack=stack)
    found: dict[tuple[str, str], set[str]] = {}
    for resource in recorded.resources:
        for key, value in resource.inputs.items():
            named = key.lower().endswith(("name", "id", "prefix")) and key != "displayName"
            if (
                named
                and resource.type.startswith(("aws:", "gcp:"))
                and isinstance(value, str)
                and stack in value
            ):
                found.setdefault((resource.type, key), set()).add(value)
    return found


def test_every_name_of_the_longest_stack_fits_and_has_a_row(deploy: Callable[..., Any]) -> None:
    stack = "s" * min(room("aws"), room("gcp"))
    rows = {(row.type, row.property): row for row in names()}
    seen = {
        place: values
        for place, values in rendered(deploy, stack).items()
        if place[1] not in REFERS and place[0] not in SHORTENED
    }
    assert seen.keys() <= rows.keys(), seen.keys() - rows.keys()
    for place, values in seen.items():
        longest = max(values, key=len)
        assert len(longest) <= len(rows[place].of(PROJECT, stack)) <= rows[place].longest, longest
    # The tightest of each cloud is what decides, so it must be a name that is really made.
    for cloud in ("aws", "gcp"):
        tight = min((row for row in names() if row.cloud == cloud), key=lambda row: row.room(PROJECT))
        made = seen[tight.type, tight.property]
        assert tight.of(PROJECT, stack) in made, made


@pytest.mark.parametrize("cloud", ["aws", "gcp"])
def test_a_stack_whose_names_do_not_fit_is_refused_with_one_that_does(cloud: str) -> None:
    other = "gcp" if cloud == "aws" else "aws"
    values = settings_in(file_of("prod")) | {"workloads": {}, other: {}}
    longest = "s" * room(cloud)
    reading.parse(values, fits(PROJECT, longest))
    for wrong in (f"{longest}s", "a.b", "_.", *(["Dev"] if cloud == "gcp" else [])):
        with pytest.raises(SettingsError) as refused:
            reading.parse(values, fits(PROJECT, wrong))
        (problem,) = refused.value.problems
        assert problem.given == wrong
        assert f"{room(cloud)} characters at most" in problem.allowed
        if problem.nearest:
            reading.parse(values, fits(PROJECT, problem.nearest))


@given(
    st.lists(st.text("ab-", min_size=1, max_size=60), min_size=2, max_size=2, unique=True),
    st.integers(10, 40),
)
def test_shortened_names_fit_and_stay_apart(texts: list[str], longest: int) -> None:
    one, other = (shortened(text, longest) for text in texts)
    assert len(one) <= longest
    assert one != other


def test_two_long_stacks_share_no_account_and_no_mirror() -> None:
    stacks = ("customer-support-models-east", "customer-support-models-west")
    accounts = {_account_id(f"{PROJECT}-{stack}-gcp") for stack in stacks}
    assert len(accounts) == 2
    assert all(6 <= len(account) <= 30 and account.endswith("-nodes") for account in accounts)
    assert len({prefix(stack) for stack in stacks}) == 2
    assert all(len(prefix(stack)) <= LONGEST_PREFIX for stack in stacks)
    assert _account_id(f"{PROJECT}-prod-gcp") == f"{PROJECT}-prod-gcp-nodes"
    assert prefix("prod") == "mirror-prod"
