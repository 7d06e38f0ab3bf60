"""`make page` of a stack with secrets: the real engine keeps them as ciphertext, and opens them for the policies."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
import yaml
from pulumi.automation import Deployment

from commands.page import policies
from commands.page.state import read
from localcloud import cloud
from localcloud.engine import EngineError, Stack
from policies.runner.states import SECRET, SIGNATURE
from tests.commands.page import small_state as small

pytestmark = pytest.mark.e2e

STACK, PASSWORD = "secrets", "correct-horse-battery"


@pytest.fixture
def stack(environment: dict[str, str]) -> Iterator[str]:
    """A stack with one Secret; its state is given to the engine, and no provider is asked."""
    opened = Stack(STACK, cloud.environment(environment["INDIA_AI_INFRA_AWS_ENDPOINT"]))
    clear = {SIGNATURE: SECRET, "plaintext": json.dumps({"password": PASSWORD})}
    found = small.resource(
        "kubernetes:core/v1:Secret",
        "db",
        {"metadata": {"name": "db"}, "stringData": clear},
        small.K8S,
        id="a/db",
        parent="",
    )
    provider = small.resource("pulumi:providers:kubernetes", "eks", {}, parent="", id="some-id")
    salt = yaml.safe_load((opened.folder / f"Pulumi.{STACK}.yaml").read_text())["encryptionsalt"]
    secrets = {"type": "passphrase", "state": {"salt": salt}}
    state = {"resources": [provider, found], "secrets_providers": secrets}
    # A name that no other test has.
    state = json.loads(json.dumps(state).replace(f"urn:pulumi:{small.STACK}::", f"urn:pulumi:{STACK}::"))
    opened._stack.import_stack(Deployment(version=3, deployment=state))
    yield STACK
    opened._stack.workspace.remove_stack(STACK, force=True)


def test_the_policies_judge_what_only_the_engine_can_open(stack: str) -> None:
    found = read(stack, None)
    on_disk = found.source.read_text()
    assert "ciphertext" in on_disk and PASSWORD not in on_disk
    assert PASSWORD in json.dumps(found.judged) and PASSWORD not in json.dumps(found.resources)
    record = policies.judge(found, "default").record
    assert record.resources == 2 and record.not_judged == ""
    assert PASSWORD not in record.model_dump_json()


def test_secrets_that_the_engine_can_not_open_are_one_message(stack: str) -> None:
    file = read(stack, None).source
    whole = file.read_text()
    file.write_text(re.sub('("ciphertext": *"v1:)[^"]{6}', r"\1AAAAAA", whole))
    try:
        with pytest.raises(
            EngineError, match=f"secrets of {STACK} can't be opened: .*authentication"
        ) as error:
            read(stack, None)
        assert f"`make page STATE={file}`" in str(error.value) and "code:" not in str(error.value)
        assert read(stack, file).judged
    finally:
        file.write_text(whole)
