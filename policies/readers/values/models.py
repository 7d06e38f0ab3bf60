"""Ids of models on Bedrock: where an inference profile answers is the word before the maker's name.

`in.` answers from Mumbai and Hyderabad, `apac.` also from Tokyo, Seoul, Singapore and Sydney, `global.` from anywhere
(Bedrock's guide to cross-region inference, read 2026-11).
"""

from __future__ import annotations

import re

# Those that sell models on Bedrock: the first word of a bare id.
MAKERS = frozenset(
    {
        *(
            "ai21",
            "amazon",
            "anthropic",
            "cohere",
            "deepseek",
            "google",
            "luma",
            "meta",
            "minimax",
            "mistral",
        ),
        *("moonshot", "moonshotai", "nvidia", "openai", "qwen", "stability", "twelvelabs", "writer", "zai"),
    }
)
_GEOGRAPHY = re.compile(r"[a-z][a-z-]{1,11}")
# A model has a number or a hyphen; a name like `cloud.google.com` has none.
_MODEL = re.compile(r"(?=[^/]*[0-9-])[a-z0-9.:-]+")


def geography_of(text: str) -> str:
    """The prefix of an inference profile, in an id, an ARN or the name that a gateway gives it; empty without one."""
    before, _, rest = text.partition(".")
    maker, _, model = rest.partition(".")
    if maker not in MAKERS or not _MODEL.fullmatch(model):
        return ""
    geography = before.rpartition("/")[2]
    return geography if _GEOGRAPHY.fullmatch(geography) else ""
