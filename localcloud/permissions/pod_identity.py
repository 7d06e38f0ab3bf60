"""EKS Pod Identity, played: the agent that gives a pod the credentials of its service account's role.

A client reaches it as on a node, by AWS_CONTAINER_CREDENTIALS_FULL_URI and a token; here on loopback, and the token is
the service account's name, where EKS mounts a signed one ("How EKS Pod Identity works", EKS user guide). The role's
trust policy is asked with the session tags that EKS puts on; then STS gives the credentials.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3

from localcloud.permissions.aws_account import Account, Role
from localcloud.permissions.gate import Gate, HttpRequest, HttpResponse

PATH = "/v1/credentials"


class NoAssociationError(LookupError):
    """No role is associated with a service account."""


class NotTrustedError(PermissionError):
    """A role's trust policy does not let EKS Pod Identity assume it for a service account."""


class PodIdentity:
    """The associations of one cluster: roles by `namespace/service-account`. `sts` is the address of AWS."""

    def __init__(
        self, account: Account, cluster_arn: str, associations: Mapping[str, Role], sts: str, region: str
    ) -> None:
        self.account, self._cluster_arn, self._associations = account, cluster_arn, associations
        self._sts = boto3.client(
            "sts",
            endpoint_url=sts,
            region_name=region,
            aws_access_key_id="pods.eks.amazonaws.com",
            aws_secret_access_key="played",
        )
        self._issued: dict[str, Role] = {}

    def role_of(self, access_key: str) -> Role | None:
        """The role whose credentials these are; None if nobody was given them here."""
        return self._issued.get(access_key)

    def credentials(self, service_account: str) -> dict[str, Any]:
        """Credentials for the pods of `service_account` (`training/training`), as the agent answers.

        Raises:
            NoAssociationError: it has no role.
            NotTrustedError: the role does not trust EKS with it.
        """
        role = self._associations.get(service_account)
        if role is None:
            raise NoAssociationError(f"no Pod Identity association for {service_account}")
        namespace, _, name = service_account.partition("/")
        for verdict in self.account.may_assume(role, self._cluster_arn, namespace, name):
            if not verdict.allowed:
                raise NotTrustedError(verdict.why)
        session = f"eks-{namespace}-{name}"
        given = self._sts.assume_role(RoleArn=role.arn, RoleSessionName=session)["Credentials"]
        self._issued[given["AccessKeyId"]] = role
        return {
            "AccessKeyId": given["AccessKeyId"],
            "SecretAccessKey": given["SecretAccessKey"],
            "Token": given["SessionToken"],
            "AccountId": self.account.id,
            "Expiration": given["Expiration"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    def agent(self) -> Gate:
        """The agent, to be started with `with`."""
        return Gate(self.answer)

    def answer(self, asked: HttpRequest) -> HttpResponse:
        """What the agent answers."""
        if asked.target != PATH:
            return HttpResponse(404, {})
        token = {name.lower(): value for name, value in asked.headers.items()}.get("authorization", "")
        try:
            given = self.credentials(token)
        except (NoAssociationError, NotTrustedError) as error:
            return HttpResponse(400, {"Content-Type": "text/plain"}, str(error).encode())
        return HttpResponse(200, {"Content-Type": "application/json"}, json.dumps(given).encode())


def environment(agent: Gate, service_account: str, folder: Path) -> dict[str, str]:
    """What EKS' webhook adds to a container's environment. `folder` is where the token is mounted."""
    token = folder / "eks-pod-identity-token"
    token.write_text(service_account)
    return {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{agent.url}{PATH}",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token),
    }
