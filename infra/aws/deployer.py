"""Who runs the program, as IAM knows them beyond this session, and who else may: the cluster's administrators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.settings.aws import deployer_name
from infra.settings.errors import NOTHING, Problem, SettingsError

SETTING = "aws.cluster.access.deployers"


@dataclass(frozen=True)
class Caller:
    """Whoever runs the program: the account, and the ARN of the user or of the role that the session is of."""

    account_id: str
    arn: str


@dataclass(frozen=True)
class Deployer:
    """An administrator of the cluster. `name` (`role/ci`) tells its entry apart; it is empty for the caller of a stack
    that lists nobody."""

    name: str
    arn: str


def caller(provider: pulumi.ProviderResource | None) -> Caller:
    """Ask AWS who runs the program, and wait for the answer: it decides whether anything is made.

    A role's ARN has its path, as single sign-on gives it one.
    """
    opts = pulumi.InvokeOptions(provider=provider)
    session = aws.get_caller_identity(opts=opts)
    issuer = aws.iam.get_session_context(arn=session.arn, opts=opts)
    return Caller(session.account_id, issuer.issuer_arn)


def administrators(listed: Sequence[str], runs: Caller) -> list[Deployer]:
    """The deployers that the settings list, or the caller where they list none.

    Raises:
        SettingsError: the caller is not listed, and could make no object in the cluster.
    """
    if not listed:
        return [Deployer("", runs.arn)]
    found = [Deployer(deployer_name(one), _arn(one, runs.account_id)) for one in listed]
    if any(deployer.arn == runs.arn for deployer in found):
        return found
    line = f"[{', '.join([*listed, deployer_name(runs.arn)])}]"
    allowed = f"whoever runs pulumi among them: this is {runs.arn}, which the cluster would not let in"
    raise SettingsError([Problem(SETTING, ", ".join(listed) or NOTHING, allowed, line)])


def _arn(deployer: str, account_id: str) -> str:
    return deployer if deployer.startswith("arn:") else f"arn:aws:iam::{account_id}:{deployer}"
