"""What the tracking server does in the lake for its clients: takes a file of a run, lists it, and gives it back."""

import sys
import tempfile
from pathlib import Path

from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

(destination,) = sys.argv[1:]
with tempfile.TemporaryDirectory() as room:
    (file := Path(room) / "plot.txt").write_text("1 2 3")
    # As its handlers do, with the run's path below the destination.
    repository = get_artifact_repository(destination)
    repository.log_artifact(str(file), "1/run/artifacts")
    (found,) = repository.list_artifacts("1/run/artifacts")
    assert found.path == "1/run/artifacts/plot.txt", found.path
    (back := Path(room) / "back").mkdir()
    assert Path(repository.download_artifacts(found.path, str(back))).read_text() == "1 2 3"
