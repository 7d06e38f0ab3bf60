"""Every command of ours that a page shows with options is one that its program takes, with these values."""

from __future__ import annotations

import re
import shlex
import subprocess
from typing import Any

import pytest
import typer

from commands.app import app as commands
from policies.cli import app as policies
from tests.repository.test_docs import PAGES, PROJECT, text

pytestmark = pytest.mark.slow

# What typer's own click refuses a command line with.
(UsageError,) = typer.BadParameter.__bases__
MADE = re.compile(r"(?:^ {4}|`|\| |\()(make (?:-s )?[a-z-]+(?: [A-Z_]+=[^\s`)|]+)+)", re.MULTILINE)
RUN = re.compile(r"(?:^ {4}|`)[\w./]*(python3? -m [\w.]+[^`\n|#>]*--[^`\n|#>]*)", re.MULTILINE)
# Programs of images, which are not imported here: an option is a literal of their source.
IMAGES = {"trainer": "workloads/training/trainer"}


def shown(pattern: re.Pattern[str], *pages: str) -> list[str]:
    """The commands of pages that are of today, each once; not those that leave out a part."""
    today = [page for page in pages if page != "CHANGELOG.md" and "/upgrade-" not in page]
    found = (each.strip() for page in today for each in pattern.findall(text(page)))
    return list(dict.fromkeys(each for each in found if "…" not in each))


def dry(*words: str) -> str:
    """What make would run."""
    ran = subprocess.run(["make", "-n", *words], cwd=PROJECT, capture_output=True, text=True, check=True)
    return ran.stdout


def parse(line: str) -> None:
    """Hold a command line to the program that it names: raises UsageError where it is refused."""
    words = shlex.split(line)
    module, *arguments = words[words.index("-m") + 1 :]
    own = policies if module == "policies.cli" else commands(arguments[0])
    program: Any = typer.main.get_command(own)
    context = program.context_class(program)
    name, command, rest = program.resolve_command(context, arguments)
    assert command
    command.make_context(name, list(rest), parent=context)


@pytest.mark.parametrize("command", shown(MADE, *PAGES))
def test_make_hands_each_setting_on_and_its_command_takes_it(command: str) -> None:
    _, *words = command.split()
    given = [word for word in words if "=" in word]
    for setting in given:
        name = setting.partition("=")[0]
        # An environment variable of the local cloud is no option.
        another = [f"{name}=another" if word == setting else word for word in words]
        assert name.startswith("INDIA_AI_INFRA_") or dry(*words) != dry(*another), name
    for line in dry(*words).splitlines():
        if re.search(r"python -m (commands|policies\.cli)", line):
            parse(line.lstrip("@"))


@pytest.mark.parametrize("command", shown(RUN, *PAGES))
def test_a_module_has_the_options_that_are_shown(command: str) -> None:
    words = shlex.split(command)
    module = words[2]
    package, _, name = module.partition(".")
    if package in IMAGES:
        source = (PROJECT / IMAGES[package] / f"{name}.py").read_text()
        missing = [word for word in words if word.startswith("--") and f'"{word}"' not in source]
        assert missing == []
        return
    if module in ("commands", "policies.cli"):
        parse(command)


@pytest.mark.parametrize("line", ["make choose GPU=H100 COLOUR=red", "make cost STACKS=prod"])
def test_a_setting_that_no_option_takes_is_found(line: str) -> None:
    with pytest.raises(AssertionError, match=r"COLOUR|STACKS"):
        test_make_hands_each_setting_on_and_its_command_takes_it(line)


def test_an_option_or_value_that_the_program_refuses_is_found() -> None:
    for line in ("python -m commands choose --count eight", "python -m policies.cli audit a.json --colour x"):
        with pytest.raises(UsageError):
            parse(line)


def test_there_is_something_to_hold() -> None:
    assert len(shown(MADE, *PAGES)) > 20
    assert len(shown(RUN, *PAGES)) > 1
