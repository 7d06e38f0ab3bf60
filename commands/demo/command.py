"""`make demo`: the whole loop on the local cloud, stage by stage; a second run goes on where the first one ended."""

from __future__ import annotations

import time

from commands.console import console, step
from commands.demo.platform import DemoError, Platform, environments
from commands.demo.record import Record
from commands.demo.stages import STAGES
from commands.setup import setup
from localcloud.engine import EngineError
from localcloud.toolchain.errors import ToolchainError

ERRORS = (DemoError, EngineError, ToolchainError)


def demo() -> None:
    """From data to a better model in front of users, on this machine."""
    setup()
    with step("Environments of the pods (with torch some 6 GB, once)"):
        environments(["training", "compression"])
    record, platform = Record.of_cloud(), Platform()
    began = time.monotonic()
    for at, stage in enumerate(STAGES, start=1):
        if stage.name in record.stages():
            console.print(f"[dim]{at}/{len(STAGES)} {stage.title}: done before[/]")
            continue
        console.print(f"[bold]{at}/{len(STAGES)} {stage.title}[/]")
        before = time.monotonic()
        found = stage.run(platform, record.stages())
        record.add(stage.name, {**found, "stageSeconds": round(time.monotonic() - before)})
    console.print(f"[green]✓[/] {time.monotonic() - began:.0f} s")
