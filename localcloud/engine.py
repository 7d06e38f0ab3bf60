"""Drives the real Pulumi engine for a stack on the local cloud: preview, up, refresh, destroy, with recovery."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from pulumi import automation
from pulumi.automation.events import EngineEvent, PolicyEvent

from .paths import PROJECT, run_dir

POLICIES = PROJECT / "policies"


@dataclass
class Outcome:
    """What an operation of the engine said: resources by kind of change, policy findings, errors."""

    changes: Counter[str] = field(default_factory=Counter)
    policies: list[PolicyEvent] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    failed: bool = False
    seconds: float = 0.0

    @property
    def unchanged(self) -> bool:
        return not self.failed and set(self.changes) <= {"same"}


class EngineError(Exception):
    """The engine can't be used now; the message says what to do."""


# kind of step, resource type, logical name
OnStep = Callable[[str, str, str], None]


class Stack:
    """A stack whose project is this one (or `project`), kept in the local cloud's own state."""

    def __init__(
        self, name: str, env: dict[str, str], project: Path = PROJECT, config_file: Path | None = None
    ) -> None:
        self.name = name
        self.config_file = config_file
        self._stack = automation.create_or_select_stack(
            name,
            work_dir=str(project),
            opts=automation.LocalWorkspaceOptions(
                env_vars=env,
                pulumi_home=env["PULUMI_HOME"],
                pulumi_command=automation.PulumiCommand(root=str(run_dir())),
            ),
        )

    def preview(self, on_step: OnStep | None = None, policies: bool = True) -> Outcome:
        return self._run(self._stack.preview, on_step, policies)

    def up(self, on_step: OnStep | None = None, policies: bool = True) -> Outcome:
        return self._run(self._stack.up, on_step, policies, show_secrets=False)

    def refresh(self, on_step: OnStep | None = None) -> Outcome:
        return self._run(self._stack.refresh, on_step, policies=False)

    def destroy(self, on_step: OnStep | None = None) -> Outcome:
        return self._run(self._stack.destroy, on_step, policies=False)

    def resources(self) -> list[dict]:
        """The resources of the state file, as the engine keeps them."""
        return (self._stack.export_stack().deployment or {}).get("resources", [])

    def pending(self) -> list[str]:
        """URNs of operations that a killed engine began and never finished."""
        deployment = self._stack.export_stack().deployment or {}
        return [operation["resource"]["urn"] for operation in deployment.get("pending_operations") or []]

    def outputs(self) -> dict:
        return {name: output.value for name, output in self._stack.outputs().items()}

    def release_lock(self) -> str | None:
        """Free a stack that a killed run left locked; returns what was done. A run that lives is not disturbed."""
        locks = list((run_dir() / "state" / ".pulumi" / "locks").rglob(f"{self.name}/*.json"))
        if not locks:
            return None
        for lock in locks:
            _end_orphan(json.loads(lock.read_text())["pid"])
        self._stack.cancel()
        return "a killed run had left the stack locked"

    def _run(self, operation, on_step: OnStep | None, policies: bool, **options) -> Outcome:
        outcome = Outcome()
        began = time.monotonic()
        if policies:
            options["policy_packs"] = [str(POLICIES)]
        if self.config_file:
            options["config_file"] = str(self.config_file)
        try:
            operation(on_event=lambda event: _note(event, outcome, on_step), color="never", **options)
        except automation.CommandError as error:
            outcome.failed = True
            if not outcome.errors:
                outcome.errors.append(str(error))
        outcome.seconds = time.monotonic() - began
        return outcome


def _note(event: EngineEvent, outcome: Outcome, on_step: OnStep | None) -> None:
    if event.policy_event:
        outcome.policies.append(event.policy_event)
    if event.diagnostic_event and event.diagnostic_event.severity == "error":
        where = (event.diagnostic_event.urn or "").split("::")[2:]
        outcome.errors.append(" ".join([*where, event.diagnostic_event.message.strip()]))
    if event.summary_event:
        outcome.changes = Counter({str(k): n for k, n in event.summary_event.resource_changes.items()})
    step = event.resource_pre_event or event.res_outputs_event
    if step and on_step:
        kind = "begun" if event.resource_pre_event else "done"
        _, _, types, name = step.metadata.urn.split("::", 3)
        on_step(f"{kind} {step.metadata.op.value}", types.split("$")[-1], name)


def _end_orphan(pid: int) -> None:
    """End the engine of a run whose command was killed; refuse if the command still lives."""
    try:
        process = psutil.Process(pid)
        if "pulumi" not in process.name():
            return
        parent = process.parent()
    except psutil.NoSuchProcess:
        return
    if parent and parent.pid not in (1, os.getpid()):
        raise EngineError(f"process {pid} is changing this stack now: wait for it, or stop it, and run again")
    for number, patience in ((signal.SIGINT, 60), (signal.SIGKILL, 5)):
        process.send_signal(number)
        try:
            process.wait(patience)
            return
        except psutil.TimeoutExpired:
            continue
