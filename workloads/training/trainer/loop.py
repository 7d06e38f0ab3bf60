"""Trains as a recipe says: a thin loop over transformers' models on torch's meshes."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor

from . import data, models, tokens
from .agreement import from_first, together
from .checkpoints import Checkpoints, fingerprint
from .interruption import Interruption
from .interval import SaveCost, interval
from .ledger import Ledger, read_runs, write_runs
from .metrics import Metrics, flops_per_token, peak_flops
from .options import Options
from .pipeline import Pipeline
from .progress import Progress, Reading
from .recipe import Mesh, Recipe, RecipeError
from .report import write_report
from .tracking import Tracker
from .watchdog import Watchdog


def say(line: str) -> None:
    """Prints a line, on the first rank alone."""
    if dist.get_rank() == 0:
        print(line, flush=True)


def pod_index() -> int:
    """The number of this pod, which Kubernetes tells those of an Indexed Job."""
    return int(os.environ.get("JOB_COMPLETION_INDEX", "0"))


class Training:
    """A model, its optimizer and its data at some step, on the ranks of a mesh. RecipeError if it can't be run."""

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        self.recipe, self.device = recipe, device
        self.mesh: Mesh = recipe.check_against(dist.get_world_size())
        folder, config = models.find(recipe, self.mesh)
        # Before the weights, which may take minutes to read.
        self.source = together(
            lambda: data.source(recipe, tokens.encoder(recipe.data.tokenizer), config.vocab_size)
        )
        self.model, self.pipeline = models.load(folder, config, recipe, self.mesh, device)
        self.parameters = [one for one in self.model.parameters() if one.requires_grad]
        self.optimizer = torch.optim.AdamW(
            self.parameters,
            lr=recipe.optimizer.learning_rate,
            betas=(0.9, 0.95),
            weight_decay=recipe.optimizer.weight_decay,
            # The weights of a tensor-parallel model are on two meshes, and one fused call takes one mesh.
            foreach=self.mesh.tensor == 1 and device.type == "cpu",
            fused=self.mesh.tensor == 1 and device.type == "cuda",
        )
        self.step, self.consumed = 0, 0
        self._batches: Iterator[np.ndarray] | None = None
        self._autocast = recipe.precision == "bf16" and self.mesh.batch_ranks == 1

    @property
    def fingerprint(self) -> str:
        """Of the model and of the data: what a checkpoint must have been made with."""
        return f"{fingerprint(models.shapes(self.model))}-{self.source.digest}"

    @property
    def description(self) -> str:
        """The model and the data in words."""
        return f"{models.describe(self.model)}; data {self.recipe.data.uri} with seed {self.recipe.data.seed}"

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds, sharded as the mesh is."""
        model, optimizer = get_state_dict(self.model, self.optimizer)
        # Without what the recipe says, and each stage of a pipeline would say of its own parameters.
        return {"model": model, "optimizer": {"state": optimizer["state"]}}

    def restore(self, state: dict[str, Any], step: int, consumed: int) -> None:
        """Goes to the step of a checkpoint."""
        _, optimizer = get_state_dict(self.model, self.optimizer)
        set_state_dict(
            self.model,
            self.optimizer,
            model_state_dict=state["model"],
            optim_state_dict={**optimizer, **state["optimizer"]},
        )
        self.step, self.consumed = step, consumed

    def learning_rate(self) -> float:
        """Of the present step: a rise over the warm-up, then a cosine to a tenth."""
        settings, step = self.recipe.optimizer, self.step
        if step < settings.warmup_steps:
            return settings.learning_rate * (step + 1) / settings.warmup_steps
        share = (step - settings.warmup_steps) / max(1, self.recipe.steps - settings.warmup_steps)
        return settings.learning_rate * (0.1 + 0.45 * (1 + math.cos(math.pi * share)))

    def train_step(self) -> tuple[torch.Tensor, torch.Tensor]:
        """One optimizer step; the loss of this rank's samples and the norm of the gradients, still on the device."""
        rows = torch.from_numpy(next(self.batches()).astype(np.int64)).to(self.device, non_blocking=True)
        accumulate = self.recipe.accumulate
        total = self.pipeline.step(rows) if self.pipeline else self.gradients(rows, accumulate)
        return total, self.update()

    def update(self) -> torch.Tensor:
        """Steps the optimizer with the gradients that are there; their norm."""
        norm = clip(self.parameters, self.recipe.optimizer.clip_norm, self.pipeline)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate()
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        self.consumed += self.recipe.batch
        return norm

    def gradients(self, rows: torch.Tensor, accumulate: int) -> torch.Tensor:
        """Leaves the gradients of these rows, in `accumulate` parts; their loss."""
        parts = rows.chunk(accumulate)
        total = torch.zeros((), device=self.device)
        for at, part in enumerate(parts):
            if isinstance(self.model, FSDPModule):
                self.model.set_requires_gradient_sync(at == len(parts) - 1)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self._autocast):
                loss = self.model(input_ids=part, labels=part).loss / len(parts)
            loss.backward()
            total += loss.detach()
        return total

    def batches(self) -> Iterator[np.ndarray]:
        """The rows of this rank, from the sample after the latest that was trained on."""
        if self._batches is None:
            # Ranks of one tensor group are neighbours, and read the same samples; so does each stage of a pipeline.
            rank = dist.get_rank() // self.mesh.tensor % self.mesh.batch_ranks
            self._batches = data.batches(
                self.source, self.consumed, self.recipe.batch, rank, self.mesh.batch_ranks
            )
        return self._batches

    def flops(self) -> float:
        """FLOP that a token costs."""
        config = self.model.config
        count = sum(math.prod(shape) for shape in models.shapes(self.model).values())
        return flops_per_token(
            count, config.num_hidden_layers, config.hidden_size, self.recipe.data.sequence_length
        )


def clip(parameters: list[torch.Tensor], most: float, pipeline: Pipeline | None) -> torch.Tensor:
    """Scales the gradients so that their norm over all ranks is at most `most`; the norm before that."""
    copied = pipeline.copied if pipeline else None
    norm = _norm([one.grad for one in parameters if one.grad is not None and one is not copied])
    if pipeline:
        norm = pipeline.norm_of_all(norm)
    scale = torch.clamp(most / (norm + 1e-6), max=1.0)
    for parameter in parameters:
        gradient = parameter.grad
        if gradient is not None:
            (gradient.to_local() if isinstance(gradient, DTensor) else gradient).mul_(scale)
    return norm


def _norm(gradients: list[torch.Tensor]) -> torch.Tensor:
    # torch's own function takes the tensors of one mesh; those of a tensor-parallel model are on several.
    by_mesh: dict[Any, list[torch.Tensor]] = {}
    for gradient in gradients:
        by_mesh.setdefault(_mesh_of(gradient), []).append(gradient)
    norms = [_whole(torch.nn.utils.get_total_norm(each)) for each in by_mesh.values()]
    return torch.linalg.vector_norm(torch.stack(norms))


def _mesh_of(tensor: torch.Tensor) -> Any:
    return tensor.device_mesh if isinstance(tensor, DTensor) else None


def _whole(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


class Run:
    """One start of a training job, from its newest good checkpoint to its last step or its interruption."""

    def __init__(self, training: Training, options: Options, interruption: Interruption) -> None:
        recipe = training.recipe
        self.training, self.options, self.interruption = training, options, interruption
        kept = recipe.checkpoints
        self.checkpoints = Checkpoints(options.checkpoint_uri, kept.keep, kept.keep_hours)
        self.ledger = Ledger()
        self.metrics = Metrics(serve=os.environ.get("LOCAL_RANK", "0") == "0")
        self.every = interval(1.0, 1.0, recipe.interruptions.per_hour, kept.minimum_seconds)
        self._tracker = Tracker(recipe, dist.get_rank() == 0 and (not recipe.replicas or pod_index() == 0))
        self._save_cost = SaveCost()
        self._saved_step = -1
        self._saved_at = time.perf_counter()
        self._at_risk_saved = False
        self._runs_written = 0.0
        self._tidied = False
        self._replicas: Any = None

    def resume(self) -> None:
        """Goes to the newest good checkpoint, if there is one."""
        training, checkpoints = self.training, self.checkpoints
        # A replica that starts does not know whether another one is saving: it tidies when it is to save.
        self._tidied = not training.recipe.replicas
        if self._tidied:
            checkpoints.tidy()
        state = training.state()
        checkpoints.require_room(state)
        newest, damages = checkpoints.newest_good(training.fingerprint, training.description)
        for damage in damages:
            say(f"event=damaged checkpoint={damage!r} effect=an-older-one-is-taken")
        if newest:
            checkpoints.load(newest, state)
            training.restore(state, newest.step, newest.details["consumed"])
            self.ledger.restore(newest.details["ledger"])
            self._saved_step = newest.step
            say(f"event=resumed step={newest.step} ranks={dist.get_world_size()} mesh={str(training.mesh)!r}")
        runs = from_first(lambda: read_runs(checkpoints.folder))
        self.ledger.begin(runs, self.options.started)
        # A store that denies is heard of now, and not at the first save.
        from_first(lambda: write_runs(checkpoints.folder, self.ledger.runs))
        self.ledger.startup_seconds += time.time() - self.options.started

    def train(self) -> bool:
        """Trains to the last step; False if it was interrupted before that, and saved."""
        if self.training.recipe.replicas:
            # Its import takes seconds, and is in no image of other processors.
            from .replicas import Replicas

            self._replicas = Replicas(self.training, self.ledger, pod_index(), self.options.timeout_seconds)
        trained = self._steps(Watchdog(self.options.timeout_seconds, dist.get_rank()))
        if dist.get_rank() == 0:
            self._tracker.end()
        if dist.get_rank() == 0 and self._leads:
            self._write_runs()
            if trained:
                write_report(self.checkpoints.folder, self.training.recipe, self.ledger)
        dist.barrier()
        if trained:
            say(f"event=trained step={self.training.step}")
        return trained

    @property
    def _leads(self) -> bool:
        """Whether this pod writes for the job: all do together, unless they are replicas, of which one does."""
        return self._replicas is None or self._replicas.first

    def _steps(self, watchdog: Watchdog) -> bool:
        training, recipe = self.training, self.training.recipe
        peak = peak_flops(torch.cuda.get_device_name()) if training.device.type == "cuda" else None
        peak = peak * dist.get_world_size() * (recipe.replicas or 1) if peak else None
        progress = Progress(recipe, self.ledger, self.metrics, training.step, training.flops(), peak)
        while training.step < recipe.steps:
            watchdog.beat(training.step)
            began, saving = time.perf_counter(), self.checkpoints.saving()
            loss, norm = (self._replicas or training).train_step()
            if training.device.type == "cpu" or self._saved_step < 0:
                loss.item()
            seconds = time.perf_counter() - began - (self._replicas.waited if self._replicas else 0.0)
            self.ledger.useful_seconds += seconds
            self._save_cost.step(seconds, beside_save=saving)
            stop, save, report = self._agree(progress)
            if report:
                self._report(progress, loss, norm)
            with watchdog.paused():
                if stop and training.step < recipe.steps:
                    self._leave()
                    self._save(wait=True)
                    say(f"event=stopped step={training.step} reason={self._reasons()!r}")
                    return False
                if save:
                    self._save(wait=False)
                self._collect()
        with watchdog.paused():
            self._leave()
            self._save(wait=True)
        return True

    def _leave(self) -> None:
        """The others need not wait for the last save of this pod, nor it for them."""
        if self._replicas:
            self._replicas.leave()

    def _agree(self, progress: Progress) -> tuple[bool, bool, bool]:
        """Whether to stop, to save and to report: on every rank as soon as any rank wants it.

        Over gloo, and so without waiting for the GPU. A notice on one node reaches all ranks here, before any of them
        can wait in a collective for one that is gone.
        """
        first, step = dist.get_rank() == 0, self.training.step
        risk = self.interruption.at_risk and not self._at_risk_saved
        last = step == self.training.recipe.steps
        wishes = torch.tensor(
            [
                int(self.interruption.stopping),
                int(risk or (first and self._leads and self._save_due())),
                int(last or (first and progress.due(self.options.progress_seconds))),
                int(risk),
            ]
        )
        dist.all_reduce(wishes, op=dist.ReduceOp.MAX)
        stop, save, report, at_risk = (bool(wish) for wish in wishes.tolist())
        self._at_risk_saved = self._at_risk_saved or at_risk
        return stop, save, report

    def _save_due(self) -> bool:
        steps = self.training.recipe.checkpoints.every_steps
        if steps:
            return self.training.step % steps == 0
        return time.perf_counter() - self._saved_at >= self.every and not self.checkpoints.saving()

    def _save(self, *, wait: bool) -> None:
        if not self._leads:
            return
        training, began = self.training, time.perf_counter()
        # One at a time: there is memory for one copy.
        self._collect(wait=True)
        if training.step != self._saved_step:
            if not self._tidied:
                self.checkpoints.tidy()
                self._tidied = True
            details = {
                "model": training.fingerprint,
                "description": training.description,
                "consumed": training.consumed,
                "ranks": dist.get_world_size(),
                "mesh": str(training.mesh),
                "ledger": self.ledger.document(),
            }
            self.checkpoints.start(training.step, training.state(), details)
            self.ledger.stall_seconds += time.perf_counter() - began
            self._saved_step, self._saved_at = training.step, time.perf_counter()
        if wait:
            self._collect(wait=True, last=True)

    def _collect(self, *, wait: bool = False, last: bool = False) -> None:
        """Takes note of a save that has ended. One that failed is only a checkpoint less, unless it is the last."""
        try:
            done = self.checkpoints.wait() if wait else self.checkpoints.finished()
        except Exception as error:
            if last:
                raise
            say(f"event=save-failed error={str(error)!r}")
            self._saved_step = -1
            # By what steps beside it were longer is no cost of the next save.
            self._save_cost.seconds(0.0)
            return
        if done is None:
            return
        recipe = self.training.recipe
        kept = recipe.checkpoints
        cost = self._save_cost.seconds(done.stall_seconds)
        self.every = interval(cost, done.seconds, recipe.interruptions.per_hour, kept.minimum_seconds)
        self.metrics.set("training_checkpoint_step", done.step)
        self.metrics.set("training_checkpoint_timestamp_seconds", time.time())
        self.metrics.set("training_checkpoint_stall_seconds", done.stall_seconds)
        self.metrics.set("training_checkpoint_save_seconds", done.seconds)
        self.metrics.set("training_checkpoint_interval_seconds", self.every)
        say(f"event=saved step={done.step} stall={done.stall_seconds:.3f} seconds={done.seconds:.3f}")

    def _report(self, progress: Progress, loss: torch.Tensor, norm: torch.Tensor) -> None:
        mean = loss.clone()
        dist.all_reduce(mean)
        reading = Reading(
            self.training.step,
            # The ranks of one stage alone know a loss.
            mean.item() * self.training.mesh.pipeline / dist.get_world_size(),
            self.training.learning_rate(),
            float(norm.item()),
        )
        self.ledger.add_loss(reading.step, reading.loss)
        say(progress.line(reading))
        if dist.get_rank() != 0:
            return
        self._tracker.log(reading)
        if self._leads and time.perf_counter() - self._runs_written > 30:
            self._write_runs()

    def _write_runs(self) -> None:
        """Keeps a sign of life beside the checkpoints. Training does not end for want of it."""
        self._runs_written = time.perf_counter()
        self.ledger.seen()
        with contextlib.suppress(OSError, RecipeError):
            write_runs(self.checkpoints.folder, self.ledger.runs)

    def _reasons(self) -> str:
        return self.interruption.reason or "another rank was interrupted"
