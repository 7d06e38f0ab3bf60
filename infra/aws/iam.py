"""Policy documents as data, and the account that they are for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

Values = str | pulumi.Output[str] | Sequence[str | pulumi.Output[str]]
Principal = str | Mapping[str, Any]
Conditions = Mapping[str, Mapping[str, Any]]
Statement = dict[str, Any]

EVERYONE: Principal = {"AWS": "*"}


def service(*names: str) -> Principal:
    """AWS services, by their principal (`logs.ap-south-1.amazonaws.com`)."""
    return {"Service": names[0] if len(names) == 1 else list(names)}


def principals(arns: Values) -> Principal:
    """IAM principals, by ARN."""
    return {"AWS": arns}


def statement(
    sid: str,
    actions: Sequence[str],
    resources: Values | None = "*",
    *,
    effect: str = "Allow",
    principal: Principal | None = None,
    conditions: Conditions | None = None,
) -> Statement:
    """One statement. `sid` is letters and digits; `resources` is None in a trust policy, which has none."""
    given: dict[str, Any] = {
        "Sid": sid,
        "Effect": effect,
        "Principal": principal,
        "Action": list(actions),
        "Resource": resources,
        "Condition": conditions,
    }
    return {key: value for key, value in given.items() if value is not None}


def deny(
    sid: str, actions: Sequence[str], resources: Values, conditions: Conditions | None = None
) -> Statement:
    """A refusal to everyone, or to everyone whose request meets `conditions`."""
    return statement(sid, actions, resources, effect="Deny", principal=EVERYONE, conditions=conditions)


def document(*statements: Statement) -> pulumi.Output[str]:
    """A policy as JSON."""
    return pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust(
    principal: Principal,
    actions: Sequence[str] = ("sts:AssumeRole",),
    conditions: Conditions | None = None,
) -> pulumi.Output[str]:
    """Who may assume a role."""
    return document(statement("Assume", actions, None, principal=principal, conditions=conditions))


@dataclass(frozen=True)
class Account:
    """The account and region that a stack builds in."""

    id: pulumi.Input[str]
    region: str

    @classmethod
    def current(cls, region: str, opts: pulumi.InvokeOptions) -> Account:
        """The account of the provider in `opts`."""
        return cls(aws.get_caller_identity_output(opts=opts).account_id, region)

    @property
    def root(self) -> pulumi.Output[str]:
        """The account's root principal: whoever the account's own IAM policies allow."""
        return pulumi.Output.concat("arn:aws:iam::", self.id, ":root")

    def arn(self, service_name: str, resource: str) -> pulumi.Output[str]:
        """The ARN of something in this account and region. India has one partition, `aws`."""
        return pulumi.Output.concat(f"arn:aws:{service_name}:{self.region}:", self.id, ":", resource)
