"""K8S-02 on resources of every type: who gets data because a key, an agent, a chart or an exporter names no address."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from harness import Shown, failures, run, unresolved

from policies.controls.kubernetes.k8s_02_implicit_saas import K8S_02, implicit_saas
from policies.framework.control import Finding
from policies.framework.resources import Resource

ROWS = yaml.safe_load(Path(__file__).with_name("implicit_saas.yaml").read_text())


def found(type_: str, props: dict[str, Any]) -> list[Any]:
    return list(implicit_saas(Resource(type_, "urn", props), {}))


@pytest.mark.parametrize("row", ROWS["leaks"], ids=lambda row: row["id"])
def test_a_service_without_an_address_is_found(row: dict[str, Any]) -> None:
    findings = [one for one in found(row["type"], row["props"]) if isinstance(one, Finding)]
    assert [one for one in findings if one.what.startswith(row["service"])], findings
    assert len(findings) == 1
    messages = failures(run(Shown(row["type"], row["props"])), K8S_02.id)
    assert len(messages) == 1


@pytest.mark.parametrize("row", ROWS["clean"], ids=lambda row: row["id"])
def test_what_says_where_to_passes(row: dict[str, Any]) -> None:
    assert found(row["type"], row["props"]) == []
    diagnostics = run(Shown(row["type"], row["props"]))
    assert not failures(diagnostics, K8S_02.id)
    assert not unresolved(diagnostics, K8S_02.id)
