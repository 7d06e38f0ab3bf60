"""A model as stages of layers, one after the other on ranks: torch's pipelining, with FSDP inside each stage.

A stage is the model's own class, some parts of which pass on what they get. So each weight keeps the name that it has
in the whole model, in checkpoints too, and a rank reads the weights of its own stage alone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.pipelining import PipelineStage, Schedule1F1B
from transformers import MODEL_FOR_CAUSAL_LM_MAPPING
from transformers.distributed.pipeline_parallel import PipelineIdentityLayer

from .recipe import Mesh, Recipe, RecipeError

# The types of models that a test cuts in two, and whose stages give the logits of the whole to the last digit.
# Others are refused: a model may do more with what it embeds than its parts say, and would do it in each stage.
MODEL_TYPES = (
    "exaone4",
    "gemma2",
    "gemma3_text",
    "glm4",
    "gpt_neox",
    "gpt_oss",
    "granite",
    "llama",
    "mistral",
    "mixtral",
    "olmo2",
    "phi3",
    "qwen2",
    "qwen3",
    "qwen3_moe",
    "seed_oss",
    "smollm3",
    "starcoder2",
)


def parts(plan: Mapping[str, tuple[Sequence[str], Sequence[str]]]) -> tuple[list[str], str, list[str]]:
    """What a model has before its layers, the list of its layers, and what it has after them, by their names.

    `plan`: what each part takes and gives, as transformers' models say it (`pp_plan`).
    """
    takes = {name: set(inputs) for name, (inputs, _) in plan.items()}
    before = [name for name, inputs in takes.items() if inputs & {"input_ids", "inputs_embeds"}]
    after = [name for name, inputs in takes.items() if inputs == {"hidden_states"}]
    (layers,) = set(takes) - {*before, *after}
    return before, layers, after


def share(layers: int, stage: int, stages: int) -> range:
    """The layers of a stage. Where they don't divide some stages have one more, but never the last: it has the head."""
    return range(math.ceil(layers * stage / stages), math.ceil(layers * (stage + 1) / stages))


def stage_class(kind: type, at: int, stages: int, shard: Callable[[Any, list[Any]], None]) -> type:
    """The class of the stage `at` of models of the class `kind`.

    Its instances are cut, and handed to `shard` with their layers, before from_pretrained reads any weight.
    """
    first, last = at == 0, at == stages - 1

    class Stage(kind):
        def __init__(self, config: Any) -> None:
            super().__init__(config)
            # from_pretrained does this after the weights are read, which is too late for FSDP.
            for name, source in self.all_tied_weights_keys.items():
                module, _, parameter = name.rpartition(".")
                setattr(self.get_submodule(module), parameter, self.get_parameter(source))
            self.whole_shapes = {name: list(one.shape) for name, one in self.named_parameters()}
            before, layers, after = parts(self.pp_plan)
            numbers = range(len(self.get_submodule(layers)))
            mine = share(len(numbers), at, stages)
            self._remove([f"{layers}.{number}" for number in numbers if number not in mine])
            # Embedding and head that are one tensor are both in the first stage and in the last.
            if not (first or last):
                self.all_tied_weights_keys = {}
            tied = {name.rpartition(".")[0] for pair in self.all_tied_weights_keys.items() for name in pair}
            others = [*([] if first else before), *([] if last else after)]
            self._remove([name for name in others if name not in tied])
            shard(self, [self.get_submodule(f"{layers}.{number}") for number in mine])

        def _remove(self, names: list[str]) -> None:
            for name in names:
                self.set_submodule(name, PipelineIdentityLayer())
            ignored = self._keys_to_ignore_on_load_unexpected or ()
            self._keys_to_ignore_on_load_unexpected = {
                *ignored,
                *(f"^{re.escape(name)}\\." for name in names),
            }

        def forward(self, given: torch.Tensor) -> torch.Tensor:
            """The hidden states for the next stage, or the logits."""
            inputs = {"input_ids" if first else "inputs_embeds": given, "use_cache": False}
            return super().forward(**inputs).logits if last else self.base_model(**inputs).last_hidden_state

    # By which transformers finds the loss of a model.
    Stage.__name__ = kind.__name__
    return Stage


class Pipeline:
    """The stage of this rank, and the steps that it takes together with the others: one forward, one backward (1F1B).

    RecipeError if the model can't be cut. model: the stage, sharded, with its weights.
    """

    def __init__(self, source: Path, config: Any, recipe: Recipe, mesh: Mesh, device: torch.device) -> None:
        if config.model_type not in MODEL_TYPES:
            raise RecipeError(
                f"model.name is {recipe.model.name}, of the type {config.model_type}, which mesh.pipeline can't cut: "
                f"leave out pipeline, or give a model of one of the types {', '.join(MODEL_TYPES)}"
            )
        sizes = (mesh.pipeline, mesh.replicate, mesh.shard or 1)
        ranks = init_device_mesh(device.type, sizes, mesh_dim_names=("pipeline", "replicate", "shard"))
        self._group, at = ranks.get_group("pipeline"), ranks.get_local_rank("pipeline")
        self._narrow = torch.bfloat16 if recipe.precision == "bf16" else torch.float32
        self._within = ranks["replicate", "shard"] if mesh.replicate > 1 else ranks["shard"]
        kind = stage_class(MODEL_FOR_CAUSAL_LM_MAPPING[type(config)], at, mesh.pipeline, self._shard)
        self.model: Any = kind.from_pretrained(source, dtype=torch.float32, device_map={"": device})
        self._first, self._last = at == 0, at == mesh.pipeline - 1
        if (self._first or self._last) and config.tie_word_embeddings != (self._tied is not None):
            raise RecipeError(
                f"model.name is {recipe.model.name}, whose embedding and head are one tensor by its config.json "
                "and two in its files: set tie_word_embeddings to false"
            )
        self._parts = recipe.accumulate
        rows = recipe.batch // mesh.batch_ranks // self._parts
        stage = PipelineStage(
            self.model, at, mesh.pipeline, device, *self._examples(rows, recipe), group=self._group
        )
        self._schedule = Schedule1F1B(stage, self._parts, loss_fn=self._loss)

    @property
    def copied(self) -> torch.Tensor | None:
        """The embedding of a model whose head is the same tensor, in the last stage: the first stage has it too."""
        return self._tied if self._last else None

    def step(self, rows: torch.Tensor) -> torch.Tensor:
        """Leaves the gradients of the stage; the mean loss of these rows in the last stage, and 0 in the others."""
        parts, losses = list(rows.chunk(self._parts)), []
        self._schedule.step(
            arg_mbs=[(part,) if self._first else () for part in parts],
            target_mbs=parts if self._last else None,
            losses=losses if self._last else None,
            return_outputs=False,
        )
        if self._tied is not None:
            self._add_other_end(self._tied.grad)
        return torch.stack(losses).mean().detach() if losses else torch.zeros((), device=rows.device)

    def norm_of_all(self, norm: torch.Tensor) -> torch.Tensor:
        """The norm of the gradients of all stages, from that of each."""
        square = norm**2
        dist.all_reduce(square, group=self._group)
        return square.sqrt()

    @property
    def _tied(self) -> torch.Tensor | None:
        return self.model.get_input_embeddings().weight if self.model.all_tied_weights_keys else None

    def _add_other_end(self, gradient: Any) -> None:
        """Adds what the other end of the pipeline has found for the tensor that both have."""
        mine = gradient.to_local()
        theirs = torch.empty_like(mine)
        ranks = dist.get_process_group_ranks(self._group)
        other = ranks[-1] if self._first else ranks[0]
        exchange = [
            dist.P2POp(dist.isend, mine, other, self._group),
            dist.P2POp(dist.irecv, theirs, other, self._group),
        ]
        for work in dist.batch_isend_irecv(exchange):
            work.wait()
        mine.add_(theirs)

    def _loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return self.model.loss_function(logits=logits, labels=labels, vocab_size=self.model.config.vocab_size)

    def _examples(self, rows: int, recipe: Recipe) -> tuple[torch.Tensor, torch.Tensor]:
        """What the stage takes and gives, without values."""
        shape, config = (rows, recipe.data.sequence_length), self.model.config
        tokens = torch.empty(shape, dtype=torch.int64, device="meta")
        hidden = torch.empty(
            (*shape, config.hidden_size), dtype=self._narrow, device="meta", requires_grad=True
        )
        logits = torch.empty(
            (*shape, config.vocab_size), dtype=self._narrow, device="meta", requires_grad=True
        )
        return tokens if self._first else hidden, logits if self._last else hidden

    def _shard(self, model: Any, layers: list[Any]) -> None:
        narrow: Any = {"param_dtype": self._narrow, "reduce_dtype": torch.float32}
        for layer in layers:
            fully_shard(layer, mesh=self._within, mp_policy=MixedPrecisionPolicy(**narrow))
        # The next stage waits for tensors of one type, whatever a model makes of it.
        policy = MixedPrecisionPolicy(**narrow, output_dtype=self._narrow)
        fully_shard(model, mesh=self._within, mp_policy=policy)
