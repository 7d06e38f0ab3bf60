"""Types and properties that the tables of controls name are those of the installed providers."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from policies.controls.access import acc_02_03_public_endpoints as exposure
from policies.controls.access.acc_05_least_privilege import ATTACHMENTS, IDENTITY_POLICIES
from policies.controls.access.acc_06_node_metadata import NODES
from policies.controls.encryption import enc_02_databases as databases
from policies.controls.encryption import enc_03_transport as transport
from policies.controls.encryption import enc_06_07_ai_artefacts as ai_artefacts
from policies.pack import CONTROLS

pytestmark = pytest.mark.slow


def _properties(package: str) -> dict[str, set[str]]:
    """The names of the inputs of every resource of an installed provider, by type."""
    spec = find_spec(package)
    assert spec and spec.origin
    found: dict[str, set[str]] = {}
    for file in Path(spec.origin).parent.glob("*/*.py"):
        text = file.read_text()
        for type_ in re.findall(r"^            '((?:aws|gcp):[\w/]+:\w+)',$", text, re.MULTILINE):
            names = re.findall(r'@pulumi\.getter(?:\(name="(\w+)"\))?\n    def (\w+)\(', text)
            found[type_] = {name or python for name, python in names}
    return found


def test_tables_name_types_and_properties_of_the_installed_providers() -> None:
    known = _properties("pulumi_aws") | _properties("pulumi_gcp")
    named: list[tuple[str, str]] = [
        *((type_, path) for type_, one in databases.DATABASES.items() for path in (one.flag, one.key)),
        *((type_, path) for type_, paths in ai_artefacts.ARTEFACTS.items() for path in paths),
        *((type_, path) for type_, pairs in ai_artefacts.NODES.items() for pair in pairs for path in pair),
        *((type_, want.path) for type_, wants in transport.ENDPOINTS.items() for want in wants),
        *((type_, want.path) for type_, wants in exposure.OPENINGS.items() for want in wants),
        *((type_, want.path) for type_, wants in NODES.items() for want in wants),
        *((type_, name) for type_, (name, _) in transport.USERS.items()),
        *((type_, path) for type_, path in IDENTITY_POLICIES.items()),
        *((type_, path) for type_, path in ATTACHMENTS.items()),
        *((type_, block) for type_, (block, _, _) in exposure.RULES.items()),
        *((type_, "") for control in CONTROLS for type_ in control.types if type_.count(":") == 2),
    ]
    for type_, path in named:
        if re.fullmatch(r"(aws|gcp):[\w/]+:\w+", type_):
            assert type_ in known, type_
            if path:
                assert path.split(".")[0].removesuffix("?") in known[type_], (type_, path)
