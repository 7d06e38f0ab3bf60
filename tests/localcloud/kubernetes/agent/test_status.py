"""How a pod's containers become its status: of a kubelet's, what Jobs and their failure policies act on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from localcloud.kubernetes.agent.container import Container, Launch
from localcloud.kubernetes.agent.status import phase, status

LAUNCH = Launch(["true"], lambda attempt: Path("plan.json"), "127.130.0.1", lambda: None, 30)


def container(exit_code: int | None, *, sidecar: bool = False, started: bool = False) -> Container:
    spec = {"name": "one", "image": "python:3.12", **({"restartPolicy": "Always"} if sidecar else {})}
    made = Container(spec, "Never", LAUNCH)
    made.started = made.ready = started
    if exit_code is not None:
        made.state = {"terminated": {"exitCode": exit_code}}
    return made


# What a pod of a Job ended as; sidecars end last, by SIGTERM, with whatever code.
ENDED: Sequence[tuple[Sequence[Container], Sequence[Container], str]] = (
    ([], [container(0)], "Succeeded"),
    ([], [container(0), container(1)], "Failed"),
    ([container(0, sidecar=True)], [container(0)], "Succeeded"),
    ([container(143, sidecar=True)], [container(0)], "Succeeded"),
    ([container(0, sidecar=True)], [container(69)], "Failed"),
    ([container(143, sidecar=True)], [container(69)], "Failed"),
    ([container(0)], [container(69)], "Failed"),
    ([container(1)], [container(None)], "Failed"),
    ([container(0)], [container(None)], "Failed"),
    ([container(0), container(0, sidecar=True)], [container(0)], "Succeeded"),
)


@pytest.mark.parametrize(("init", "main", "expected"), ENDED)
def test_a_pod_has_failed_if_a_program_of_it_has(
    init: Sequence[Container], main: Sequence[Container], expected: str
) -> None:
    assert phase(init, main, final=True) == expected


def test_a_pod_whose_sidecar_has_ended_was_initialized() -> None:
    made = status({}, "10.130.0.1", [container(0, sidecar=True)], [container(69)], final=True, begun="")
    assert made["phase"] == "Failed"
    assert _conditions(made)["Initialized"] == "True"
    begun = status(
        {},
        "10.130.0.1",
        [container(None, sidecar=True, started=True)],
        [container(None)],
        final=False,
        begun="",
    )
    assert (begun["phase"], _conditions(begun)["Initialized"]) == ("Pending", "True")


def test_a_pod_whose_sidecar_has_never_started_is_not_initialized() -> None:
    crashed = status({}, "10.130.0.1", [container(1, sidecar=True)], [container(None)], final=False, begun="")
    assert (crashed["phase"], _conditions(crashed)["Initialized"]) == ("Pending", "False")


def _conditions(made: dict[str, Any]) -> dict[str, str]:
    return {each["type"]: each["status"] for each in made["conditions"]}
