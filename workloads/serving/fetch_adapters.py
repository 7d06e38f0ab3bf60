"""Copies LoRA adapters from the lake to a folder: `fetch_adapters.py --model=M --into=FOLDER NAME=URI …`.

Runs in the engine's image, before the engine. An adapter that was trained on another model is refused, where its
`adapter_config.json` names one: the engine would add it to the wrong weights, and answer nonsense.
"""

import argparse
import json
import sys
from pathlib import Path

CONFIG = "adapter_config.json"


def base_of(folder: Path) -> str:
    """The model that an adapter was trained on, by the last part of its name or path; empty where it doesn't say."""
    config = folder / CONFIG
    if not config.exists():
        raise SystemExit(
            f"no {CONFIG} in {folder.name}: a folder with an adapter in the format of peft is needed"
        )
    return last_part(json.loads(config.read_text()).get("base_model_name_or_path") or "")


def last_part(name: str) -> str:
    """What a model is called wherever it is kept: qwen3-8b of `Qwen/Qwen3-8B` and of `/tmp/released/qwen3-8b/`."""
    return name.rstrip("/").rpartition("/")[2].casefold()


def fetch(uri: str, folder: Path) -> None:
    """Copy all files under a prefix of an object store, with the client that the engine streams weights with."""
    from runai_model_streamer import pull_files

    folder.mkdir(parents=True, exist_ok=True)
    pull_files(f"{uri.rstrip('/')}/", str(folder), None, None)


def main() -> None:
    """Copy and check each adapter.

    Raises:
        SystemExit: one is not there, or is of another base.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--into", type=Path, required=True)
    parser.add_argument("adapters", nargs="+", metavar="NAME=URI")
    asked = parser.parse_args()
    for adapter in asked.adapters:
        name, _, uri = adapter.partition("=")
        fetch(uri, asked.into / name)
        base, model = base_of(asked.into / name), last_part(asked.model)
        if base and base != model:
            raise SystemExit(
                f"adapter {name} ({uri}) was trained on {base}, not on {model}: take it off, or serve {base}"
            )
        print(
            f"adapter {name}: {uri}",
            "" if base else "(it does not say on which model it was trained)",
            file=sys.stderr,
        )


if __name__ == "__main__":
    main()
