"""Stacks that stay up from one file of tests to the next, which brings them to its own settings first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from commands import doctor
from localcloud.engine import Stack


@dataclass
class Shared:
    """A stack's name, its file, the variables of its engine, and the files of tests that go on with it."""

    name: str
    config: Path
    env: dict[str, str]
    files: tuple[str, ...]
    up: bool = False

    def stack(self) -> Stack:
        """The stack, as a test file drives it: from now on it may be up."""
        self.up = True
        return Stack(self.name, self.env, config_file=self.config)

    def brought_to(self, settings: str) -> Stack:
        """The stack as a file's text has it, whatever it was before: what a test left is changed back by an update."""
        self.config.write_text(settings)
        stack = self.stack()
        stack.unprotect()
        outcome = stack.up()
        refused = [event.message for event in outcome.policies if event.enforcement_level == "mandatory"]
        assert not outcome.failed, f"{self.name} did not come up:\n" + "\n".join([*outcome.errors, *refused])
        return stack

    def end(self) -> None:
        """Destroy it and all that it made, if it is up."""
        if not self.up:
            return
        stack = self.stack()
        stack.unprotect()
        outcome = stack.destroy()
        self.up = False
        assert not outcome.failed, "\n".join(outcome.errors)
        assert doctor.leftovers(self.name) == []
