"""The IAM role that deploys on the local cloud: moto has it from its start, and the providers sign in as it."""

from __future__ import annotations

import json
from typing import Any

# The account of moto's default credentials, and the role that the stacks of this project list as a deployer.
ACCOUNT = "123456789012"
ROLE = "india-ai-infra-deployer"
ARN = f"arn:aws:iam::{ACCOUNT}:role/{ROLE}"
SESSION = "local-cloud"
KEYS = ("local", "local")
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


def make(endpoint: str) -> None:
    """Make the role in the AWS at `endpoint`, as an administrator."""
    from botocore.session import Session

    iam = _client(Session(), "iam", endpoint)
    iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(_TRUST))
    iam.attach_role_policy(RoleName=ROLE, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")


def sign_in(session: Any, endpoint: str) -> dict[str, str]:
    """A session of the role, as the arguments that a botocore client takes."""
    sts = _client(session, "sts", endpoint)
    given = sts.assume_role(RoleArn=ARN, RoleSessionName=SESSION)["Credentials"]
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
