"""The settings of pods: K8S-03 regions, K8S-06 telemetry; and the registries of their images: K8S-07."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.remediation import PropertyPatch
from policies.framework.resources import Resource, Settings
from policies.framework.unknowns import Unknown, dotted, each
from policies.law import IMAGE_SOURCE, RESIDENCY, TELEMETRY
from policies.readers import locations
from policies.readers.mentions import may_mention
from policies.readers.pod_environment import (
    CRD,
    KUBERNETES,
    Environment,
    Variable,
    environments,
    hidden,
    is_about_the_object,
    line,
    resolved_by_own_resources,
    resolved_elsewhere,
    settings_of_pods,
)
from policies.readers.references import is_pod_setting, leads_abroad
from policies.readers.tables import several, table
from policies.readers.values.reading import read

# Variables that can only hold a region or a zone.
REGIONS = frozenset({
    "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_S3_REGION", "BEDROCK_REGION", "SAGEMAKER_REGION", "S3_REGION",
    "GOOGLE_CLOUD_REGION", "GOOGLE_CLOUD_LOCATION", "CLOUD_ML_REGION", "VERTEX_LOCATION", "VERTEXAI_LOCATION",
    "CLOUDSDK_COMPUTE_REGION", "CLOUDSDK_COMPUTE_ZONE", "GCP_REGION",
})  # fmt: skip
# A gateway of models is told the maker before the model; ids of open weights (`openai/gpt-oss-20b`) look the same.
_MAKERS = re.compile(
    r"(?<![\w./-])(?:anthropic/claude|cohere/command|deepseek/deepseek-(?:chat|reasoner)|gemini/gemini|groq/\w"
    r"|mistral/mistral-|openai/gpt-[345]\w*(?![\w-]*oss)|openrouter/\w|perplexity/sonar|together_ai/\w|voyage/voyage|xai/grok)\S*"
)
# One of these is in each text that the pattern finds something in.
_MARKS_OF_MAKERS = (
    "anthropic/", "cohere/", "deepseek/", "gemini/", "groq/", "mistral/", "openai/", "openrouter/", "perplexity/",
    "together_ai/", "voyage/", "xai/",
)  # fmt: skip
_INDIAN_REGISTRIES = (
    re.compile(r"\d{12}\.dkr\.ecr(-fips)?\.(ap-south-1|ap-south-2)\.(amazonaws\.com|on\.aws)"),
    re.compile(r"asia-south[12]-docker\.pkg\.dev"),
)


@dataclass(frozen=True)
class Program:
    """A program that reports its use: `marks` tell it by its image or command, any of `off` stops it."""

    name: str
    marks: tuple[str, ...]
    off: tuple[str, ...]


PROGRAMS = tuple(
    Program(row["program"], several(row["marks"]), several(row["off"])) for row in table("telemetry.csv")
)


def region_variables(resource: Resource, _settings: Settings) -> Iterator[Finding | Unknown]:
    """K8S-03: variables, arguments, files and values of charts tell pods of no place abroad, nor of a model there."""
    if resource.type.startswith(CRD):
        return
    yield from hidden(resource)
    variables = [one for environment in environments(resource) for one in environment.variables]
    judged = {variable.path: variable for variable in variables if variable.name in REGIONS}
    for variable in judged.values():
        yield from _region(variable)
    yield from _models(resource)
    for value in read(resource).of("place", "reference"):
        if is_pod_setting(value.path) and value.path not in judged and leads_abroad(value, resource.type):
            yield _abroad(value.where, value.word)


def _models(resource: Resource) -> Iterator[Finding | Unknown]:
    """Models that answer abroad, and texts that can't be known."""
    for leaf in settings_of_pods(resource):
        if isinstance(leaf.value, Unknown):
            if leaf.path[0] in ("data", "stringData") or leaf.name in ("args", "command"):
                yield leaf.value
        elif isinstance(leaf.value, str):
            models = _MAKERS.finditer(leaf.value) if may_mention(leaf.value, _MARKS_OF_MAKERS) else ()
            yield from (_abroad(dotted(leaf.path), model[0]) for model in models)
    for value in read(resource).of("model"):
        if value.is_abroad and not is_about_the_object(value.path):
            yield _abroad(value.where, value.word)


def _abroad(where: str, what: str) -> Finding:
    expected = f"{locations.EXPECTED_AWS}, {locations.EXPECTED_GCP}, or a model of that region"
    return Finding(
        "what it is told is a place abroad", where, what, expected, fix="change this value to an Indian place"
    )


def telemetry(resource: Resource, _settings: Settings) -> Iterator[Finding | Unknown]:
    """K8S-06: each container whose image or command is of a program that reports its use has that switched off."""
    yield from hidden(resource)
    for environment in environments(resource):
        if environment.path[:1] in (("data",), ("stringData",)):
            continue
        image = environment.block.get("image")
        if isinstance(image, Unknown):
            yield image
        for program in _reporting(environment):
            if environment.elsewhere:
                yield Unknown(environment.elsewhere[0])
            else:
                where = (*environment.path, "image" if "image" in environment.block else "env")
                yield Finding(
                    f"{program.name} reports its use to its makers",
                    dotted(where),
                    image,
                    f"one of {', '.join(program.off)}",
                )


def silence(resource: Resource, _settings: Settings) -> Iterator[PropertyPatch]:
    """K8S-06: the variable that switches a program's reports off, in the container of a pod that says nothing of it and
    whose variables are all written there."""
    for environment in environments(resource):
        if not _is_open(environment):
            continue
        named = {variable.name for variable in environment.variables}
        off = [
            program.off[0].split("=")
            for program in _reporting(environment)
            if named.isdisjoint(setting.partition("=")[0] for setting in program.off)
        ]
        for index, (name, value) in enumerate(off, len(environment.variables)):
            yield PropertyPatch((*environment.path, "env", index), {"name": name, "value": value})


def _is_open(environment: Environment) -> bool:
    """A container of a pod, not of a chart's values, all of whose variables can be read."""
    path, variables = environment.path, environment.block.get("env")
    return (
        path[-2:-1] in (("containers",), ("initContainers",))
        and "values" not in path
        and not environment.elsewhere
        and isinstance(variables, list | None)
        and len(variables or ()) == len(environment.variables)
    )


def _reporting(environment: Environment) -> Iterator[Program]:
    """Programs of a container that would report their use."""
    command = line(environment.block)
    seen = f"{environment.block.get('image')} {command}".lower()
    for program in PROGRAMS:
        if any(mark in seen for mark in program.marks) and not _is_off(program, environment, command):
            yield program


def images(resource: Resource, settings: Settings) -> Iterator[Finding | Unknown]:
    """K8S-07: each container's image comes from a registry in an Indian region, or one that the settings name."""
    yield from hidden(resource)
    allowed = [one for one in each(settings.get("registries")) if isinstance(one, str)]
    for environment in environments(resource):
        image = environment.block.get("image")
        if isinstance(image, Unknown):
            yield image
        elif isinstance(image, str) and not _is_indian_registry(image, allowed):
            yield Finding(
                "the image does not come from a registry in India",
                dotted((*environment.path, "image")),
                image,
                "ECR or Artifact Registry of an Indian region, or one of the setting registries",
            )


def _region(variable: Variable) -> Iterator[Finding | Unknown]:
    if variable.source is not None:
        yield Unknown(variable.path)
    elif isinstance(variable.value, Unknown):
        yield variable.value
    elif variable.value not in (None, "") and not locations.place(str(variable.value)):
        yield Finding(
            f"{variable.name} is not in India",
            dotted(variable.path),
            variable.value,
            f"{locations.EXPECTED_AWS}, {locations.EXPECTED_GCP}",
        )


def _is_off(program: Program, environment: Environment, command: str) -> bool:
    return any(
        setting in command.split() if setting.startswith("--") else environment.says(setting)
        for setting in program.off
    )


def _is_indian_registry(image: str, allowed: list[str]) -> bool:
    host = image.partition("/")[0] if "/" in image else ""
    return any(pattern.fullmatch(host) for pattern in _INDIAN_REGISTRIES) or any(
        image == one or image.startswith(f"{one.rstrip('/')}/") for one in allowed
    )


K8S_03 = Control(
    id="DPDP-K8S-03",
    title="Region variables in India",
    law=RESIDENCY,
    severity=Severity.HIGH,
    level=EnforcementLevel.MANDATORY,
    types=KUBERNETES,
    remedy="name an Indian region, and a model of that region or of the profile `in.`",
    check=region_variables,
    resolves=resolved_elsewhere,
)
K8S_06 = Control(
    id="DPDP-K8S-06",
    title="Telemetry off",
    law=TELEMETRY,
    severity=Severity.LOW,
    level=EnforcementLevel.ADVISORY,
    types=KUBERNETES,
    remedy="set one of the variables that switch it off",
    check=telemetry,
    remediate=silence,
    resolves=resolved_by_own_resources,
)
K8S_07 = Control(
    id="DPDP-K8S-07",
    title="Images from Indian registries",
    law=IMAGE_SOURCE,
    severity=Severity.LOW,
    level=EnforcementLevel.ADVISORY,
    types=KUBERNETES,
    remedy="mirror the image into a registry of the region",
    check=images,
    resolves=resolved_by_own_resources,
    settings={
        "registries": {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "description": "registries, or paths in them, that you accept: registry.example.in/team",
        }
    },
)
CONTROLS = (K8S_03, K8S_06, K8S_07)
