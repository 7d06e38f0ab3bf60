"""Model inference: RES-13. Bedrock's ids say where a model answers; Google's flags say whether it may be elsewhere.

An inference profile's prefix is its geography: `in.` answers from Mumbai and Hyderabad, `apac.` also from Tokyo, Seoul,
Singapore and Sydney, `global.` from anywhere; a bare id answers in the region that is asked (Bedrock's guide to
cross-region inference, read 2026-11).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.resources import Resource, Settings, Stack
from policies.framework.unknowns import Leaf, Unknown, dig, dotted, leaves
from policies.law import INFERENCE
from policies.readers import locations
from policies.readers.references import both, settled_by_own, walk
from policies.readers.tables import block_names

INDIA = "in"
BLOCKS_OF_MODELS = block_names("blocks_of_models.txt")
# Those that sell models on Bedrock: the first word of a bare id.
PROVIDERS = frozenset(
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
# The whole of a text, or the end of an ARN; a model has a number or a hyphen, a host name like `cloud.google.com` none.
_GEOGRAPHY = re.compile(
    rf"(?:^|^arn:\S*/)(?P<geography>[a-z-]+)\.(?:{'|'.join(sorted(PROVIDERS))})\.(?=[^/]*[0-9-])[a-z0-9.:-]+"
)
_MODEL_PROPERTIES = frozenset(
    {
        *("modelId", "modelArn", "modelIdentifier", "embeddingModelArn"),
        *("foundationModel", "baseModelIdentifier", "copyFrom"),
    }
)
# Harnesses may ask a model outside AWS, over the internet.
_OUTSIDE = ("geminiModelConfig", "litellmModelConfig", "openaiModelConfig")
_CHAT_ENGINE = "gcp:discoveryengine/chatEngine:ChatEngine"
_PROFILE = "aws:bedrock/inferenceProfile:InferenceProfile"
_EXPECTED = "a bare model id, or an inference profile of India (`in.`)"


def is_model_property(name: str) -> bool:
    """Whether a property of this name, in Bedrock's types, says which model answers."""
    return name in _MODEL_PROPERTIES


def models(resource: Resource, _settings: Settings) -> Iterator[Finding | Unknown]:
    """RES-13: ids in Bedrock's own properties, and in any other text, an environment variable for one."""
    of_bedrock = resource.type.startswith("aws:bedrock")
    for leaf in leaves(resource.props):
        if of_bedrock and isinstance(leaf.value, Unknown):
            if is_model_property(leaf.name) or leaf.name in BLOCKS_OF_MODELS:
                yield leaf.value
        elif of_bedrock and is_model_property(leaf.name):
            yield from _model(leaf)
        elif isinstance(leaf.value, str) and (geography := geography_of(leaf.value)) not in ("", INDIA):
            yield _elsewhere(leaf, geography)
    if resource.type == _CHAT_ENGINE:
        yield from _chat_engine(resource)


def geography_of(text: str) -> str:
    """The prefix of an inference profile, in an id or an ARN; empty without one."""
    found = _GEOGRAPHY.fullmatch(text)
    return found["geography"] if found else ""


def _model(leaf: Leaf) -> Iterator[Finding]:
    """Closed: what is neither bare nor of India may answer anywhere. Foreign regions in ARNs are the walk's."""
    if any(part in _OUTSIDE for part in leaf.path):
        yield Finding("the model answers outside AWS", dotted(leaf.path), leaf.value, _EXPECTED)
    elif not isinstance(leaf.value, str):
        yield Finding("the model's id is not text", dotted(leaf.path), leaf.value, _EXPECTED)
    elif geography_of(leaf.value) == INDIA or _answers_here(leaf.value):
        return
    else:
        yield _elsewhere(leaf, geography_of(leaf.value))


def _answers_here(text: str) -> bool:
    reference = locations.arn(text)
    if reference is None:
        return geography_of(text) == "" and text.partition(".")[0] in PROVIDERS
    if not reference.region or geography_of(text):
        return False  # no region in an ARN of a model: global routing
    return reference.resource.partition("/")[0] != "inference-profile"


def profiles(stack: Stack, _settings: Settings) -> Iterator[tuple[str, Finding]]:
    """RES-13 over the stack: its own application profiles are judged where they are made, others may route anywhere."""
    own = {one.props.get("arn") for one in stack.of(_PROFILE)}
    for resource in stack.under("aws:bedrock"):
        if resource.type == _PROFILE:
            continue
        for leaf in leaves(resource.props):
            text = leaf.value if isinstance(leaf.value, str) and is_model_property(leaf.name) else ""
            if ":application-inference-profile/" in text and text not in own:
                yield resource.urn, _elsewhere(leaf, "")


def _elsewhere(leaf: Leaf, geography: str) -> Finding:
    what = f"inference is routed to `{geography}`" if geography else "nothing says where this model answers"
    return Finding(what, dotted(leaf.path), leaf.value, _EXPECTED)


def _chat_engine(resource: Resource) -> Iterator[Finding | Unknown]:
    allowed = dig(resource.props, "chatEngineConfig", "allowCrossRegion")
    if isinstance(allowed, Unknown):
        yield allowed
    elif allowed not in (None, False):
        yield Finding(
            "the engine may use other regions", "chatEngineConfig.allowCrossRegion", allowed, "false"
        )


RES_13 = Control(
    id="DPDP-RES-13",
    title="Model inference stays in India",
    law=INFERENCE,
    severity=Severity.CRITICAL,
    level=EnforcementLevel.MANDATORY,
    types=("aws:", "gcp:"),
    remedy="ask a model in the region by its bare id, or through a profile of India, `in.`",
    check=both(
        "A model's id in Bedrock's types is bare or begins with `in.`; no text in any other type, an environment "
        "variable for one, is the id of a profile elsewhere; a chat engine does not allow other regions.",
        models,
        walk("DPDP-RES-13"),
    ),
    stack_check=profiles,
    settles=settled_by_own,
)
CONTROLS = (RES_13,)
