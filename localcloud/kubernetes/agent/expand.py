"""`$(VAR)` in commands, arguments and values of variables, as Kubernetes expands it."""

from __future__ import annotations

import re
from collections.abc import Mapping

_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")


def expand(text: str, variables: Mapping[str, str]) -> str:
    """The text with each `$(NAME)` replaced, where there is a variable of that name; `$$` is a `$`.

    Source: third_party/forked/golang/expansion of kubernetes/kubernetes.
    """

    def replace(found: re.Match[str]) -> str:
        name = found[1]
        return "$" if name is None else variables.get(name, found[0])

    return _REFERENCE.sub(replace, text)
