"""Supervised and preference training on TRL, data parallel, with LoRA where the recipe has an adapter.

TRL brings the losses, the templates and the trainer. Ours is what no trainer has: all ranks stop together on the notice
of one, and checkpoints are published whole.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.json
import pyarrow.parquet as pq
import torch
import torch.distributed as dist
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

from . import models
from .agreement import from_first
from .checkpoints import Save, fingerprint, newest_good_of_all, refuse_other
from .interruption import Interruption
from .interval import interval
from .ledger import Ledger, read_runs, write_runs
from .metrics import Metrics, flops_per_token, peak_flops
from .options import Options
from .progress import Progress, Reading
from .publication import Folder, Published, listed, new_name, refusals, scratch
from .recipe import TINY, Recipe, RecipeError
from .report import write_report
from .tokens import byte_tokenizer

# What a row has, by the loss: any one of these sets of columns.
COLUMNS = {
    "supervised": ({"prompt", "completion"}, {"messages"}, {"text"}),
    "preference": ({"prompt", "chosen", "rejected"}, {"chosen", "rejected"}),
}


class StopTogether(TrainerCallback):
    """Saves and stops on all ranks after the same step, as soon as any rank has a notice; saves when it is due."""

    def __init__(self, interruption: Interruption, every: float, every_steps: int | None) -> None:
        self.every, self.stopped = every, False
        self._interruption, self._every_steps = interruption, every_steps
        self._saved_at = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Agrees with all ranks over gloo."""
        due = time.perf_counter() - self._saved_at >= self.every
        if self._every_steps:
            due = state.global_step % self._every_steps == 0
        wishes = torch.tensor([int(self._interruption.stopping), int(dist.get_rank() == 0 and due)])
        dist.all_reduce(wishes, op=dist.ReduceOp.MAX)
        stop, save = (bool(wish) for wish in wishes.tolist())
        last = state.global_step >= state.max_steps
        self.stopped = stop and not last
        control.should_training_stop = control.should_training_stop or stop
        control.should_save = stop or save or last

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Begins the interval anew."""
        self._saved_at = time.perf_counter()


class Publish(TrainerCallback):
    """Publishes each checkpoint of the trainer, with its digests, and reports steps."""

    def __init__(self, run: FineTuning, stop: StopTogether) -> None:
        self._run, self._stop = run, stop

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Copies the checkpoint's files, the manifest last."""
        if dist.get_rank() == 0:
            done = self._run.publish(
                Path(args.output_dir) / f"checkpoint-{state.global_step}", state.global_step
            )
            settings = self._run.recipe
            self._stop.every = interval(
                done.seconds,
                done.seconds,
                settings.interruptions.per_hour,
                settings.checkpoints.minimum_seconds,
            )

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:
        """Reports a step."""
        if "loss" in logs:
            self._run.report(
                Reading(
                    state.global_step,
                    logs["loss"],
                    logs.get("learning_rate", 0.0),
                    logs.get("grad_norm", 0.0),
                )
            )


class FineTuning:
    """One start of a supervised or preference training. RecipeError if the recipe can't be run."""

    def __init__(self, recipe: Recipe, options: Options, interruption: Interruption) -> None:
        recipe.check_against(dist.get_world_size())
        self.recipe, self.options = recipe, options
        self.folder = Folder(options.checkpoint_uri)
        self.ledger, self.metrics = Ledger(), Metrics(serve=os.environ.get("LOCAL_RANK", "0") == "0")
        self._stop = StopTogether(
            interruption,
            interval(1.0, 1.0, recipe.interruptions.per_hour, recipe.checkpoints.minimum_seconds),
            recipe.checkpoints.every_steps,
        )
        with scratch():
            self._scratch = tempfile.mkdtemp(prefix="fine-tuning-")
        self._trainer = self._build(interruption)
        model: Any = self._trainer.model
        config = model.config
        self._fingerprint = fingerprint(models.shapes(model))
        self._description = models.describe(model)
        count = sum(one.numel() for one in model.parameters())
        self._flops = flops_per_token(
            count, config.num_hidden_layers, config.hidden_size, recipe.data.sequence_length
        )
        self._progress: Progress | None = None
        self._resumed: Path | None = None

    def resume(self) -> None:
        """Copies the newest good checkpoint to this node, if there is one."""
        from_first(self.folder.remove_unpublished)
        newest, damages = newest_good_of_all(
            self.folder, lambda one: refuse_other(one, self._fingerprint, self._description, self.folder.uri)
        )
        for damage in damages:
            self._say(f"event=damaged checkpoint={damage!r} effect=an-older-one-is-taken")
        runs = from_first(lambda: read_runs(self.folder))
        if newest:
            self.ledger.restore(newest.details["ledger"])
            self._resumed = self._fetch(newest)
            self._say(f"event=resumed step={newest.step} ranks={dist.get_world_size()}")
        self.ledger.begin(runs, self.options.started)
        # A store that denies is heard of now, and not at the first save.
        from_first(lambda: write_runs(self.folder, self.ledger.runs))
        self.ledger.startup_seconds += time.time() - self.options.started

    def train(self) -> bool:
        """Trains to the last step; False if it was interrupted before that, and saved."""
        cuda = torch.cuda.is_available()
        peak = peak_flops(torch.cuda.get_device_name()) if cuda else None
        peak = peak * dist.get_world_size() if peak else None
        first = self.ledger.losses[-1][0] if self.ledger.losses else 0
        self._progress = Progress(self.recipe, self.ledger, self.metrics, first, self._flops, peak)
        self._began = time.perf_counter()
        self._trainer.train(resume_from_checkpoint=str(self._resumed) if self._resumed else None)
        if dist.get_rank() == 0:
            self.ledger.seen()
            write_runs(self.folder, self.ledger.runs)
            if not self._stop.stopped:
                write_report(self.folder, self.recipe, self.ledger)
        dist.barrier()
        if self._stop.stopped:
            self._say(f"event=stopped step={self._trainer.state.global_step}")
        return not self._stop.stopped

    def publish(self, checkpoint: Path, step: int) -> Save:
        """Publishes the files of a folder of this node."""
        began = time.perf_counter()
        name = new_name(step)
        written = [
            self.folder.write(name, file.name, file.read_bytes())
            for file in sorted(checkpoint.iterdir())
            if file.is_file()
        ]
        details = {
            "model": self._fingerprint,
            "description": self._description,
            "ledger": self.ledger.document(),
        }
        self.folder.publish(name, written, details)
        kept = self.recipe.checkpoints
        self.folder.retire(kept.keep, kept.keep_hours)
        seconds = time.perf_counter() - began
        self.ledger.stall_seconds += seconds
        self._say(f"event=saved step={step} seconds={seconds:.3f}")
        return Save(step, seconds, seconds)

    def report(self, reading: Reading) -> None:
        """Prints a step, and sets its metrics."""
        now = time.perf_counter()
        self.ledger.useful_seconds += now - self._began
        self._began = now
        self.ledger.add_loss(reading.step, reading.loss)
        if self._progress:
            self._say(self._progress.line(reading))

    def _build(self, interruption: Interruption) -> Any:
        recipe, cuda = self.recipe, torch.cuda.is_available()
        settings = recipe.optimizer
        common: dict[str, Any] = {
            "output_dir": self._scratch,
            "max_steps": recipe.steps,
            "per_device_train_batch_size": recipe.batch // dist.get_world_size() // recipe.accumulate,
            "gradient_accumulation_steps": recipe.accumulate,
            "learning_rate": settings.learning_rate,
            "weight_decay": settings.weight_decay,
            "max_grad_norm": settings.clip_norm,
            "warmup_steps": settings.warmup_steps,
            "lr_scheduler_type": "cosine",
            "bf16": recipe.precision == "bf16",
            "gradient_checkpointing": recipe.activation_checkpointing,
            "torch_compile": recipe.compile,
            "max_length": recipe.data.sequence_length,
            "seed": recipe.data.seed,
            "save_strategy": "no",
            "save_total_limit": 1,
            "logging_steps": 1,
            "report_to": "none",
            "disable_tqdm": True,
            "use_cpu": not cuda,
            "ddp_find_unused_parameters": False,
        }
        adapter = recipe.model.adapter
        peft = None
        if adapter:
            peft = LoraConfig(
                r=adapter.rank, lora_alpha=adapter.alpha, target_modules="all-linear", task_type="CAUSAL_LM"
            )
        model, tokenizer = _model_and_tokenizer(recipe)
        kinds = {"supervised": (SFTTrainer, SFTConfig), "preference": (DPOTrainer, DPOConfig)}
        trainer, config = kinds[recipe.loss]
        built = trainer(
            model=model,
            args=config(**common),
            train_dataset=read_rows(recipe.data.uri, recipe.loss),
            processing_class=tokenizer,
            peft_config=peft,
            callbacks=[self._stop],
        )
        # After ours: it publishes what the trainer has saved.
        built.add_callback(Publish(self, self._stop))
        return built

    def _fetch(self, newest: Published) -> Path:
        target = Path(self._scratch) / f"checkpoint-{newest.step}"
        target.mkdir()
        with scratch():
            for file in newest.files:
                (target / file.name).write_bytes(self.folder.read(newest.name, file.name))
        return target

    def _say(self, line: str) -> None:
        if dist.get_rank() == 0:
            print(line, flush=True)


def read_rows(uri: str, loss: str) -> Dataset:
    """The rows of the JSONL and Parquet files of a folder; RecipeError if they have not the columns of the loss."""
    with refusals(uri):
        files, root = fsspec.core.url_to_fs(uri.rstrip("/"))
        paths = sorted(path for path in listed(files, root) if path.endswith((".parquet", ".jsonl")))
        if not paths:
            raise RecipeError(f"data.uri {uri} holds no file that ends in .parquet or .jsonl")
        tables = []
        for path in paths:
            with files.open(path, "rb") as stream:
                try:
                    tables.append(
                        pq.read_table(stream) if path.endswith(".parquet") else pyarrow.json.read_json(stream)
                    )
                except pa.ArrowInvalid as error:
                    raise RecipeError(f"{path} can't be read: {error}") from error
    table = pa.concat_tables(tables, promote_options="default")
    for columns in COLUMNS[loss]:
        if columns <= set(table.column_names):
            return Dataset(table.select(sorted(columns)))
    wanted = " or ".join(" and ".join(sorted(columns)) for columns in COLUMNS[loss])
    raise RecipeError(
        f'data.uri {uri} has the columns {", ".join(table.column_names)}; "{loss}" needs {wanted}'
    )


def _model_and_tokenizer(recipe: Recipe) -> tuple[Any, Any]:
    source = models.folder(recipe)
    try:
        model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32)
        if recipe.model.name == TINY:
            return model, byte_tokenizer()
        return model, AutoTokenizer.from_pretrained(source)
    except (OSError, ValueError) as error:
        line = str(error).strip().splitlines()[0]
        raise RecipeError(f"model.name is {recipe.model.name}, which can't be loaded: {line}") from error
