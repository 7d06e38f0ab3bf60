"""References to KMS keys: which properties hold them, and when an unknown one is settled by a key of the stack."""

from __future__ import annotations

import re

from policies.framework.provenance import is_own, sources
from policies.framework.resources import Stack, StackResource
from policies.framework.unknowns import Unknown

KEY_TYPES = (
    "aws:kms/key:Key",
    "aws:kms/alias:Alias",
    "aws:kms/externalKey:ExternalKey",
    "gcp:kms/cryptoKey:CryptoKey",
)
_KEY_PROPERTY = re.compile(
    r"kms(Master|Data|Encryption)?(Key)?(Id|Arn|Name|SelfLink|Identifier)?s?$|(encryption|customerManaged|customerMaster)Key(Id|Arn)?s?$"
    r"|^(key|primaryKey|targetKey)Arn$",
    re.IGNORECASE,
)


def is_key_property(name: str) -> bool:
    """Whether a property of this name refers to a KMS key: `kmsKeyId`, `kmsMasterKeyId`, `defaultKmsKeyName`."""
    return _KEY_PROPERTY.search(name) is not None


def resolved_by_key(unknown: Unknown, resource: StackResource, _stack: Stack) -> bool:
    """True when the unknown is a key reference made from a key of this stack; that key is judged on its own.

    Other clouds' resources may take part in the same top-level property (a role beside the key); stores of arbitrary
    values may not, since the reference could then come from them.
    """
    names = [part for part in unknown.path if isinstance(part, str)]
    if not names or not is_key_property(names[-1]):
        return False
    types = sources(unknown, resource)
    return any(type_ in KEY_TYPES for type_ in types) and all(map(is_own, types))
