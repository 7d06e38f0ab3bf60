"""What a command ends in where its input is wrong: one message, and 1."""

from __future__ import annotations

import pytest

from commands.__main__ import main
from commands.app import ROOMS, app, rooms

WRONG = {
    "choose --gpu L4 --region us-east-1": "us-east-1 is not a region in India",
    "choose --gpu H900": "gpu H900: allowed is",
    "choose --gpu L4 --usd-inr -1": "usd-inr -1: rupees for a dollar",
    "catalog --clouds azure": "clouds azure: allowed is",
    "images --stack nope": "there is no such file, so no stack nope",
    "showback --by pod": "by pod: one of namespace, owner",
    "up --stack nope": "there is no such file, so no stack nope",
    "down --stack nope": "so no stack nope; stacks are demo, dev, local, prod",
    "down --stack prodd": "the nearest is prod",
    "doctor --stack nope": "there is no such file, so no stack nope",
    "preview --profile sebi": "the nearest is sebi-re",
    "review --profile sebi": "the nearest is sebi-re",
    "simulate --stack nope": "there is no such file, so no stack nope",
    "reclaim --stack nope": "there is no such file, so no stack nope",
    "reproduce --run=": "RUN=: give the folder of a run's checkpoints",
    "erase --principal=x": "KEY=: give a file with a secret",
    "preflight --stack nope": "there is no such file, so no stack nope",
}


@pytest.mark.parametrize("words", WRONG)
def test_a_wrong_input_ends_in_one_message(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words.split())
    said = capsys.readouterr()
    assert ended.value.code == 1
    assert WRONG[words] in said.out
    assert "Traceback" not in said.out + said.err


@pytest.mark.parametrize("name", ROOMS)
def test_each_command_is_a_function_of_its_room(name: str) -> None:
    assert callable(getattr(rooms([name])[name], name))
    assert [command.name for command in app(name).registered_commands] == [name]
