"""The environment variables of a container: `env`, `envFrom`, and what the platform adds."""

from __future__ import annotations

from collections.abc import Mapping

from localcloud.kubernetes.agent.expand import expand
from localcloud.kubernetes.agent.references import References
from localcloud.kubernetes.api import Object


def variables(container: Object, references: References, platform: Mapping[str, str]) -> dict[str, str]:
    """The variables of a container, those of `platform` first: what the pod says of the same name holds.

    Raises:
        NotThereError: it refers to what is not there.
    """
    made = dict(platform)
    for source in container.get("envFrom") or ():
        made |= _of_source(source, references)
    for variable in container.get("env") or ():
        value = _value(variable, container, references, made)
        if value is not None:
            made[variable["name"]] = value
    return made


def _of_source(source: Object, references: References) -> dict[str, str]:
    kind, reference = (
        ("ConfigMap", source["configMapRef"]) if "configMapRef" in source else ("Secret", source["secretRef"])
    )
    data = references.data(kind, reference["name"], reference.get("optional", False))
    return {source.get("prefix", "") + key: value.decode() for key, value in data.items()}


def _value(
    variable: Object, container: Object, references: References, made: Mapping[str, str]
) -> str | None:
    source = variable.get("valueFrom")
    if not source:
        return expand(variable.get("value", ""), made)
    if "fieldRef" in source:
        return references.field(source["fieldRef"]["fieldPath"])
    if "resourceFieldRef" in source:
        return references.resource(source["resourceFieldRef"], container)
    if "secretKeyRef" in source:
        return references.key("Secret", source["secretKeyRef"])
    return references.key("ConfigMap", source["configMapKeyRef"])
