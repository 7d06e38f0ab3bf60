"""Helm charts, whoever installs them: Pulumi's Release and Chart, Argo CD, Flux, K3s, add-ons of EKS."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from policies.framework.unknowns import Unknown, dig, each
from policies.readers.exporters import flat
from policies.readers.values.texts import tree

_PULUMI = re.compile(r"kubernetes:helm\.sh/v\d+:(?:Release|Chart)$")
_ARGO = re.compile(r"kubernetes:argoproj\.io/[\w.]+:Application(?:Set)?$")
_FLUX = re.compile(r"kubernetes:helm\.toolkit\.fluxcd\.io/[\w.]+:HelmRelease$")
_K3S = re.compile(r"kubernetes:helm\.cattle\.io/[\w.]+:HelmChart$")
_EKS_ADDON = re.compile(r"(?:aws:eks/addon:Addon|aws-native:eks:Addon)$")


@dataclass(frozen=True)
class Chart:
    """A chart, the repository that it is from, and its values: names joined with dots, and texts.

    `elsewhere` is the property that names values in files that are not shown here.
    """

    name: str
    repository: str
    where: str
    values: tuple[tuple[str, str], ...]
    elsewhere: tuple[str | int, ...] | None = None


def charts(type_: str, props: Any) -> Iterator[Chart]:
    """The charts that a resource installs."""
    if _PULUMI.match(type_):
        yield from _pulumi(props)
    elif _ARGO.match(type_):
        yield from _argo(props)
    elif _FLUX.match(type_):
        yield from _flux(props)
    elif _K3S.match(type_):
        yield from _k3s(props)
    elif _EKS_ADDON.match(type_):
        yield from _addon(props)


def _pulumi(props: Any) -> Iterator[Chart]:
    name = props.get("chart")
    if isinstance(name, str):
        repository = dig(props, "repositoryOpts", "repo")
        files = _hidden(props, "valueYamlFiles")
        yield Chart(name, _text(repository), "chart", _values(props.get("values")), files)


def _argo(props: Any) -> Iterator[Chart]:
    spec = props.get("spec")
    spec = dig(spec, "template", "spec") or spec
    for at, source in [("spec.source", dig(spec, "source")), *_sources(spec)]:
        if isinstance(source, dict) and isinstance(source.get("chart"), str):
            helm = source.get("helm")
            values = (
                *_values(dig(helm, "values")),
                *_values(dig(helm, "valuesObject")),
                *_pairs(dig(helm, "parameters")),
            )
            files = ("spec",) if dig(helm, "valueFiles") else None
            yield Chart(source["chart"], _text(source.get("repoURL")), f"{at}.chart", values, files)


def _sources(spec: Any) -> list[tuple[str, Any]]:
    return [(f"spec.sources[{index}]", source) for index, source in enumerate(each(dig(spec, "sources")))]


def _flux(props: Any) -> Iterator[Chart]:
    spec = props.get("spec")
    name = dig(spec, "chart", "spec", "chart") or dig(spec, "chartRef", "name")
    if isinstance(name, str):
        repository = _text(dig(spec, "chart", "spec", "sourceRef", "name"))
        elsewhere = ("spec", "valuesFrom") if dig(spec, "valuesFrom") else None
        yield Chart(name, repository, "spec.chart.spec.chart", _values(dig(spec, "values")), elsewhere)


def _k3s(props: Any) -> Iterator[Chart]:
    spec = props.get("spec")
    name = dig(spec, "chart")
    if isinstance(name, str):
        values = (*_values(dig(spec, "valuesContent")), *_values(dig(spec, "set")))
        yield Chart(name, _text(dig(spec, "repo")), "spec.chart", values)


def _addon(props: Any) -> Iterator[Chart]:
    """Add-ons of the marketplace are charts, named `vendor_chart`."""
    name = props.get("addonName")
    if isinstance(name, str) and "_" in name:
        vendor, _, chart = name.partition("_")
        yield Chart(chart, vendor, "addonName", _values(props.get("configurationValues")))


def _values(given: Any) -> tuple[tuple[str, str], ...]:
    found = tree(given) if isinstance(given, str) else given
    return tuple(flat(found)) if isinstance(found, dict | list) else ()


def _pairs(parameters: Any) -> tuple[tuple[str, str], ...]:
    return tuple(
        (str(one.get("name")), str(one.get("value"))) for one in each(parameters) if isinstance(one, dict)
    )


def _hidden(props: Any, name: str) -> tuple[str | int, ...] | None:
    return (name,) if props.get(name) or isinstance(props.get("values"), Unknown) else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
