"""Model inference: RES-13. Bedrock's ids say where a model answers; Google's flags say whether it may be elsewhere.

A bare id answers in the region that is asked, an inference profile in those of its geography (`readers/values/models`).
"""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.resources import Resource, Settings, Stack
from policies.framework.unknowns import Leaf, Path, Unknown, dig, dotted
from policies.law import INFERENCE
from policies.readers import locations
from policies.readers.references import combine, foreign_references, resolved_by_own
from policies.readers.tables import block_names
from policies.readers.values.models import MAKERS, geography_of
from policies.readers.values.reading import every_leaf, read

INDIA = "in"
BLOCKS_OF_MODELS = block_names("blocks_of_models.txt")
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
    judged = set[Path]()
    for leaf in every_leaf(resource) if resource.type.startswith("aws:bedrock") else ():
        if isinstance(leaf.value, Unknown):
            if is_model_property(leaf.name) or leaf.name in BLOCKS_OF_MODELS:
                yield leaf.value
        elif is_model_property(leaf.name):
            judged.add(leaf.path)
            yield from _model(leaf)
    for value in read(resource).of("model"):
        if value.is_abroad and value.path not in judged:
            yield _elsewhere(value.where, value.word, geography_of(value.word))
    if resource.type == _CHAT_ENGINE:
        yield from _chat_engine(resource)


def _model(leaf: Leaf) -> Iterator[Finding]:
    """A finding unless the model's id has no geography or India's: any other may be answered anywhere.

    ARNs with foreign regions are found by `foreign_references`.
    """
    if any(part in _OUTSIDE for part in leaf.path):
        yield Finding("the model answers outside AWS", dotted(leaf.path), leaf.value, _EXPECTED)
    elif not isinstance(leaf.value, str):
        yield Finding("the model's id is not text", dotted(leaf.path), leaf.value, _EXPECTED)
    elif geography_of(leaf.value) == INDIA or _answers_here(leaf.value):
        return
    else:
        yield _elsewhere(dotted(leaf.path), leaf.value, geography_of(leaf.value))


def _answers_here(text: str) -> bool:
    reference = locations.arn(text)
    if reference is None:
        return geography_of(text) == "" and text.partition(".")[0] in MAKERS
    if not reference.region or geography_of(text):
        return False  # no region in an ARN of a model: global routing
    return reference.resource.partition("/")[0] != "inference-profile"


def profiles(stack: Stack, _settings: Settings) -> Iterator[tuple[str, Finding]]:
    """RES-13 over the stack: its own application profiles are judged where they are made, others may route anywhere."""
    own = {one.props.get("arn") for one in stack.of(_PROFILE)}
    for resource in stack.under("aws:bedrock"):
        if resource.type == _PROFILE:
            continue
        for leaf in every_leaf(resource.given):
            text = leaf.value if isinstance(leaf.value, str) and is_model_property(leaf.name) else ""
            if ":application-inference-profile/" in text and text not in own:
                yield resource.urn, _elsewhere(dotted(leaf.path), text, "")


def _elsewhere(where: str, model: str, geography: str) -> Finding:
    what = f"inference is routed to `{geography}`" if geography else "nothing says where this model answers"
    return Finding(what, where, model, _EXPECTED)


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
    check=combine(
        "A model's id in Bedrock's types is bare or begins with `in.`; no text in any other type, an environment "
        "variable for one, is the id of a profile elsewhere; a chat engine does not allow other regions.",
        models,
        foreign_references("DPDP-RES-13"),
    ),
    stack_check=profiles,
    resolves=resolved_by_own,
)
CONTROLS = (RES_13,)
