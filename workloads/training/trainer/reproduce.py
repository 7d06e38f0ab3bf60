"""Makes a run again from its record, on CPU, and says whether it is the same bit for bit.

    python -m trainer.reproduce s3://lake-checkpoints/jobs/train

Exit codes: 0 the same, 1 not the same, 64 it can't be made again.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec

from . import record
from .data import INDEX
from .launch import REFUSED
from .ledger import RUNS_FOLDER
from .publication import Folder, Published, file_digest
from .recipe import BUILTIN, Recipe, RecipeError

WEIGHTS = (".distcp", ".safetensors")
# Rows that are printed of a table of losses, beside the first that differs.
MOST_ROWS = 10


def main(arguments: list[str]) -> int:
    """Reproduces; the exit code."""
    parser = argparse.ArgumentParser(prog="trainer.reproduce", description=__doc__)
    parser.add_argument("run", help="the folder of a job's checkpoints, or run.json in it")
    parser.add_argument("--data", help="a folder with the recorded data, if they are not where they were")
    parser.add_argument("--dvc", type=Path, help="the program dvc, to fetch data that DVC versions")
    parser.add_argument("--anyway", action="store_true", help="with other code, libraries or processors")
    given = parser.parse_args(arguments)
    folder = Folder(given.run.removesuffix(record.RUN).rstrip("/").removesuffix(f"/{RUNS_FOLDER}"))
    try:
        start, before = the_run(folder)
        if (others := list(not_as_recorded(start))) and not given.anyway:
            raise RecipeError(f"{'; '.join(others)}. ANYWAY=1 makes it again all the same")
        with tempfile.TemporaryDirectory(prefix="reproduce-") as scratch:
            recipe = recipe_again(start, data_again(start, given.data, given.dvc, Path(scratch)))
            return compare(before, train_again(start, recipe, Path(scratch)), others)
    except RecipeError as error:
        print(f"error: {folder.uri}: {error}", file=sys.stderr)
        return REFUSED


def the_run(folder: Folder) -> tuple[dict[str, Any], Published]:
    """The only start that a run's numbers are of, and its last checkpoint; RecipeError where that is not so."""
    starts = record.read(folder)
    start = starts[-1]
    if len(starts) > 1:
        changed = sorted({name for one in starts[:-1] for name in record.differences(one, start)})
        raise RecipeError(
            f"its {len(starts)} starts differed in {', '.join(changed)}: no single run makes that again"
        )
    if start["device"] != "cpu":
        raise RecipeError(
            f"it ran on {start['device']}: kernels of GPUs add in an order of their own at each run, so that losses "
            "agree to some digits and weights do not. Data, code, libraries and seed are in its record: start the "
            "job again in another folder, and compare the losses"
        )
    if start["recipe"].get("replicas"):
        raise RecipeError("it had replicas: who of them computed what of a step depends on who was there")
    published = folder.published()
    steps = start["recipe"]["steps"]
    if not published or published[0].step != steps:
        at = f"its newest checkpoint is of step {published[0].step}" if published else "it has no checkpoint"
        raise RecipeError(f"{at}, and the recipe has {steps} steps: wait for its end")
    return start, published[0]


def not_as_recorded(start: dict[str, Any]) -> Iterator[str]:
    """What differs here, and may change numbers."""
    code, commit = start["code"], start["code"]["commit"]
    if code["sha256"] != record.code_digest():
        if commit and commit.endswith("-dirty"):
            yield f"the trainer's code is not the one here, and its tree had changes that {commit} does not have"
        else:
            yield f"the trainer's code is not the one here: check out {commit or 'the commit that it was of'}"
    if other := [*_other_libraries(start)]:
        yield f"other versions here: {', '.join(other)}"
    here = {"machine": platform.machine(), "instructions": record.arithmetic()["instructions"]}
    if other := [
        f"{start['arithmetic'][name]} ({value} here)"
        for name, value in here.items()
        if start["arithmetic"][name] != value
    ]:
        yield f"it ran on processors with {', '.join(other)}"


def _other_libraries(start: dict[str, Any]) -> Iterator[str]:
    if start["python"] != platform.python_version():
        yield f"python {start['python']} ({platform.python_version()} here)"
    for name, version in start["libraries"].items():
        try:
            here = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            here = "none"
        if here != version:
            yield f"{name} {version} ({here} here)"


def data_again(start: dict[str, Any], given: str | None, dvc: Path | None, scratch: Path) -> str:
    """A folder with the recorded data: as given, where they were, or fetched by DVC; RecipeError if none has them."""
    data = start["recipe"]["data"]
    if data["uri"] == BUILTIN:
        return BUILTIN
    wrong = _wrong_file(given or data["uri"], start)
    if wrong is None:
        return given or data["uri"]
    commit, remote = data.get("commit"), data.get("remote")
    if given or not (dvc and commit and remote):
        raise RecipeError(
            f"{wrong}. Give a folder that has the data of then, DATA=…{f' ({commit})' if commit else ''}"
        )
    print(f"event=fetching reason={wrong!r} commit={commit} remote={remote}", flush=True)
    fetched = fetch(dvc, remote, commit, scratch / "dvc")
    if wrong := _wrong_file(fetched, start):
        raise RecipeError(f"the data of {commit} are not those of the run: {wrong}")
    return fetched


def fetch(dvc: Path, remote: str, commit: str, folder: Path) -> str:
    """The folder that a remote of DVC has under an md5; RecipeError if it is gone."""
    folder.mkdir()
    (folder / "data.dvc").write_text(f"outs:\n- md5: {commit}\n  hash: md5\n  path: data\n")
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1"}
    for words in (["init", "--no-scm"], ["remote", "add", "--default", "lake", remote], ["pull", "data.dvc"]):
        done = subprocess.run([dvc, *words], cwd=folder, env=environment, capture_output=True, text=True)
        if done.returncode:
            why = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
            raise RecipeError(f"the data {commit} can't be had from {remote}: dvc {words[0]}: {why[0]}")
    return str(folder / "data")


def _wrong_file(uri: str, start: dict[str, Any]) -> str | None:
    """The first file that is not as it was recorded, in words."""
    wanted: dict[str, str] = start["data"]["files"]
    files, root = fsspec.core.url_to_fs(uri.rstrip("/"))
    for name, digest in _with_shards(files, root, wanted):
        try:
            found = file_digest(files, f"{root}/{name}")
        except FileNotFoundError:
            return f"{uri}/{name} is not there"
        if found != digest:
            return f"{uri}/{name} is not as it was: SHA-256 {found[:16]}…, and {digest[:16]}… then"
    return None


def _with_shards(files: Any, root: str, wanted: dict[str, str]) -> Iterator[tuple[str, str]]:
    """The files and their digests; after an index that was right, those of its shards."""
    yield from wanted.items()
    if INDEX in wanted:
        with files.open(f"{root}/{INDEX}", "rb") as stream:
            yield from json.loads(stream.read())["sha256"].items()


def recipe_again(start: dict[str, Any], data: str) -> Recipe:
    """The recorded recipe on these data, without what tells others of a run."""
    recorded = {
        name: part for name, part in start["recipe"].items() if name not in ("tracking", "interruptions")
    }
    recipe = Recipe.read(json.dumps({**recorded, "data": {**recorded["data"], "uri": data}}))
    if (found := record.model_files(recipe)) != start["model"]:
        names = sorted(name for name in found | start["model"] if found.get(name) != start["model"].get(name))
        raise RecipeError(f"the model {recipe.model.name} is not as it was: {', '.join(names)}")
    return recipe


def train_again(start: dict[str, Any], recipe: Recipe, scratch: Path) -> Published:
    """Trains in a folder of its own; its last checkpoint."""
    (file := scratch / "recipe.json").write_text(recipe.write())
    target = scratch / "checkpoints"
    ranks = ["--standalone", f"--nproc-per-node={start['ranks']}", "--max-restarts=0"]
    words = ["--recipe", str(file), "--checkpoint-uri", str(target), "--progress-seconds=0"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": str(start["arithmetic"]["threads"]),
    }
    launcher = [sys.executable, "-m", f"{__package__}.launch", *ranks, "--", *words]
    if code := subprocess.run(launcher, env=environment).returncode:
        raise RecipeError(f"the trainer ended with {code}: what it printed says why")
    return Folder(str(target)).published()[0]


def compare(before: Published, again: Published, others: list[str]) -> int:
    """Prints the losses of both, and whether they and the weights are the same; the exit code."""
    then, now = (dict(map(tuple, one.details["ledger"]["losses"])) for one in (before, again))
    steps = sorted(then.keys() & now.keys())
    different = [step for step in steps if then[step] != now[step]]
    weights = _weights(before) == _weights(again)
    print(f"\n{'step':>8}  {'loss then':<22}  {'loss again':<22}")
    for step in sorted({*steps[-MOST_ROWS:], *different[:1]}):
        mark = "" if then[step] == now[step] else "  differs"
        print(f"{step:>8}  {then[step]!r:<22}  {now[step]!r:<22}{mark}")
    for other in others:
        print(f"not as recorded: {other}")
    if different:
        print(f"different: the first of {len(different)} steps is {different[0]}")
    elif not weights:
        print(f"different: {len(steps)} losses are the same, and the weights are not")
    else:
        print(
            f"the same: {len(steps)} losses, and the weights and the optimizer's state of step {again.step}"
        )
    return int(bool(different) or not weights)


def _weights(one: Published) -> dict[str, str]:
    return {file.name: file.sha256 for file in one.files if file.name.endswith(WEIGHTS)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
