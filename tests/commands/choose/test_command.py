"""The questions to the catalogue, as commands."""

from __future__ import annotations

import re
from datetime import date, timedelta
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from commands.app import app
from commands.choose import command
from infra.catalog.machines import everywhere
from infra.catalog.tables import CatalogError
from infra.stacks import StackFileError


def ask(*words: str) -> str:
    done = CliRunner().invoke(app(words[0]), words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_choose_prints_candidates_and_reasons() -> None:
    said = ask("choose", "--gpu", "H100", "--count", "8", "--fabric", "rdma", "--usd-inr", "100")
    assert re.search(r"p5\.48xlarge +ap-south-1 .* spot +₹[\d,]+ ", said)
    assert "has tcpx, not rdma: a3-highgpu-8g (asia-south1), a3-highgpu-8g (asia-south2)" in said
    assert re.search(r"another GPU or none: \d+ machine types", said)


PRICED = [price.as_of for found in everywhere() for price in found.prices]


@pytest.mark.parametrize(("today", "old"), [(min(PRICED), False), (max(PRICED) + timedelta(days=91), True)])
def test_choose_tells_how_old_the_prices_are(monkeypatch: pytest.MonkeyPatch, today: date, old: bool) -> None:
    monkeypatch.setattr(command, "date", SimpleNamespace(today=lambda: today))
    said = ask("choose", "--gpu", "L4")
    assert ("prices are older than 90 days (the oldest" in said) == old


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "say GPU=… or MEMORY=…"),
        (("--gpu", "L4", "--memory", "20"), "one of the two"),
        (("--gpu", "L4", "--fabric", "rdam"), "one of none, efa, tcpx, rdma; the nearest is rdma"),
        (("--gpu", "L4", "--purchase", "capacity"), "the nearest is capacity-block"),
        (("--gpu", "L4", "--usd-inr", "-1"), "usd-inr -1: rupees for a dollar, a number above 0"),
        (("--gpu", "L4", "--usd-inr", "much"), "usd-inr much"),
        (("--gpu", "MI300X"), "gpu MI300X: allowed is in ap-south-1"),
        (("--gpu", "H100", "--count", "5"), "1, 2, 4, 8 a node; 4"),
    ],
)
def test_a_wrong_question_ends_in_one_message(words: tuple[str, ...], says: str) -> None:
    with pytest.raises(CatalogError, match=re.escape(says)):
        ask("choose", *words)


def test_images_says_what_is_pulled_from_where_and_what_to_copy() -> None:
    said = ask("images", "--stack", "local")
    home = "$ACCOUNT.dkr.ecr.ap-south-1.amazonaws.com/mirror-local"
    assert f"\n  {home}/k8s/kueue/kueue:v0.19.2\n" in said
    assert "\n  602401143452.dkr.ecr.ap-south-1.amazonaws.com/eks/aws-efa-k8s-device-plugin:" in said
    operator = "nvidia/gpu-operator:v26.7.0"
    assert said.count(f"\n  nvcr.io/{operator}\n") == 1, "across the border, and once"
    assert f"\n  crane copy nvcr.io/{operator} {home}/nvidia/{operator}\n" in said
    assert "crane copy quay.io" not in said


def test_images_of_google_are_all_in_the_region() -> None:
    google = ask("images", "--stack", "prod").partition("gcp asia-south1: pulled in the region")[2]
    assert (
        "  asia-south1-docker.pkg.dev/india-ai-infra-prod/india-ai-infra-prod-gcp-ghcr-io/kedacore/keda:"
        in google
    )
    assert "border" not in google


def test_images_of_a_stack_that_is_not_there() -> None:
    with pytest.raises(
        StackFileError, match="no stack prd; stacks are demo, dev, local, prod; the nearest is prod"
    ):
        ask("images", "--stack", "prd")


def test_a_region_outside_india_is_refused() -> None:
    with pytest.raises(LookupError, match="is not a region in India"):
        ask("choose", "--gpu", "L4", "--region", "us-east-1")
