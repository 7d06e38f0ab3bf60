"""The AWS table against moto, botocore and the source of pulumi_aws."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
from botocore import xform_name
from moto.core.responses import BaseResponse

from localcloud.providers.aws import table as aws_table
from localcloud.providers.aws.api import Api
from localcloud.providers.aws.table import kept_types

pytestmark = pytest.mark.slow


# moto has the operation, but not for what the row uses it for.
PARTLY = {
    ("ec2", "ModifySubnetAttribute"),
    ("ec2", "CreateTags"),
    ("ec2", "DeleteTags"),
    ("ec2", "ModifyVpcEndpoint"),
    ("eks", "TagResource"),
    ("eks", "UntagResource"),
    ("eks", "UpdateClusterConfig"),
    ("eks", "UpdateNodegroupConfig"),
    ("guardduty", "UpdateDetector"),
    ("rds", "ModifyDBSubnetGroup"),
}


def test_what_is_kept_is_what_moto_has_not() -> None:
    assert set(kept_types()) >= {"aws:eks/addon:Addon", "aws:ec2/placementGroup:PlacementGroup"}
    calls = [call for token in aws_table.tokens() for call in aws_table.row(token).calls if call.kept]
    for service, operation in {(call.service, call.operation) for call in calls} - PARTLY:
        assert xform_name(operation) not in implemented(service), f"moto has {operation} now: don't keep it"


def implemented(service: str) -> set[str]:
    if importlib.util.find_spec(f"moto.{service}") is None:
        return set()
    classes = vars(importlib.import_module(f"moto.{service}.responses")).values()
    return {n for c in classes if isinstance(c, type) and issubclass(c, BaseResponse) for n in dir(c)}


SDK = Path(importlib.util.find_spec("pulumi_aws").origin).parent  # type: ignore[union-attr, arg-type]


@pytest.mark.parametrize("token", aws_table.tokens())
def test_rows_name_what_the_sdk_and_botocore_have(token: str) -> None:
    found, api = aws_table.row(token), Api()
    for call in found.calls:
        assert api.model(call.service, call.operation)
    inputs, outputs = sdk(token)
    assert found.mentioned <= inputs
    assert found.local <= inputs
    assert {name.split(".")[0] for name in found.names} <= inputs | {"tags"}
    assert set(found.observe) <= inputs
    assert {name for call in (*found.set, *found.update) for name in call.on} - {"*"} <= inputs
    assert set(found.outputs) <= inputs | outputs
    assert found.taggable == ("tags" in inputs)


def sdk(token: str) -> tuple[set[str], set[str]]:
    """The inputs and outputs of a type, from the source of pulumi_aws: importing its modules takes seconds."""
    _, path, name = token.split(":")
    file = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", path.split("/")[1]).lower()
    source = (SDK / path.split("/")[0] / f"{file}.py").read_text()
    assert f"'{token}'" in source
    getter = re.compile(r'@pulumi\.getter(?:\(name="(\w+)"\))?\n    def (\w+)\(self\)')
    arguments, state = (
        source.split(f"\nclass _{name}State")[0],
        source[source.rindex("def get(resource_name") :],
    )
    found = [{renamed or plain for renamed, plain in getter.findall(part)} for part in (arguments, state)]
    return found[0], found[1]
