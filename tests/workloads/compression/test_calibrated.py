"""GPTQ, AWQ and SparseGPT in llmcompressor's own environment, which has another torch and takes 6 GB: they run where it
is built, or asked for (INDIA_AI_INFRA_LLMCOMPRESSOR=1)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.environments import environment, environment_home
from tests.workloads.compression.conftest import MAIN, METHODS, Bench, bench_in, pod
from tests.workloads.forks import Forks
from workloads.compression.package import ROOT

REQUIREMENTS = ROOT / "workloads/compression/requirements-llmcompressor.txt"
ASKED = "INDIA_AI_INFRA_LLMCOMPRESSOR"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not os.environ.get(ASKED) and not environment_home(REQUIREMENTS).exists(),
        reason=f"llmcompressor's environment is not built: {ASKED}=1 builds it",
    ),
]


@pytest.fixture(scope="module")
def llmcompressor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Models, texts and jobs in that environment."""
    folder = tmp_path_factory.mktemp("llmcompressor")
    modules = [MAIN, f"workloads.compression.programs.{METHODS[0]}"]
    forks = Forks(environment(REQUIREMENTS), pod(folder / "pod"), modules, folder)
    yield bench_in(forks, folder)
    forks.close()


def test_four_bits_by_what_flows_through_the_layers(llmcompressor: Bench, tmp_path: Path) -> None:
    texts = str(llmcompressor.folder / "texts")
    card = llmcompressor.published(tmp_path / "model", method="gptq", texts=texts)
    assert card["bytes"] < 0.5 * card["source"]["bytes"]
    assert min(one["agreement"] for one in card["quality"].values()) > 0.95


def test_two_of_four_by_what_flows_through_the_layers(llmcompressor: Bench, tmp_path: Path) -> None:
    texts = str(llmcompressor.folder / "texts")
    card = llmcompressor.published(tmp_path / "model", method="sparsegpt", texts=texts)
    assert card["zeros"] == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize(
    ("job", "message"),
    [
        ({"method": "awq"}, 'method "awq" needs a GPU'),
        ({"method": "gptq", "groupSize": 48}, "groupSize 48 does not divide the 64 weights of a row"),
        ({"method": "int8-dynamic"}, "needs torchao, which this image lacks: build it with requirements.txt"),
    ],
)
def test_what_this_image_or_machine_cannot_do(
    llmcompressor: Bench, tmp_path: Path, job: dict[str, object], message: str
) -> None:
    texts = str(llmcompressor.folder / "texts")
    ended = llmcompressor.compress(tmp_path / "model", texts=texts, **job)
    assert (ended.code, list(tmp_path.iterdir())) == (64, [])
    assert message in ended.errors
