"""Pipelines of stages: they train as one process does, and go on from any mesh to any other."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.workloads.training.trainer.conftest import Ended, Ranks

pytestmark = pytest.mark.slow

# Sums of other orders, in fp32.
CLOSE = 2e-5

# One after the other, each from the checkpoint of the one before, which it stops after a few steps.
MESHES: list[tuple[int, dict[str, Any]]] = [
    (4, {"mesh": {"pipeline": 2}, "accumulate": 3}),
    (4, {"mesh": {"tensor": 2}}),
    (4, {"mesh": {"pipeline": 4}, "accumulate": 4}),
    (4, {"mesh": {"pipeline": 2, "replicate": 2}, "accumulate": 2}),
]


def test_stages_beside_every_mesh_give_the_curve_of_one_process_over_restarts(
    ranks: Ranks, whole: Ended, tmp_path: Path
) -> None:
    losses: dict[int, float] = {}
    for world, changes in MESHES[:-1]:
        running = ranks.start(tmp_path, world, **changes)
        running.wait_for(f"\nstep={max(losses, default=0) + 2}/")
        running.kill(world - 1, signal.SIGTERM)
        ended = running.end()
        assert ended.codes == [75] * world, ended.output
        assert min(ended.losses) == max(losses, default=0) + 1, "no step is lost, and none done again"
        losses |= ended.losses
    world, changes = MESHES[-1]
    losses |= ranks.train(tmp_path, world, **changes).losses
    assert losses == pytest.approx(whole.losses, abs=CLOSE)


CUT = """
import json
import sys
import torch
from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoConfig, LlamaConfig, LlamaForCausalLM
from trainer.pipeline import MODEL_TYPES, share, stage_class
SIZES = dict(
    vocab_size=64, hidden_size=16, intermediate_size=32, num_hidden_layers=3, num_attention_heads=2,
    num_key_value_heads=1, head_dim=8, max_position_embeddings=64, pad_token_id=0, sliding_window=8,
    num_local_experts=2, num_experts=2, num_experts_per_tok=1, moe_intermediate_size=8,
)
tokens = torch.randint(3, 64, (2, 12), generator=torch.Generator().manual_seed(0))
different = {}
for name in MODEL_TYPES:
    config = AutoConfig.for_model(name, **SIZES)
    kind = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]
    whole = kind(config).float().eval()
    for parameter in whole.parameters():
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    given, names = tokens, set()
    for at in range(2):
        stage = stage_class(kind, at, 2, lambda model, layers: None)(config).float().eval()
        held = stage.state_dict()
        stage.load_state_dict({key: value for key, value in whole.state_dict().items() if key in held})
        given, names = stage(given), names | set(held)
    expected = whole(tokens, use_cache=False).logits
    if not torch.equal(given, expected) or names != set(whole.state_dict()):
        different[name] = float((given - expected).abs().max())
cuts = [(layers, stages) for layers in range(1, 20) for stages in range(1, layers + 1)]
shares = [[list(share(layers, at, stages)) for at in range(stages)] for layers, stages in cuts]
untied = LlamaConfig(
    vocab_size=264, hidden_size=32, intermediate_size=64, num_hidden_layers=5, num_attention_heads=2,
    tie_word_embeddings=False, dtype="float32",
)
LlamaForCausalLM(untied).save_pretrained(sys.argv[1])
print(json.dumps({
    "different": different, "types": len(MODEL_TYPES),
    "whole": all(sum(each, []) == list(range(layers)) for each, (layers, _) in zip(shares, cuts)),
    "even": all(len(each[0]) - len(each[-1]) in (0, 1) for each in shares),
}))
"""


@pytest.fixture(scope="module")
def cut(script: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A folder with a model of five layers, whose head is a tensor of its own; and what cutting others gave."""
    folder = tmp_path_factory.mktemp("untied")
    return folder, json.loads(script(CUT, str(folder)).splitlines()[-1])


def test_layers_that_do_not_divide_and_a_head_of_its_own_train_and_so_does_bf16(
    ranks: Ranks, cut: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    model = {"name": str(cut[0])}
    alone = ranks.train(tmp_path / "alone", 1, model=model, steps=4)
    stages: dict[str, Any] = {"model": model, "steps": 4, "mesh": {"pipeline": 2}, "accumulate": 3}
    ended = ranks.train(tmp_path / "fp32", 2, **stages, activationCheckpointing=True)
    assert ended.losses == pytest.approx(alone.losses, abs=CLOSE)
    narrow = ranks.train(tmp_path / "bf16", 2, **stages, precision="bf16")
    assert narrow.losses == pytest.approx(alone.losses, rel=0.01)
    assert narrow.losses != alone.losses


def test_a_model_that_cannot_be_cut_is_refused(
    ranks: Ranks, cut: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    other, wrong = tmp_path / "other", Path(shutil.copytree(cut[0], tmp_path / "wrong"))
    other.mkdir()
    (other / "config.json").write_text(json.dumps({"model_type": "gpt2", "n_layer": 2, "n_head": 2}))
    text = (wrong / "config.json").read_text()
    (wrong / "config.json").write_text(
        text.replace('"tie_word_embeddings": false', '"tie_word_embeddings": true')
    )
    for folder, message in [
        (
            other,
            f"model.name is {other}, of the type gpt2, which mesh.pipeline can't cut: leave out pipeline",
        ),
        (wrong, "whose embedding and head are one tensor by its config.json and two in its files"),
    ]:
        ended = ranks.run(tmp_path / "c", 2, model={"name": str(folder)}, mesh={"pipeline": 2}, accumulate=2)
        assert ended.codes == [64, 64], ended.output
        assert message in ended.output


def test_the_stages_of_each_type_give_the_logits_and_have_the_names_of_the_whole(
    cut: tuple[Path, dict[str, Any]],
) -> None:
    assert cut[1] == {"different": {}, "types": 18, "whole": True, "even": True}
