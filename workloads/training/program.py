"""Trains a small language model with DDP, and survives being stopped at any moment.

Runs under torchrun: NCCL and bf16 on GPUs, gloo and fp32 on CPUs. Every process holds the whole model; a step's global
batch is a function of the seed and the step alone, so a job resumed on any number of ranks sees the same data. Prints a
JSON object a line: `{"step", "loss", "tokens_per_second"}` and `{"event": "resumed" | "saved" | "stopped", "step"}`.

Exit codes: 0 trained to the last step; 75 stopped on SIGTERM after saving.
"""

import argparse
import json
import os
import signal
import sys
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import FrameType

import torch
import torch.distributed as dist
from checkpoints import Checkpoints
from torch import nn
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.nn.parallel import DistributedDataParallel

STOPPED = 75
VOCABULARY = 64


@dataclass(frozen=True)
class Config:
    """What a run is told. `batch` is in sequences over all ranks, `sequence` in tokens."""

    checkpoint_uri: str
    steps: int
    batch: int
    sequence: int
    width: int
    layers: int
    learning_rate: float
    seed: int
    checkpoint_every: int
    log_every: int
    timeout_seconds: int
    ready_file: Path | None


def parse(arguments: list[str]) -> Config:
    """The configuration in a command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--checkpoint-uri", required=True, help="folder of this job: a path or s3://bucket/prefix"
    )
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=32, help="sequences a step, over all ranks")
    parser.add_argument("--sequence", type=int, default=32, help="tokens a sequence")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--checkpoint-every", type=int, default=100, help="steps")
    parser.add_argument("--log-every", type=int, default=10, help="steps")
    parser.add_argument(
        "--timeout-seconds", type=int, default=600, help="a collective that takes longer has lost a rank"
    )
    parser.add_argument("--ready-file", type=Path, help="made once all ranks have met")
    return Config(**vars(parser.parse_args(arguments)))


class LanguageModel(nn.Module):
    """A decoder-only transformer: (batch, sequence) tokens in, (batch, sequence, vocabulary) logits out."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.tokens = nn.Embedding(VOCABULARY, config.width)
        self.positions = nn.Parameter(torch.randn(config.sequence, config.width) * 0.02)
        layer = nn.TransformerEncoderLayer(
            config.width,
            nhead=4,
            dim_feedforward=4 * config.width,
            dropout=0.0,
            batch_first=True,
            norm_first=True,
        )
        self.layers = nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False)
        self.head = nn.Linear(config.width, VOCABULARY)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        length = tokens.shape[1]
        future = nn.Transformer.generate_square_subsequent_mask(length, device=tokens.device)
        hidden = self.tokens(tokens) + self.positions[:length]
        return self.head(self.layers(hidden, mask=future, is_causal=True))


def batch(config: Config, step: int) -> torch.Tensor:
    """This rank's part of the step's sequences, (rank's batch, sequence + 1). Each token decides the next."""
    ranks = dist.get_world_size()
    if config.batch % ranks:
        raise ValueError(
            f"--batch {config.batch} can't be shared by {ranks} ranks: give a multiple of {ranks}"
        )
    generator = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
    token = torch.randint(VOCABULARY, (config.batch,), generator=generator)
    sequences = [token]
    for _ in range(config.sequence):
        token = (5 * token + 7) % VOCABULARY
        sequences.append(token)
    return torch.stack(sequences, dim=1).chunk(ranks)[dist.get_rank()]


class StopRequest:
    """Remembers a SIGTERM. `agreed` is true on every rank as soon as any has one: the notice reaches one node only."""

    def __init__(self) -> None:
        self._asked = False
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, _signal: int, _frame: FrameType | None) -> None:
        self._asked = True

    def agreed(self) -> bool:
        asked = torch.tensor([int(self._asked)])  # on the CPU, and so over gloo: does not wait for the GPU
        dist.all_reduce(asked, op=dist.ReduceOp.MAX)
        return bool(asked.item())


def report(**values: float | str) -> None:
    """Prints one JSON line, on the first rank only."""
    if dist.get_rank() == 0:
        print(json.dumps(values), flush=True)


class Trainer:
    """Model, optimizer and the step they are at."""

    def __init__(self, config: Config, device: torch.device) -> None:
        torch.manual_seed(config.seed)
        self.config = config
        self.device = device
        self.step = 0
        model = LanguageModel(config).to(device)
        self.model = DistributedDataParallel(
            model, device_ids=[device.index] if device.type == "cuda" else None
        )
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=config.learning_rate)
        self.checkpoints = Checkpoints(config.checkpoint_uri)

    def resume(self) -> None:
        """Goes to the newest complete checkpoint, if there is one."""
        newest = self.checkpoints.newest()
        if newest is None:
            return
        model, optimizer = get_state_dict(self.model, self.optimizer)
        self.checkpoints.load(newest, {"model": model, "optimizer": optimizer})
        set_state_dict(self.model, self.optimizer, model_state_dict=model, optim_state_dict=optimizer)
        self.step = newest
        report(event="resumed", step=newest)

    def save(self) -> None:
        """Writes a checkpoint of the present step."""
        model, optimizer = get_state_dict(self.model, self.optimizer)
        self.checkpoints.save(self.step, {"model": model, "optimizer": optimizer})
        report(event="saved", step=self.step)

    def train_step(self) -> torch.Tensor:
        """One optimizer step; the mean loss over this rank's tokens, still on the device."""
        sequences = batch(self.config, self.step).to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            logits = self.model(sequences[:, :-1])
            loss = nn.functional.cross_entropy(logits.flatten(0, 1), sequences[:, 1:].flatten())
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.step += 1
        return loss.detach()

    def train(self, stop: StopRequest) -> bool:
        """Trains to the last step, saving on the way; False if it was asked to stop, and saved, before that."""
        logged_at, logged_step, saved_step = time.perf_counter(), self.step, self.step
        while self.step < self.config.steps:
            loss = self.train_step()
            if self.step % self.config.log_every == 0:
                dist.all_reduce(loss)
                tokens = (self.step - logged_step) * self.config.batch * self.config.sequence
                now = time.perf_counter()
                mean = loss.item() / dist.get_world_size()
                report(step=self.step, loss=mean, tokens_per_second=round(tokens / (now - logged_at)))
                logged_at, logged_step = now, self.step
            stopping = stop.agreed()
            if stopping or self.step % self.config.checkpoint_every == 0 or self.step == self.config.steps:
                self.save()
                saved_step = self.step
            if stopping and saved_step < self.config.steps:
                report(event="stopped", step=self.step)
                return False
        return True


def main(arguments: list[str]) -> int:
    """Trains as the command line says; the exit code."""
    config = parse(arguments)
    stop = StopRequest()
    local_rank = int(os.environ["LOCAL_RANK"])
    cuda = torch.cuda.is_available()
    device = torch.device("cuda", local_rank) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if cuda else "gloo", timeout=timedelta(seconds=config.timeout_seconds)
    )
    try:
        trainer = Trainer(config, device)
        trainer.resume()
        if config.ready_file:
            config.ready_file.touch()
        return 0 if trainer.train(stop) else STOPPED
    finally:
        dist.destroy_process_group()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
