"""As whom a stack is deployed on the Google of the local cloud: the first person or account that its file lists.

Google has no call that signs in: the provider answers who its caller is, as the real one answers of its credentials.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from infra.stacks import read

# A person of no company: the local cloud's caller where a stack lists nobody.
EMAIL = "india-ai-infra-deployer@example.in"
VARIABLE = "INDIA_AI_INFRA_GOOGLE_DEPLOYER"
_PREFIXES = ("user:", "serviceAccount:")


def email() -> str:
    """The address of the provider's credentials."""
    return os.environ.get(VARIABLE) or EMAIL


def environment(stack_file: Path) -> dict[str, str]:
    """What makes the provider's caller the first member that a stack's file lists; nothing where it lists none."""
    config = read(stack_file).get("config") or {}
    listed: list[Any] = []
    for key, cloud in config.items():
        if key.endswith(":gcp") and isinstance(cloud, dict):
            access = (cloud.get("cluster") or {}).get("access") or {}
            listed += access.get("deployers") or []
    members = [one for one in listed if isinstance(one, str) and one.startswith(_PREFIXES)]
    emails = [member.partition(":")[2] for member in members]
    return {} if not emails or EMAIL in emails else {VARIABLE: emails[0]}
