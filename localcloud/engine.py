"""Drives the real Pulumi engine for a stack on the local cloud: preview, up, refresh, destroy, with recovery."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml
from pulumi import automation
from pulumi.automation.events import EngineEvent, OpType, PolicyEvent

from infra.stacks import read as read_stack
from localcloud import deployer, google_deployer, google_networks
from localcloud.directories import PROJECT, bin_dir, run_dir
from localcloud.faults import Fault, causes, describe

POLICIES = PROJECT / "policies"
_UNPROTECTED = {"forceDestroy": True, "deletionProtection": False}
_REPLACES = (OpType.REPLACE, OpType.CREATE_REPLACEMENT, OpType.DELETE_REPLACED)
# The engine writes the whole state before and after each step: half of the time of an update of some 600 resources.
# Here it writes at the end; of a run that is killed the local cloud knows by the lock, and begins anew.
_ONE_WRITE = {"PULUMI_SKIP_CHECKPOINTS": "true"}
_ENCRYPTION = ("encryptionsalt", "encryptedkey", "secretsprovider")


@dataclass
class Outcome:
    """The result of an operation of the engine: resources by kind of change, policy findings, errors, and the resources
    that it would replace or has replaced."""

    changes: Counter[str] = field(default_factory=Counter)
    policies: list[PolicyEvent] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    replaced: dict[str, list[str]] = field(default_factory=dict)
    failed: bool = False
    seconds: float = 0.0

    @property
    def errors(self) -> list[str]:
        """What a person reads of the faults: the first cause first; of findings, which are shown apart, how many."""
        refused = sum(found.enforcement_level == "mandatory" for found in self.policies)
        if refused and not causes(self.faults):
            return [f"the policies refuse it: {refused} mandatory findings"]
        return describe(self.faults, self.replaced)

    @property
    def unchanged(self) -> bool:
        """Whether it ended well and changed no resource."""
        return not self.failed and set(self.changes) <= {"same"}


@dataclass(frozen=True)
class PolicyPack:
    """A policy pack's folder, and the policy config that it runs under."""

    folder: Path
    config: Path | None = None


OUR_PACK = PolicyPack(POLICIES, POLICIES / "profiles" / "default.json")


class EngineError(Exception):
    """The engine can't be used now; the message says what to do."""


# kind of step, resource type, logical name
OnStep = Callable[[str, str, str], None]


class Stack:
    """A stack whose project is this one (or `project`), kept in the local cloud's own state.

    It runs in a folder of the local cloud with a copy of the stack's file, because the engine writes to that file.
    """

    def __init__(
        self,
        name: str,
        env: dict[str, str],
        project: Path = PROJECT,
        config_file: Path | None = None,
        pack: PolicyPack = OUR_PACK,
    ) -> None:
        self.name = name
        self.config_file = config_file or project / f"Pulumi.{name}.yaml"
        if self.config_file.exists():
            callers = (deployer, google_deployer)
            env = env | {k: v for caller in callers for k, v in caller.environment(self.config_file).items()}
        self._env = {**os.environ, **env}
        self._project = project
        self._pack = pack
        self._folder = self._workspace()
        options = automation.LocalWorkspaceOptions(
            env_vars={**env, **_ONE_WRITE},
            pulumi_home=env["PULUMI_HOME"],
            pulumi_command=_cli(run_dir()),
        )
        with _refusals():
            self._stack = automation.create_or_select_stack(name, work_dir=str(self._folder), opts=options)

    def preview(self, on_step: OnStep | None = None, policies: bool = True) -> Outcome:
        """What an update would change; `on_step` hears of each step."""
        return self._run(self._stack.preview, on_step, policies)

    def up(self, on_step: OnStep | None = None, policies: bool = True) -> Outcome:
        """Make the stack what the program asks for."""
        return self._run(self._stack.up, on_step, policies, show_secrets=False)

    def refresh(self, on_step: OnStep | None = None) -> Outcome:
        """Read every resource again, and take what it is into the state."""
        return self._run(self._stack.refresh, on_step, policies=False)

    def destroy(self, on_step: OnStep | None = None) -> Outcome:
        """Delete every resource of the stack."""
        return self._run(self._stack.destroy, on_step, policies=False)

    def registered(self, refused: Callable[[], bool] | None = None) -> list[dict]:
        """The resources that the program would register, as a preview knows them.

        The policies are asked where `refused` is given: it says, after the preview, whether they refused the program.

        Raises:
            EngineError: the program failed, and not for what the policies refuse.
        """
        self._workspace()
        command = [bin_dir() / "pulumi", "preview", "--stack", self.name, "--json", "--show-sames"]
        env = {**self._env, **google_networks.environment(self.config_file)}
        if refused:
            command += ["--policy-pack", self._pack.folder]
            command += ["--policy-pack-config", self._pack.config] if self._pack.config else []
        done = subprocess.run(command, cwd=self._folder, env=env, capture_output=True, text=True, check=False)
        try:
            preview = json.loads(done.stdout)
        except json.JSONDecodeError:
            raise EngineError(done.stderr or done.stdout) from None
        if done.returncode and not (refused and refused()):
            errors = [d for d in preview.get("diagnostics", []) if d.get("severity") == "error"]
            faults = [Fault(d.get("urn", ""), d["message"].strip()) for d in errors]
            raise EngineError("\n".join(describe(faults, {})) or done.stderr)
        return [step["newState"] for step in preview["steps"] if "newState" in step]

    @property
    def folder(self) -> Path:
        """Where the engine runs: its positions in the program are relative to it."""
        return self._folder

    def resources(self) -> list[dict]:
        """The resources of the state file, as the engine keeps them."""
        return self._deployment().get("resources", [])

    def pending(self) -> list[str]:
        """URNs of operations that a killed engine began and never finished."""
        return [
            operation["resource"]["urn"] for operation in self._deployment().get("pending_operations") or []
        ]

    def unprotect(self) -> int:
        """Lift every protection in the state, of a stack that came up half too; returns how many there were.

        Enough on the local cloud, where providers ask the state; a real cloud guards by itself.
        """
        exported = self._stack.export_stack()
        lifted = sum(map(_lift, (exported.deployment or {}).get("resources", [])))
        if lifted:
            self._stack.import_stack(exported)
        return lifted

    def _deployment(self) -> dict:
        """What `pulumi stack export` would print, in a hundredth of its time: the state's file."""
        folder = run_dir() / "state" / ".pulumi" / "stacks" / self._folder.parent.name
        return json.loads((folder / f"{self.name}.json").read_text())["checkpoint"].get("latest") or {}

    def exported(self) -> dict[str, Any]:
        """What `pulumi stack export --show-secrets` prints. EngineError: the engine can't open its secrets."""
        with _refusals():
            state = self._stack.export_stack()
        return {"version": state.version, "deployment": state.deployment}

    def outputs(self) -> dict:
        """The stack's outputs, by name."""
        return {name: output.value for name, output in self._stack.outputs().items()}

    def release_lock(self) -> bool:
        """Free a stack that a killed run left locked, if one did. A run that lives is not disturbed."""
        locks = list((run_dir() / "state" / ".pulumi" / "locks").rglob(f"{self.name}/*.json"))
        for lock in locks:
            _end_orphan(json.loads(lock.read_text())["pid"])
        if locks:
            self._stack.cancel()
        return bool(locks)

    def _workspace(self) -> Path:
        """A project file that points at the program, and the stack's file as it is now, without what only the real
        cloud can
        open: secrets of a real stack are under KMS, and a local cloud encrypts under a passphrase of its own."""
        settings = yaml.safe_load((self._project / "Pulumi.yaml").read_text())
        folder = run_dir().resolve() / "workspaces" / settings["name"] / self.name
        folder.mkdir(parents=True, exist_ok=True)
        settings["main"] = str((self._project / settings.get("main", "")).resolve())
        if isinstance(settings["runtime"], dict) and "virtualenv" in (
            options := settings["runtime"]["options"]
        ):
            options["virtualenv"] = str(self._project / options["virtualenv"])
        (folder / "Pulumi.yaml").write_text(yaml.safe_dump(settings))
        copy = folder / f"Pulumi.{self.name}.yaml"
        before, given = (read_stack(file) if file.exists() else {} for file in (copy, self.config_file))
        salt = {"encryptionsalt": before["encryptionsalt"]} if "encryptionsalt" in before else {}
        stays = {key: value for key, value in given.items() if key not in _ENCRYPTION}
        stays["config"] = {key: _opened(value) for key, value in (stays.get("config") or {}).items()}
        copy.write_text(yaml.safe_dump({**stays, **salt}))
        return folder

    def _run(self, operation, on_step: OnStep | None, policies: bool, **options) -> Outcome:
        self._workspace()
        outcome = Outcome()
        began = time.monotonic()
        if policies:
            options["policy_packs"] = [str(self._pack.folder)]
            if self._pack.config:
                options["policy_pack_configs"] = [str(self._pack.config)]
        try:
            operation(on_event=lambda event: _note(event, outcome, on_step), color="never", **options)
        except automation.CommandError as error:
            outcome.failed = True
            # The engine's whole output, where nothing better is known.
            if not outcome.errors:
                outcome.faults.append(Fault("", str(error)))
        outcome.seconds = time.monotonic() - began
        return outcome


@contextmanager
def _refusals() -> Iterator[None]:
    """What the engine refuses, as an EngineError in its own words, without what it was called with."""
    try:
        yield
    except automation.CommandError as error:
        raise EngineError(str(error).rpartition("stderr: ")[2].removeprefix("error: ").strip()) from None


@functools.cache
def _cli(root: Path) -> automation.PulumiCommand:
    """The CLI of a run directory. It is asked for its version, half a second of a processor, once."""
    return automation.PulumiCommand(root=str(root))


def _lift(resource: dict[str, Any]) -> bool:
    """Take a resource's protections off; whether it had any."""
    had = bool(resource.pop("protect", False))
    for values in (resource.get("inputs", {}), resource.get("outputs", {})):
        for name, off in _UNPROTECTED.items():
            if values.get(name) is (not off):
                values[name], had = off, True
    return had


def _opened(setting: Any) -> Any:
    """The setting, or a placeholder where it is a secret of a real stack, which the local cloud can't decrypt."""
    return "local" if isinstance(setting, dict) and set(setting) == {"secure"} else setting


def _note(event: EngineEvent, outcome: Outcome, on_step: OnStep | None) -> None:
    if event.policy_event:
        outcome.policies.append(event.policy_event)
    if event.diagnostic_event and event.diagnostic_event.severity == "error":
        about = event.diagnostic_event
        outcome.faults.append(Fault(about.urn or "", about.message.strip()))
    if event.summary_event:
        outcome.changes = Counter({str(k): n for k, n in event.summary_event.resource_changes.items()})
    if event.resource_pre_event and event.resource_pre_event.metadata.op in _REPLACES:
        planned = event.resource_pre_event.metadata
        keys = outcome.replaced.setdefault(planned.urn, [])
        keys += [key for key in planned.keys or () if key not in keys]
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
