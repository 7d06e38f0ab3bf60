"""The wheel `india-ai-infra`: built, and installed into an environment of its own, beside somebody else's `infra`."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from email.parser import Parser
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import hatch_build
from india_ai_infra.provider import components

PROJECT = Path(__file__).parents[2]
VERSION = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    built = tmp_path_factory.mktemp("built")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(built)],
        cwd=PROJECT,
        check=True,
        capture_output=True,
    )
    (file,) = built.glob("india_ai_infra-*.whl")
    return zipfile.ZipFile(file)


def modules(wheel: zipfile.ZipFile) -> dict[str, ast.Module]:
    return {name: ast.parse(wheel.read(name)) for name in wheel.namelist() if name.endswith(".py")}


def imported(tree: ast.Module) -> set[str]:
    """Modules that a module imports, by their whole names."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@pytest.mark.slow
def test_it_is_one_package_with_its_types_and_its_data(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    assert {name.partition("/")[0] for name in names} == {
        "india_ai_infra",
        f"india_ai_infra-{VERSION}.dist-info",
    }
    inside = {name.removeprefix("india_ai_infra/") for name in names}
    assert {"py.typed", "infra/catalog/data/prices.csv", "infra/platform/charts.yaml"} <= inside
    assert {"infra/settings/names.csv", "infra/settings/settings.schema.json"} <= inside


@pytest.mark.slow
def test_it_imports_only_itself_and_what_it_depends_on(wheel: zipfile.ZipFile) -> None:
    metadata = Parser().parsestr(wheel.read(f"india_ai_infra-{VERSION}.dist-info/METADATA").decode())
    needed = {canonicalize_name(Requirement(line).name) for line in metadata.get_all("Requires-Dist", [])}
    # pydantic reads addresses of mail by it.
    used = {"email-validator"}
    known = packages_distributions()
    for name, tree in modules(wheel).items():
        for module in imported(tree):
            root = module.partition(".")[0]
            if root in sys.stdlib_module_names or root == "__future__":
                continue
            assert root not in ("infra", "tests", "localcloud", "workloads", "commands", "policies"), name
            if root == "india_ai_infra":
                path = module.replace(".", "/")
                assert {f"{path}.py", f"{path}/__init__.py"} & set(wheel.namelist()), f"{name}: {module}"
                continue
            used |= {canonicalize_name(distribution) for distribution in known[root]}
    assert used - {"pydantic-core"} == needed


@pytest.mark.slow
def test_it_serves_the_same_schema_beside_another_infra(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    home, project = tmp_path / "venv", tmp_path / "project"
    venv.create(home, symlinks=True)
    packages = next(home.glob("lib/python*/site-packages"))
    wheel.extractall(packages)
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"))
    (project / "infra").mkdir(parents=True)
    (project / "infra" / "__init__.py").write_text("OURS = False\n")
    code = (
        "import infra, india_ai_infra; assert not infra.OURS; from importlib.metadata import version; "
        "from india_ai_infra.provider import components; print(components(version('india-ai-infra')).schema)"
    )
    command = [home / "bin" / "python", "-W", "ignore", "-c", code]
    told = subprocess.run(command, cwd=project, check=True, capture_output=True, text=True).stdout
    schema = components(VERSION).schema
    assert schema and json.loads(told) == json.loads(schema)


def test_every_argument_is_explained_in_the_schema() -> None:
    schema = json.loads(components(VERSION).schema or "{}")
    explained = {
        f"{name}.{key}": bool(given.get("description"))
        for name, found in {**schema["types"], **schema["resources"]}.items()
        for properties in (found.get("properties", {}), found.get("inputProperties", {}))
        for key, given in properties.items()
    }
    assert len(explained) > 50 and all(explained.values())
    plain = schema["resources"]["india-ai-infra:index:Lake"]["inputProperties"]["region"]["plain"]
    assert plain is True


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("from infra.aws import iam\n", "from india_ai_infra.infra.aws import iam\n"),
        (
            "if x:\n    from infra import (\n        a,\n    )\n",
            "if x:\n    from india_ai_infra.infra import (\n        a,\n    )\n",
        ),
        ("x = 'from infra import y'\n", "x = 'from infra import y'\n"),
        ("from infrastructure import x\n", "from infrastructure import x\n"),
    ],
)
def test_an_import_of_infra_moves_and_nothing_else(before: str, after: str) -> None:
    assert hatch_build.moved(before, "x.py") == after


def test_an_import_that_could_not_move_stops_the_build() -> None:
    with pytest.raises(ValueError, match=r"x\.py:1: write `from infra import"):
        hatch_build.moved("import infra.aws\n", "x.py")
