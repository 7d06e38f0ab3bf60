"""The IAM role that deploys on the local cloud: moto has it from its start, and the providers sign in as it.

A stack that lists other deployers is run as the first role of its list, as whoever deploys it for real would.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from infra.stacks import read

# The account of moto's default credentials, and the role that the stacks of this project list as a deployer.
ACCOUNT = "123456789012"
ROLE = "india-ai-infra-deployer"
SESSION = "local-cloud"
KEYS = ("local", "local")
VARIABLE = "INDIA_AI_INFRA_DEPLOYER"
_PREFIX = "role/"
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            "Action": "sts:AssumeRole",
        }
    ],
}


def role() -> str:
    """The role's name, with its path if it has one (`people/admin`)."""
    return os.environ.get(VARIABLE) or ROLE


def arn() -> str:
    """The ARN of the role that the providers sign in as."""
    return f"arn:aws:iam::{ACCOUNT}:{_PREFIX}{role()}"


def environment(stack_file: Path) -> dict[str, str]:
    """What makes the providers sign in as the first role that a stack's file lists; nothing where it lists none."""
    config = read(stack_file).get("config") or {}
    listed: list[Any] = []
    for key, cloud in config.items():
        if key.endswith(":aws") and isinstance(cloud, dict):
            access = (cloud.get("cluster") or {}).get("access") or {}
            listed += access.get("deployers") or []
    roles = [one.removeprefix(_PREFIX) for one in listed if isinstance(one, str) and one.startswith(_PREFIX)]
    return {} if not roles or ROLE in roles else {VARIABLE: roles[0]}


def make(endpoint: str) -> None:
    """Make the role in the AWS at `endpoint`, as an administrator, unless it is there."""
    from botocore.session import Session

    iam = _client(Session(), "iam", endpoint)
    path, _, name = f"/{role()}".rpartition("/")
    try:
        iam.create_role(RoleName=name, Path=f"{path}/", AssumeRolePolicyDocument=json.dumps(_TRUST))
    except iam.exceptions.EntityAlreadyExistsException:
        return
    iam.attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")


def sign_in(session: Any, endpoint: str) -> dict[str, str]:
    """A session of the role, as the arguments that a botocore client takes."""
    if VARIABLE in os.environ:
        make(endpoint)
    sts = _client(session, "sts", endpoint)
    given = sts.assume_role(RoleArn=arn(), RoleSessionName=SESSION)["Credentials"]
    return {
        "aws_access_key_id": given["AccessKeyId"],
        "aws_secret_access_key": given["SecretAccessKey"],
        "aws_session_token": given["SessionToken"],
    }


def _client(session: Any, service: str, endpoint: str) -> Any:
    return session.create_client(
        service,
        region_name="ap-south-1",
        endpoint_url=endpoint,
        aws_access_key_id=KEYS[0],
        aws_secret_access_key=KEYS[1],
    )
