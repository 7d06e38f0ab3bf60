"""Folders in a store: whole or not there, wherever a writer was cut off."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("fsspec")

from workloads.training.trainer.publication import MANIFEST, DamagedError, Folder, new_name, refusals
from workloads.training.trainer.recipe import RecipeError

FILES = {"a.distcp": b"first shard", "b.distcp": b"second shard" * 50, ".metadata": b"table"}


def publish(folder: Folder, step: int, files: dict[str, bytes] = FILES) -> str:
    name = new_name(step)
    folder.publish(name, [folder.write(name, file, content) for file, content in files.items()], {"of": step})
    return name


def test_what_is_published_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    publish(folder, 7)
    (published,) = folder.published()
    assert (published.step, published.details) == (7, {"of": 7})
    folder.verify(published)
    assert {file.name: folder.read(published.name, file.name) for file in published.files} == FILES


@pytest.mark.parametrize("written", range(len(FILES) + 1))
def test_a_writer_that_is_cut_off_leaves_nothing_that_counts(tmp_path: Path, written: int) -> None:
    folder = Folder(str(tmp_path))
    good = publish(folder, 1)
    name = new_name(2)
    for file, content in list(FILES.items())[:written]:
        folder.write(name, file, content)
    (tmp_path / name).mkdir(exist_ok=True)
    (tmp_path / name / "c.distcp").write_bytes(b"half of a")
    assert [one.name for one in folder.published()] == [good]
    folder.remove_unpublished()
    assert [path.name for path in tmp_path.iterdir()] == [good]


def test_a_manifest_that_is_cut_at_any_byte_is_none(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    manifest = tmp_path / publish(folder, 1) / MANIFEST
    whole = manifest.read_bytes()
    for length in range(len(whole)):
        manifest.write_bytes(whole[:length])
        assert folder.published() == []


@given(place=st.integers(0, 10_000), flip=st.integers(1, 255), file=st.sampled_from([*FILES, MANIFEST]))
def test_a_flipped_byte_anywhere_is_seen(
    tmp_path_factory: pytest.TempPathFactory, place: int, flip: int, file: str
) -> None:
    root = tmp_path_factory.mktemp("flip")
    folder = Folder(str(root))
    path = root / publish(folder, 1) / file
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= flip
    path.write_bytes(content)
    found = folder.published()
    if file == MANIFEST:
        assert found == []
    else:
        with pytest.raises(DamagedError, match=f"{file} has not the digest"):
            folder.verify(found[0])


@pytest.mark.parametrize("damage", ["truncated", "flipped", "missing"])
def test_a_damaged_file_is_named(tmp_path: Path, damage: str) -> None:
    folder = Folder(str(tmp_path))
    file = tmp_path / publish(folder, 3) / "b.distcp"
    content = file.read_bytes()
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(content[:-1] if damage == "truncated" else content[:5] + b"!" + content[6:])
    with pytest.raises(DamagedError, match=r"b\.distcp"):
        folder.verify(folder.published()[0])


def test_parts_verify_every_file_once(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    name = publish(folder, 1)
    (tmp_path / name / "b.distcp").write_bytes(b"other")
    (published,) = folder.published()
    refused = 0
    for part in range(2):
        try:
            folder.verify(published, part, 2)
        except DamagedError:
            refused += 1
    assert refused == 1


def test_retention_keeps_the_newest_by_count_and_by_age(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Folder(str(tmp_path))
    clock = iter([0.0, 3600.0, 7200.0, 7200.0])
    monkeypatch.setattr("workloads.training.trainer.publication.time.time", lambda: next(clock))
    for step in (1, 2, 3):
        publish(folder, step)
    assert len(folder.retire(keep=5, keep_hours=1.5)) == 1
    monkeypatch.setattr("workloads.training.trainer.publication.time.time", lambda: 1e9)
    assert [one.step for one in folder.published()] == [3, 2]
    folder.retire(keep=1, keep_hours=None)
    publish(folder, 4)
    folder.retire(keep=2, keep_hours=0.001)
    assert [one.step for one in folder.published()] == [4]


def test_two_writers_of_one_step_do_not_meet(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    assert publish(folder, 5) != publish(folder, 5)
    for published in folder.published():
        folder.verify(published)


def test_a_store_that_denies_and_a_full_disk_are_one_message(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="s3://lake/jobs denies access"), refusals("s3://lake/jobs"):
        raise PermissionError("AccessDenied")
    with pytest.raises(RecipeError, match="is full: make room"), refusals(str(tmp_path)):
        Path("/dev/full").write_bytes(b"x")
    with pytest.raises(RecipeError, match="is mounted to be read alone"), refusals(str(tmp_path)):
        raise OSError(errno.EROFS, "Read-only file system")


def test_a_manifest_of_something_else_is_none(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    manifest = tmp_path / publish(folder, 1) / MANIFEST
    document = json.loads(manifest.read_text())
    for other in ([], {}, {**document, "step": 9}, {**document, "sha256": "0"}):
        manifest.write_text(json.dumps(other))
        assert folder.published() == []


def test_a_disk_that_cannot_hold_two_checkpoints_is_refused(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    folder.require_room(1)
    with pytest.raises(RecipeError, match=r"MiB free, and two checkpoints need 8796093022208 MiB: make room"):
        folder.require_room(1 << 63)
    with pytest.raises(RecipeError, match="can't be made: Not a directory"):
        Folder("/dev/null/checkpoints").require_room(1)
