"""Region guardrails of AWS organisations: the Deny of other regions, and what it lets through all the same.

A guardrail counts for as much as it leaves out. AWS's own example (IAM guide, "AWS: Denies access to AWS based on the
requested Region") leaves out global services; a role to break the glass is left out by name. What leaves out every
role, storage or models, or whoever has no tag, keeps nobody in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from policies.readers import locations
from policies.readers.iam_documents import Statement

REGION_KEY = "aws:requestedregion"
_PRINCIPAL_KEYS = ("aws:principalarn", "aws:userid", "aws:username", "aws:principalaccount")
_REGION_OPERATORS = ("stringnotequals", "stringnotequalsignorecase", "stringnotlike")
_EXCEPTING = (*_REGION_OPERATORS, "arnnotlike", "arnnotequals")
# Conditions that leave out no more than what AWS's services do for somebody.
_OF_SERVICES = ("aws:principalisawsservice", "aws:viaawsservice", "aws:calledvia", "aws:principalservicename")
# Actions by which data come to be in a region: a guardrail that leaves one of them out has a door there.
_DATA_ACTIONS = (
    "s3:CreateBucket", "s3:PutObject", "dynamodb:CreateTable", "dynamodb:PutItem", "rds:CreateDBInstance",
    "rds:CreateDBCluster", "ec2:RunInstances", "ec2:CreateVolume", "ec2:CopySnapshot", "bedrock:InvokeModel",
    "bedrock:CreateModelInvocationJob", "sagemaker:CreateTrainingJob", "sagemaker:CreateEndpoint",
    "lambda:CreateFunction", "kinesis:PutRecord", "firehose:CreateDeliveryStream", "sqs:CreateQueue", "sns:CreateTopic",
    "secretsmanager:CreateSecret", "eks:CreateCluster", "ecs:RunTask", "es:CreateDomain", "aoss:CreateCollection",
    "glue:CreateDatabase", "redshift:CreateCluster", "backup:CreateBackupVault", "backup:StartCopyJob",
    "elasticfilesystem:CreateFileSystem", "fsx:CreateFileSystem", "athena:StartQueryExecution", "kafka:CreateCluster",
    "elasticache:CreateCacheCluster", "ecr:CreateRepository", "logs:CreateLogGroup", "batch:SubmitJob",
    "emr-serverless:StartJobRun", "elasticmapreduce:RunJobFlow", "comprehend:DetectEntities",
    "transcribe:StartTranscriptionJob",
)  # fmt: skip
# What an ARN of callers says before it names any: accounts, kinds, the paths of IAM Identity Center and its own prefix.
_NO_NAME = re.compile(
    r"^(?:arn:[^:]*:(?:iam|sts):[^:]*:[^:]*:)?(?:(?:role|user|assumed-role|root)(?:/|$))?"
    r"(?:aws-reserved/sso\.amazonaws\.com/)?(?:[a-z]{2}-[a-z]+-\d/)?"
)
_ANY_NAME = re.compile(r"[*?/]*(?:AWSReservedSSO_[*?/]*)?")


@dataclass(frozen=True)
class Loophole:
    """What a guardrail lets through, and where it does."""

    what: str
    where: str
    value: Any


def is_about_regions(statement: Statement) -> bool:
    """Whether a statement denies requests to other regions for services in general."""
    broad = statement.body.get("NotAction") is not None or "*" in statement.texts("Action")
    return (
        statement.body.get("Effect") == "Deny"
        and broad
        and any(_names_regions(*one) for one in statement.conditions())
    )


def loopholes(statement: Statement) -> Iterator[Loophole]:
    """Everything by which a guardrail lets data go abroad."""
    for name in statement.texts("NotAction"):
        if left_out := first_data_action([name]):
            yield Loophole(f"{left_out} is left out of the guardrail", f"{statement.at}.NotAction", name)
    if statement.body.get("NotResource") is not None:
        yield Loophole(
            "resources are left out of the guardrail",
            f"{statement.at}.NotResource",
            statement.body["NotResource"],
        )
    for operator, key, values in statement.conditions():
        yield from _of_condition(f"{statement.at}.Condition", _plain(operator), key, values)


def first_data_action(patterns: list[str]) -> str | None:
    """An action by which data come to be in a region, among those that patterns match."""
    return next(
        (
            action
            for action in _DATA_ACTIONS
            for pattern in patterns
            if fnmatchcase(action.lower(), pattern.lower())
        ),
        None,
    )


def is_everybody(principal: Any) -> bool:
    """Whether a pattern of callers names none of them: `*`, `arn:aws:iam::*:role/*`, whoever signs on."""
    return (
        isinstance(principal, str) and _ANY_NAME.fullmatch(_NO_NAME.sub("", principal, count=1)) is not None
    )


def _of_condition(where: str, operator: str, key: str, values: list[Any]) -> Iterator[Loophole]:
    if _names_regions(operator, key, values):
        for region in values:
            if region not in locations.AWS_REGIONS:
                yield Loophole("a region abroad is let through", where, region)
    elif operator in _EXCEPTING and key in _PRINCIPAL_KEYS:
        for principal in filter(is_everybody, values):
            yield Loophole("every caller is left out of the guardrail", where, principal)
    elif operator not in _EXCEPTING and key not in _OF_SERVICES:
        yield Loophole("the guardrail is for some callers only", where, {key: values})


def _names_regions(operator: str, key: str, values: list[Any]) -> bool:
    return key == REGION_KEY and _plain(operator) in _REGION_OPERATORS and bool(values)


def _plain(operator: str) -> str:
    return operator.removeprefix("foranyvalue:").removeprefix("forallvalues:").removesuffix("ifexists")
