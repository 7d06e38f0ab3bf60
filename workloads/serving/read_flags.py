"""Writes vllm_flags.yaml, the flags of `vllm serve`, from vLLM's wheel: `python -m workloads.serving.read_flags WHEEL`.

The wheel is read, not run: vLLM's own parser needs torch. Flags are words in calls of `add_argument`, and the fields
of the classes whose name ends in FrontendArgs, of which vLLM makes flags.
"""

from __future__ import annotations

import ast
import re
import sys
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import yaml

FLAGS = Path(__file__).with_name("vllm_flags.yaml")
SOURCES = ("vllm/engine/arg_utils.py", "vllm/entrypoints/common/cli_args.py")


def flags(source: str) -> Iterator[str]:
    """The flags that a module adds to a parser, without their dashes."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr == "add_argument":
                words = [word.value for word in node.args if isinstance(word, ast.Constant)]
                yield from (str(word)[2:] for word in words if str(word).startswith("--"))
        elif isinstance(node, ast.ClassDef) and node.name.endswith("FrontendArgs"):
            fields = (part.target for part in node.body if isinstance(part, ast.AnnAssign))
            yield from (field.id.replace("_", "-") for field in fields if isinstance(field, ast.Name))


def main(wheel: Path) -> None:
    """Write the file."""
    with zipfile.ZipFile(wheel) as packed:
        found = {flag for source in SOURCES for flag in flags(packed.read(source).decode())}
    version = re.match(r"vllm-([\d.]+)-", wheel.name)
    if version is None:
        raise SystemExit(f"{wheel.name}: not a wheel of vLLM, vllm-<version>-….whl")
    read = {"version": version[1], "as_of": datetime.now(UTC).date().isoformat(), "flags": sorted(found)}
    FLAGS.write_text(
        f"# Written by `python -m workloads.serving.read_flags WHEEL`.\n{yaml.safe_dump(read, sort_keys=False)}"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
