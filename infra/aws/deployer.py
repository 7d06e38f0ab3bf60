"""Who runs the program, as IAM knows them beyond this session."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws


def deployer_arn(opts: pulumi.InvokeOptions) -> pulumi.Output[str]:
    """The ARN of the user, or of the role (with its path, as single sign-on has) that the session was assumed from."""
    caller = aws.get_caller_identity_output(opts=opts)
    return aws.iam.get_session_context_output(arn=caller.arn, opts=opts).issuer_arn
