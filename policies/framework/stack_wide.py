"""What is asked once of an account or project, and not of each resource in it.

Such a finding is pinned to the stack (`Stack.urn`), so that it keeps its identity when stores come, go or change their
order: a baseline or exemption that answers for it holds.
"""

from __future__ import annotations

AWS_ACCOUNT, GOOGLE_PROJECT = "the AWS account", "the Google project"


def elsewhere(control: str, otherwise: str) -> str:
    """The fix of what an organisation often has in another stack: say so first, and make it here only if not."""
    return (
        f"where the organisation has it in another stack, set `elsewhere` of {control}; if not, {otherwise}"
    )
