"""One container of a pod: its process, its probes, and its starts anew."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from localcloud.kubernetes.agent import probes
from localcloud.kubernetes.agent.memory import Watch
from localcloud.kubernetes.agent.references import NotThereError
from localcloud.kubernetes.api import ApiError, Object, UnreachableError

LAUNCHER = Path(__file__).with_name("launcher.py")
# Of a kubelet: the first start anew is at once, then after 10 s, 20 s, … 5 minutes; ten good minutes forgive all.
FIRST_BACKOFF, LONGEST_BACKOFF, FORGIVEN_AFTER = 10.0, 300.0, 600.0
LEAST_GRACE = 2.0  # a kubelet's, for a program whose preStop hook took all
RETRY_SECONDS = 1.0  # what a container refers to may come yet


def now() -> str:
    """The time as Kubernetes writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Launch:
    """How a container of a pod is started: `interpreter` runs the launcher; `plan` writes the plan of a start;
    `changed` hears of each change; `grace` are the pod's seconds to end."""

    interpreter: Sequence[str]
    plan: Callable[[int], Path]
    address: str
    changed: Callable[[], None]
    grace: float


class Container:
    """A container. `run` starts it, and anew by the restart policy, and returns when it has ended for good."""

    def __init__(self, spec: Object, restart_policy: str, launch: Launch) -> None:
        self.spec, self.name = spec, spec["name"]
        self._policy, self._launch = restart_policy, launch
        self._stop = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._plan: Path | None = None
        self._ended = threading.Event()
        self._memory: Watch | None = None
        self.attempt = 0
        self.state: dict[str, Any] = {"waiting": {"reason": "PodInitializing"}}
        self.last_state: dict[str, Any] = {}
        self.started = self.ready = False

    @property
    def pid(self) -> int | None:
        """The pid of its launcher; None before the first start."""
        return self._process.pid if self._process else None

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs, or will."""
        return self.state.get("terminated", {}).get("exitCode")

    def run(self) -> int:
        """Run to the end; returns the exit code."""
        backoff = 0.0
        while True:
            began = time.monotonic()
            code = self._once()
            if self._stop.is_set() or not self._again(code):
                return code
            self.last_state = self.state
            if time.monotonic() - began > FORGIVEN_AFTER:
                backoff = 0.0
            if backoff and not self._wait_to_restart(backoff):
                return code
            backoff = min(backoff * 2 or FIRST_BACKOFF, LONGEST_BACKOFF)
            self.attempt += 1

    def stop(self, grace: float) -> None:
        """Ask the program to end, and end it when the grace is over; returns when it has ended."""
        self._stop.set()
        if self._ended.is_set() or self._process is None:
            return
        deadline = time.monotonic() + grace
        self._before_stop(grace)
        self._signal(signal.SIGTERM)
        if not self._ended.wait(max(LEAST_GRACE if grace else 0.0, deadline - time.monotonic())):
            self.kill()
        self._ended.wait()

    def kill(self) -> None:
        """End it at once, and never start it again."""
        self._stop.set()
        self._signal(signal.SIGKILL)

    def into(self) -> list[str] | None:
        """The words before a command that put it beside the program; None while that does not run."""
        first = self._first_process()
        if first is None or self._plan is None:
            return None
        return [*self._launch.interpreter, str(LAUNCHER), "enter", str(first), str(self._plan)]

    def execute(self, command: list[str], seconds: float) -> int:
        """Run a command beside the program, for so many seconds; returns its exit code."""
        into = self.into()
        if into is None:
            return 1
        try:
            return subprocess.run(
                [*into, *command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=seconds,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            return 1

    def _once(self) -> int:
        """One start, to the end of its process."""
        plan = self._planned()
        if plan is None:
            return self._note_end(137, "Error", now())
        started = now()
        words = [*self._launch.interpreter, str(LAUNCHER), "run", str(plan)]
        self._plan = plan
        (plan.with_name("pid")).unlink(missing_ok=True)
        self._ended = threading.Event()
        # This thread waits for the process: the launcher dies with the thread that started it.
        self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL, start_new_session=True)
        self._memory = Watch.of(self.spec, self._process.pid)
        self._wait_for_program(plan.with_name("pid"))
        self.state = {"running": {"startedAt": started}}
        self.started = not self.spec.get("startupProbe")
        self.ready = self.started and not self.spec.get("readinessProbe")
        self._launch.changed()
        self._probe()
        if self._stop.is_set():
            self.kill()
        while (code := self._poll()) is None:
            pass
        self._ended.set()
        killed = self._memory is not None and self._memory.exceeded
        reason = "OOMKilled" if killed else "Completed" if code == 0 else "Error"
        return self._note_end(code, reason, started)

    def _wait_for_program(self, file: Path) -> None:
        """Until the program is in its namespaces, where probes and commands find it."""
        assert self._process
        while not file.exists() and self._process.poll() is None:
            time.sleep(0.01)

    def _planned(self) -> Path | None:
        """The plan, as soon as all is there that the container refers to; None if it is stopped first."""
        while not self._stop.is_set():
            try:
                return self._launch.plan(self.attempt)
            except (NotThereError, ApiError, UnreachableError) as error:
                waiting = {"reason": "CreateContainerConfigError", "message": str(error)}
                self._note({"waiting": waiting})
                self._stop.wait(RETRY_SECONDS)
        return None

    def _poll(self) -> int | None:
        assert self._process
        try:
            code = self._process.wait(0.5 if self._memory else None)
        except subprocess.TimeoutExpired:
            if self._memory and self._memory.look():
                self._signal(signal.SIGKILL)
            return None
        return 128 - code if code < 0 else code

    def _note_end(self, code: int, reason: str, started: str) -> int:
        self.started = self.ready = False
        terminated = {"exitCode": code, "reason": reason, "startedAt": started, "finishedAt": now()}
        self._note({"terminated": terminated})
        return code

    def _note(self, state: dict[str, Any]) -> None:
        if state != self.state:
            self.state = state
            self._launch.changed()

    def _again(self, code: int) -> bool:
        return self._policy == "Always" or (self._policy == "OnFailure" and code != 0)

    def _wait_to_restart(self, seconds: float) -> bool:
        message = f"back-off {seconds:.0f}s restarting failed container={self.name}"
        self._note({"waiting": {"reason": "CrashLoopBackOff", "message": message}})
        stopped = self._stop.wait(seconds)
        if stopped:
            self._note(self.last_state)
        return not stopped

    def _probe(self) -> None:
        ports = {
            port["name"]: port["containerPort"] for port in self.spec.get("ports") or () if "name" in port
        }
        target = probes.Target(self._launch.address, ports, self.execute)
        ended = self._ended

        def on_startup(good: bool) -> bool:
            if not good:
                return self._fail()
            self.started = True
            self.ready = not self.spec.get("readinessProbe")
            self._launch.changed()
            begin()
            return True

        def on_readiness(good: bool) -> bool:
            self.ready = good
            self._launch.changed()
            return False

        def watch(name: str, on_change: Callable[[bool], bool]) -> None:
            if probe := self.spec.get(name):
                arguments = (probe, target, ended, on_change)
                threading.Thread(target=probes.watch, args=arguments, daemon=True).start()

        def begin() -> None:
            watch("readinessProbe", on_readiness)
            watch("livenessProbe", lambda good: not good and self._fail())

        if self.spec.get("startupProbe"):
            watch("startupProbe", on_startup)
        else:
            begin()

    def _fail(self) -> bool:
        """End a program whose probe failed, by its grace; what comes then is for the restart policy."""
        self._signal(signal.SIGTERM)
        if not self._ended.wait(self._launch.grace):
            self._signal(signal.SIGKILL)
        return True

    def _before_stop(self, grace: float) -> None:
        hook: Mapping[str, Any] = (self.spec.get("lifecycle") or {}).get("preStop") or {}
        if "exec" in hook:
            self.execute(hook["exec"]["command"], grace)
        elif "sleep" in hook:
            self._ended.wait(min(hook["sleep"]["seconds"], grace))
        elif "httpGet" in hook:
            target = probes.Target(self._launch.address, {}, self.execute)
            probes.succeeds({"httpGet": hook["httpGet"], "timeoutSeconds": grace}, target)

    def _first_process(self) -> int | None:
        """The pid of the program, as this machine counts; None before it is there."""
        file = self._plan and self._plan.with_name("pid")
        return int(file.read_text()) if file and file.exists() and not self._ended.is_set() else None

    def _signal(self, number: signal.Signals) -> None:
        """Through the launcher, which passes SIGTERM on; SIGKILL ends both."""
        process = self._process
        if process is None or self._ended.is_set():
            return
        first = self._first_process() if number == signal.SIGKILL else None
        for pid in (first, process.pid):
            if pid is not None and process.poll() is None:
                _send(pid, number)


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
