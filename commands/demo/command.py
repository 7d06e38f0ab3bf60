"""`make demo`: the whole loop on the local cloud, stage by stage; a second run goes on where the first one ended."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from commands.console import console, step
from commands.demo import page
from commands.demo.platform import STACK, DemoError, Platform, environments
from commands.demo.stages import STAGES
from commands.page import policies
from commands.page.command import drawn, write
from commands.page.document import Figure
from commands.page.state import State
from commands.page.state import read as read_state
from commands.reclaim.command import CannotReclaimError
from commands.reclaim.interruption import NoticeLostError
from commands.setup import setup
from localcloud import cloud
from localcloud.directories import run_dir
from localcloud.engine import EngineError
from localcloud.kubernetes.api import ApiError, UnreachableError
from localcloud.store import Store
from localcloud.toolchain.errors import ToolchainError

# What each stage that ended has found: gone with the local cloud, as what it made is.
DONE = "demo"
PROGRAMS = ("training", "compression", "evaluation", "serving", "drift", "features", "gateway")
ERRORS = (
    *(DemoError, EngineError, ToolchainError, ApiError, UnreachableError),
    *(CannotReclaimError, NoticeLostError),
)


def demo() -> None:
    """From data to a better model in front of users, on this machine."""
    setup()
    with step("Environments of the pods (with torch some 6 GB, once)"):
        environments(PROGRAMS)
    platform = Platform()
    platform.open()
    record, began = cloud.store(), time.monotonic()
    if STACK not in cloud.stacks():
        forget(record, platform)
    for at, stage in enumerate(STAGES, start=1):
        if stage.name in record.items(DONE):
            console.print(f"[dim]{at}/{len(STAGES)} {stage.title}: done before[/]")
            continue
        console.print(f"[bold]{at}/{len(STAGES)} {stage.title}[/]")
        before = time.monotonic()
        found = stage.run(platform, record.items(DONE))
        record.put(DONE, stage.name, {**found, "stageSeconds": round(time.monotonic() - before)})
    file = run_dir() / "demo.html"
    write(drawn_of(record.items(DONE), read_state(STACK, None)), file)
    console.print(f"[green]✓[/] {time.monotonic() - began:.0f} s; wrote {file}", soft_wrap=True)


def forget(record: Store, platform: Platform) -> None:
    """What stages found in a stack that is gone, and its file: another stack kept the local cloud up."""
    for name in record.items(DONE):
        record.delete(DONE, name)
    platform.file.unlink(missing_ok=True)


def drawn_of(done: Mapping[str, Mapping[str, Any]], state: State) -> str:
    """The page: the stages, and the policies over what stands."""
    with step("Policies over the stack, for the page"):
        judged = policies.judge(state, "default")
    right = [sum(each["right"] for each in done[stage]["answers"]) for stage in ("serve", "promote")]
    figures = [
        Figure(
            "Answers",
            f"{right[1]} right",
            f"of {len(done['promote']['answers'])}; {right[0]} before",
            "serve",
        ),
        Figure(
            "Stages",
            str(len(STAGES)),
            f"in {sum(each['stageSeconds'] for each in done.values()):,} s",
            "rupees",
        ),
        Figure(
            "Violations",
            str(sum(finding.stops for finding in judged.record.open)),
            "of the policies",
            "policies",
        ),
    ]
    about = (
        "From data to a better model, on the local cloud of this machine: GPUs and the cloud's services are "
        "simulated, the programs in the pods are real."
    )
    return drawn("The whole loop", about, figures, [*page.sections(done), policies.section(judged)])
