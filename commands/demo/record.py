"""What a demo has done: stages that ended, and what each found. A second `make demo` goes on after them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcloud.directories import run_dir


@dataclass(frozen=True)
class Record:
    """A file beside the local cloud's state, which is gone with it: what was made there is gone then too."""

    file: Path

    @classmethod
    def of_cloud(cls) -> Record:
        """That of this clone's local cloud."""
        return cls(run_dir() / "demo.json")

    def stages(self) -> dict[str, dict[str, Any]]:
        """What each stage that ended has found, by its name."""
        return json.loads(self.file.read_text()) if self.file.exists() else {}

    def add(self, stage: str, found: dict[str, Any]) -> None:
        """A stage that ended. A run that is killed here has the stage, or has it not."""
        draft = self.file.with_suffix(".draft")
        draft.write_text(json.dumps({**self.stages(), stage: found}, indent=1, ensure_ascii=False))
        draft.replace(self.file)
