"""Workloads know no cloud: what differs from one to another, the site's contracts tell (`infra/contracts`)."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

from tests.repository.test_facts_once import texts

ROOT = Path(__file__).parents[2]
# Words of one cloud alone, as parts of a name (`is_gcp`, `AWS_REGION`, `cloud.google.com`, `s3://`).
WORDS = (
    "amazon",
    "amazonaws",
    "aws",
    "azure",
    "ec2",
    "efa",
    "eks",
    "gcp",
    "gcs",
    "gke",
    "google",
    "gs",
    "s3",
    "tcpx",
)
_WORD = re.compile(rf"(?<![a-z0-9])({'|'.join(WORDS)})(?![a-z0-9])", re.IGNORECASE)


def in_pods() -> set[Path]:
    """Programs that run in pods, whose readers of metadata services and stores know whose they read: those of the
    import contract."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (programs,) = [one for one in contracts if one["name"] == "Programs of containers know nothing of Pulumi"]
    homes = [ROOT / module.replace(".", "/") for module in programs["source_modules"]]
    return {file for home in homes for file in (home.with_suffix(".py"), *home.rglob("*.py"))}


def clouds(source: str) -> list[str]:
    """The lines of a program whose names or texts have a cloud's word; what documents it may."""
    tree = ast.parse(source)
    said = [(node.lineno, str(node.value)) for node in texts(tree)]
    for node in ast.walk(tree):
        match node:
            case (
                ast.Name(id=name)
                | ast.Attribute(attr=name)
                | ast.FunctionDef(name=name)
                | ast.ClassDef(name=name)
            ):
                said.append((node.lineno, name))
            case ast.arg(arg=name) | ast.keyword(arg=str(name)):
                said.append((node.lineno, name))
            case ast.Import(names=names):
                said += [(node.lineno, alias.name) for alias in names]
            case ast.ImportFrom(module=module, names=names):
                said += [(node.lineno, name) for name in (module or "", *(alias.name for alias in names))]
    return [f"line {line}: {text}" for line, text in said if _WORD.search(text.replace("_", " "))]


def test_components_of_workloads_name_no_cloud() -> None:
    files = set((ROOT / "workloads").rglob("*.py")) - in_pods()
    assert len(files) > 20
    found = [
        f"{file.relative_to(ROOT)} {line}" for file in sorted(files) for line in clouds(file.read_text())
    ]
    assert not found, "let the site say it (infra/contracts):\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ('if pool.fabric == "efa":\n    pass', ["line 1: efa"]),
        ('KEY = {"AWS_REGION": 1}', ["line 1: AWS_REGION"]),
        ("def gke_only(): ...", ["line 1: gke_only"]),
        ("from infra.aws import pools", ["line 1: infra.aws"]),
        ('call(gcp=f"{a}-gs://b")', ["line 1: -gs://b", "line 1: gcp"]),
        ('def of():\n    """As on AWS."""\n    # GKE too\n    return "laws of eksistence"', []),
    ],
)
def test_a_clouds_name_is_found_wherever_code_has_it(source: str, lines: list[str]) -> None:
    assert clouds(source) == lines
