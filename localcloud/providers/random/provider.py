"""The `random` provider of the local cloud: values drawn once, at creation, and kept in the state."""

from __future__ import annotations

import secrets
import string
import uuid
from importlib.metadata import version

from typing_extensions import override

from localcloud.providers.protocol import (
    UNKNOWN,
    Diff,
    Provider,
    Resource,
    ResourceError,
    Values,
    changed_keys,
    serve,
)

_SPECIAL = "!@#$%&*()-_=+[]{}<>:?"
_DRAWN = {
    "random:index/randomPassword:RandomPassword": ("result",),
    "random:index/randomString:RandomString": ("result",),
    "random:index/randomId:RandomId": ("hex", "dec"),
    "random:index/randomUuid:RandomUuid": ("result",),
}


class Random(Provider):
    """The random provider: values are drawn once and kept in the state."""

    @override
    def diff(self, resource: Resource, old_inputs: Values, old_outputs: Values, inputs: Values) -> Diff:
        changed = changed_keys(old_inputs, inputs)
        return Diff(changed=changed, replaces=changed)

    @override
    def create(self, resource: Resource, inputs: Values) -> tuple[str, Values]:
        if resource.type not in _DRAWN:
            known = ", ".join(sorted(_DRAWN))
            raise ResourceError(f"{resource.type} is not in the local cloud; it has {known}")
        if resource.preview:
            return "", {**inputs, **dict.fromkeys(_DRAWN[resource.type], UNKNOWN)}
        drawn = _draw(resource.type, inputs)
        return next(iter(drawn.values())), {**inputs, **drawn}


def _draw(token: str, inputs: Values) -> Values:
    if token.endswith("RandomUuid"):
        return {"result": str(uuid.uuid4())}
    if token.endswith("RandomId"):
        drawn = secrets.token_hex(int(inputs["byteLength"]))
        return {"hex": f"{inputs.get('prefix', '')}{drawn}", "dec": str(int(drawn, 16))}
    return {"result": _text(inputs)}


def _text(inputs: Values) -> str:
    """Every wanted kind of character is in it at least once, as the real provider guarantees its minimums."""
    kinds = [
        ("lower", "minLower", string.ascii_lowercase),
        ("upper", "minUpper", string.ascii_uppercase),
        ("numeric", "minNumeric", string.digits),
        ("special", "minSpecial", inputs.get("overrideSpecial") or _SPECIAL),
    ]
    allowed = "".join(letters for key, _, letters in kinds if inputs.get(key, True))
    length = int(inputs["length"])
    drawn = [secrets.choice(letters) for _, least, letters in kinds for _ in range(int(inputs.get(least, 0)))]
    drawn += [secrets.choice(allowed) for _ in range(length - len(drawn))]
    secrets.SystemRandom().shuffle(drawn)
    return "".join(drawn)


if __name__ == "__main__":
    serve(Random(), version("pulumi-random"))
