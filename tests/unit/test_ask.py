"""The questions to the catalogue, as commands."""

from __future__ import annotations

import re

import pytest
from typer.testing import CliRunner

from infra.__main__ import app
from infra.catalog import CatalogError


def ask(*words: str) -> str:
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_choose_prints_candidates_and_reasons() -> None:
    said = ask("choose", "--gpu", "H100", "--count", "8", "--fabric", "rdma", "--usd-inr", "100")
    assert re.search(r"p5\.48xlarge +ap-south-1 .* spot +₹1,256 ", said)
    assert "has tcpx, not rdma: a3-highgpu-8g (asia-south1), a3-highgpu-8g (asia-south2)" in said
    assert re.search(r"another GPU or none: \d+ machine types", said)


def test_choose_tells_how_old_the_prices_are() -> None:
    assert "prices are older than 90 days (the oldest" in ask("choose", "--gpu", "L4")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "say GPU=… or MEMORY=…"),
        (("--gpu", "L4", "--memory", "20"), "one of the two"),
        (("--gpu", "L4", "--fabric", "rdam"), "one of none, efa, rdma, tcpx; the nearest is rdma"),
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


def test_a_region_outside_india_is_refused() -> None:
    with pytest.raises(LookupError, match="is not a region in India"):
        ask("choose", "--gpu", "L4", "--region", "us-east-1")
