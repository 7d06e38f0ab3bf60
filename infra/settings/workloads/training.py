"""Settings of the training job. What it trains is in the words of the trainer's recipe (workloads/training/trainer)."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field

from infra.settings.errors import refuse
from infra.settings.fields import DnsLabel, Rule
from infra.settings.model import Model
from infra.settings.workloads.workload import Image, PoolUse, WorkloadSettings

# The buckets of the stack's lake that a training job may read, written `{models}/released/llama`.
LAKE_BUCKETS = ("models", "curated", "features")
Runner = Literal["job", "trainjob", "rayjob"]
Recovery = Literal["checkpoints", "replicas"]


def _folder(text: str) -> str:
    braces = re.findall(r"\{[^}]*\}?|\}", text)
    if not braces or (len(braces) == 1 and re.match(rf"\{{({'|'.join(LAKE_BUCKETS)})\}}/.", text)):
        return text
    raise refuse(_FOLDER)


_FOLDER = (
    "a folder: {models}/…, {curated}/… or {features}/… of the lake, s3://…, gs://…, or a path in the image"
)
Folder = Annotated[str, Field(min_length=1), Rule(_folder, _FOLDER)]


class Adapter(Model):
    """LoRA: matrices beside the model's own are trained instead of it."""

    rank: int = Field(ge=1, description="The rank of the matrices, such as 16.")
    alpha: float = Field(default=16, gt=0, description="The matrices are scaled by `alpha` / `rank`.")


class TrainedModel(Model):
    """The model that is trained."""

    name: Folder = Field(
        default="tiny",
        description="A folder with a causal model of Hugging Face, such as "
        '"{models}/released/qwen3-8b", or a path in the image. tiny: a model of four layers, to try a cluster with.',
    )
    adapter: Adapter | None = Field(
        default=None, description="With it LoRA is trained, without it every weight."
    )


class TrainingData(Model):
    """What it is trained on."""

    uri: Folder = Field(
        default="builtin",
        description="A folder that `python -m trainer.prepare` wrote, such as "
        '"{features}/tokens/wiki". builtin: a few texts, to try a cluster with.',
    )
    tokenizer: Folder = Field(
        default="bytes",
        description="The folder of the tokenizer that prepared the data; bytes: one token a byte.",
    )
    sequence_length: int = Field(default=128, ge=2, description="Tokens of a sequence.")
    seed: int = Field(default=0, ge=0, description="Of the order of the samples.")
    commit: str | None = Field(
        default=None,
        min_length=1,
        description="Which version of the data it is, for the record of the run: DVC's md5 of the folder (….dir), or a "
        "commit of lakeFS.",
    )
    remote: Folder | None = Field(
        default=None,
        description='DVC\'s remote that has that commit, such as "{curated}/dvc": docs/versions.md.',
    )


class TrainingMesh(Model):
    """How the ranks share the model and the batch. The product is the number of GPUs of the job."""

    pipeline: int = Field(
        default=1,
        ge=1,
        description="Stages of layers, one after the other; at most `accumulate`, whose parts go through them.",
    )
    replicate: int = Field(default=1, ge=1, description="Copies of the model (DDP, or HSDP with `shard`).")
    shard: int | None = Field(
        default=None,
        ge=1,
        description="Ranks that share one copy's weights and optimizer (FSDP). Unless given, those that the "
        "others leave.",
    )
    tensor: int = Field(default=1, ge=1, description="Ranks that share each layer's matrices, of one node.")


class TrainingOptimizer(Model):
    """AdamW, whose learning rate rises and then falls as a cosine to a tenth."""

    learning_rate: float = Field(default=3e-4, gt=0, description="The highest learning rate.")
    warmup_steps: int = Field(default=0, ge=0, description="Steps until it is reached.")
    weight_decay: float = Field(default=0.1, ge=0, description="The decay of the weights.")
    clip_norm: float = Field(default=1, gt=0, description="The norm that gradients are clipped to.")


class TrainingCheckpoints(Model):
    """How often the job saves, and what it keeps."""

    keep: int = Field(default=2, ge=1, description="Newest checkpoints that are kept.")
    keep_hours: float | None = Field(
        default=None, gt=0, description="Older ones go, but never the newest; for ever unless given."
    )
    minimum_seconds: float = Field(default=10, ge=0, description="The least time between two checkpoints.")
    every_steps: int | None = Field(
        default=None,
        ge=1,
        description="Steps between checkpoints. Unless given, the interval follows from what a save costs "
        "and how often nodes are taken back: docs/training.md.",
    )


class TrainingTracking(Model):
    """Where metrics are sent to besides Prometheus."""

    mlflow_uri: str | None = Field(
        default=None,
        min_length=1,
        description="The address of your MLflow server. The stack's own in the same cloud (`workloads.tracking`), "
        "where it has one, unless given.",
    )
    wandb: str | None = Field(
        default=None, min_length=1, description="The address of your own Weights & Biases server."
    )


class TrainingRetraining(Model):
    """A suspended CronJob with the same job on another commit of the data: drift makes a Job of it (docs/drift.md)."""

    data: Folder = Field(
        pattern=r".*\$\(DATA_COMMIT\)(/.*)?",
        description="The folder of a commit of the data, such as "
        '"{features}/tokens/wiki/$(DATA_COMMIT)", as `python -m trainer.prepare` wrote it.',
    )
    hours: float = Field(
        gt=0, description="Hours after which a run is ended; what it is estimated to cost is that of so many."
    )


class Training(WorkloadSettings):
    """A distributed training job."""

    name: DnsLabel = Field(default="train", description="The job's name.")
    pool: DnsLabel = Field(description="The pool that it runs on, by its name.")
    image: Image = Field(
        description="The image that workloads/training/Dockerfile builds, such as "
        '"{registry}/india-ai-infra/training:2026.11". docs/registries.md says how it gets there.'
    )
    nodes: int = Field(default=1, ge=1, description="Workers, each on a node of its own.")
    gpus_per_node: int = Field(default=1, ge=1, description="GPUs of each worker.")
    runner: Runner = Field(
        default="job",
        description="What runs the workers: a Job of Kubernetes, a TrainJob of Kubeflow Trainer, or a RayJob of "
        "KubeRay. "
        "The operators of the last two are installed when they are asked for: docs/training.md.",
    )
    recovery: Recovery = Field(
        default="checkpoints",
        description="What a node that goes costs. checkpoints: all workers end, and start again from the newest. "
        "replicas: the others go on, and a new one copies them; each worker holds the whole model, and `mesh` is that "
        "of one worker: docs/training.md.",
    )
    model: TrainedModel = Field(default=TrainedModel(), description="The model that is trained.")
    data: TrainingData = Field(default=TrainingData(), description="What it is trained on.")
    loss: Literal["pretrain", "supervised", "preference"] = Field(
        default="pretrain",
        description="What is learnt: the next token (pretrain), answers to prompts (supervised), or which of two "
        "answers is better (preference, by DPO).",
    )
    steps: int = Field(default=1000, ge=1, description="Optimizer steps.")
    batch: int = Field(default=32, ge=1, description="Sequences of a step, over all GPUs.")
    accumulate: int = Field(
        default=1, ge=1, description="Parts that a step's batch is computed in, one after the other."
    )
    mesh: TrainingMesh = Field(default=TrainingMesh(), description="How GPUs share the model and the batch.")
    precision: Literal["bf16", "fp32"] = Field(
        default="bf16", description="What matrices are multiplied in; weights stay in fp32."
    )
    compile: bool = Field(default=False, description="Compile the model (torch.compile).")
    activation_checkpointing: bool = Field(
        default=False, description="Compute activations again on the way back: less memory, more time."
    )
    optimizer: TrainingOptimizer = Field(default=TrainingOptimizer(), description="The optimizer.")
    checkpoints: TrainingCheckpoints = Field(
        default=TrainingCheckpoints(), description="How often the job saves, and what it keeps."
    )
    interruptions_per_hour: float | None = Field(
        default=None,
        ge=0,
        description="Interruptions that the whole job expects in an hour. From the machines' band in the "
        "catalogue unless given.",
    )
    tracking: TrainingTracking = Field(
        default=TrainingTracking(), description="Where metrics are sent to besides Prometheus."
    )
    code_commit: str | None = Field(
        default=None,
        pattern=r"^[0-9a-f]{40}(-dirty)?$",
        description="The commit of this repository that the job's program is of, for the record of the run: "
        "what `git describe --always --abbrev=40 --dirty` prints. Another one is another Job.",
    )

    retraining: TrainingRetraining | None = Field(
        default=None, description="A template that the job is run from again; none unless given."
    )

    @property
    def pool_use(self) -> PoolUse:
        """The pool that the job runs on, and the nodes and GPUs that it takes of it."""
        return PoolUse(self.pool, self.gpus_per_node, "gpusPerNode", self.nodes)
