"""What the policy pack adds to a preview: none, one whose policy does nothing, and ours, over more resources."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from commands.console import console, step
from localcloud.directories import run_dir
from localcloud.engine import OUR_PACK, EngineError, PolicyPack, Stack

SIZES = (100, 1000, 5000)
# Stores, logs and identities as a platform has them, with what the pack asks of each.
PROGRAM = """import json
import pulumi
import pulumi_aws as aws
count = pulumi.Config().require_int("count")
opts = pulumi.ResourceOptions(provider=aws.Provider("aws", region="ap-south-1"))
tags = {"dpdp:data-class": "internal", "dpdp:owner": "bench", "dpdp:purpose": "bench", "dpdp:retention-days": "400"}
key = "arn:aws:kms:ap-south-1:111122223333:key/bench"
trust = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}]})
for number in range(count):
    if number % 3 == 0:
        aws.sqs.Queue(f"queue-{number}", kms_master_key_id=key, tags=tags, opts=opts)
    elif number % 3 == 1:
        aws.cloudwatch.LogGroup(f"log-{number}", retention_in_days=400, kms_key_id=key, tags=tags, opts=opts)
    else:
        aws.iam.Role(f"role-{number}", assume_role_policy=trust, tags=tags, opts=opts)
"""
NOTHING = """from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy
PolicyPack("nothing", [ResourceValidationPolicy(
    name="nothing", description="Does nothing", enforcement_level=EnforcementLevel.ADVISORY,
    validate=lambda args, report: None)])
"""

Seconds = Mapping[str, float]


def measure(env: dict[str, str], sizes: Sequence[int] = SIZES, repeats: int = 1) -> dict[int, Seconds]:
    """Seconds of a preview from nothing, by how many resources and which pack. The packs take turns, since a machine
    may slow down."""
    home = run_dir() / "bench-policies"
    project, empty = (
        _folder(home / "program", PROGRAM, "Pulumi.yaml"),
        _folder(home / "nothing", NOTHING, "PulumiPolicy.yaml"),
    )
    packs = {"no pack": None, "empty pack": PolicyPack(empty), "this pack": OUR_PACK}
    found: dict[int, Seconds] = {}
    for count in sizes:
        (project / "Pulumi.bench.yaml").write_text(f"config: {{bench:count: {count}}}\n")
        taken: dict[str, list[float]] = {name: [] for name in packs}
        with step(f"policies over {count} resources") as report:
            for turn in range(repeats):
                for number, (name, pack) in enumerate(packs.items()):
                    report(turn * len(packs) + number, repeats * len(packs), name)
                    taken[name].append(_preview(env, project, pack))
        found[count] = {name: statistics.median(seconds) for name, seconds in taken.items()}
    return found


def show(found: Mapping[int, Seconds]) -> None:
    """Print the seconds of a preview by number of resources: without a pack, with an empty one and with this one."""
    table = Table(
        title="Preview from nothing, and the pack's part in it", title_justify="left", box=SIMPLE_HEAD
    )
    for column in (
        "resources",
        "no pack, s",
        "empty pack, s",
        "this pack, s",
        "÷ empty pack",
        "ms a resource more",
    ):
        table.add_column(column, justify="right")
    for count, seconds in found.items():
        none, empty, ours = seconds.values()
        more = (ours - empty) / count * 1000
        table.add_row(
            f"{count:,}", f"{none:.1f}", f"{empty:.1f}", f"{ours:.1f}", f"{ours / empty:.2f} ×", f"{more:.1f}"
        )
    console.print(table)


def _preview(env: dict[str, str], project: Path, pack: PolicyPack | None) -> float:
    stack = Stack("bench", env, project, pack=pack or OUR_PACK)
    outcome = stack.preview(policies=pack is not None)
    if outcome.failed:
        raise EngineError("\n".join([*outcome.errors, *(found.message for found in outcome.policies)]))
    return outcome.seconds


def _folder(folder: Path, program: str, named: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / named).write_text("name: bench\nversion: 0.0.1\nruntime: python\n")
    (folder / "__main__.py").write_text(program)
    return folder
