"""Holds a component's arguments to the rules of a stack's settings: all that is wrong is in one message."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pulumi
from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from india_ai_infra.args import GpuClusterArgs, LakeArgs
from infra import geography
from infra.catalog.exchange_rate import reference_rate
from infra.catalog.offered import check_offered
from infra.settings import reading
from infra.settings.errors import Problem, SettingsError, path_of, problems_of
from infra.settings.names import fits
from infra.settings.stack import Settings
from infra.spelling import nearest

# A component's arguments are some of a stack's settings; these are the ones that are not its cloud's own.
OF_STACK = ("owner", "purpose", "data_class", "retention_days")
OF_CLUSTER = ("version", "access", "system", "pools", "deletion_protection")
OF_LAKE = ("dual_region",)
ONLY_GOOGLE = ("project", "dual_region")
# The settings that a stack must have and no component reads.
UNREAD = {"environment": "prod", "budget": {"monthlyInr": 1}}
SECTION = re.compile(r"^(aws|gcp)\.((cluster|lake)\.)?")
# It becomes the start of names in the clouds, of which Google takes the fewest letters.
NAME = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")


class ArgumentsError(pulumi.RunError):
    """All that is wrong with the arguments of one component, of which nothing was made. Paths are as in Pulumi's schema
    (`pools[0].maxNodes`)."""

    def __init__(self, component: str, problems: Iterable[Problem]) -> None:
        self.problems = [
            dataclasses.replace(each, path=SECTION.sub("", each.path) or "region") for each in problems
        ]
        verb = "argument is" if len(self.problems) == 1 else "arguments are"
        super().__init__(
            "\n".join([f"{component}: {len(self.problems)} {verb} wrong:", *map(str, self.problems)])
        )


def lake_settings(name: str, args: LakeArgs | Mapping[str, Any]) -> Settings:
    """The settings of a stack that has nothing but this lake.

    Raises:
        ArgumentsError: with every problem at once.
    """
    return _settings(f"Lake {name}", name, args, _of_a_lake)


def cluster_settings(name: str, args: GpuClusterArgs | Mapping[str, Any]) -> Settings:
    """The settings of a stack that has nothing but this cluster.

    Raises:
        ArgumentsError: with every problem at once.
    """
    checks = (fits(name, pulumi.get_stack()), check_offered)
    return _settings(f"GpuCluster {name}", name, args, lambda values: reading.parse(values, *checks))


def _of_a_lake(values: Mapping[str, Any]) -> Settings:
    """Not held to what only a cluster needs, such as a way in."""
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError(problems_of(error, Settings)) from None


def _settings(
    component: str,
    name: str,
    args: LakeArgs | GpuClusterArgs | Mapping[str, Any],
    read: Callable[[Mapping[str, Any]], Settings],
) -> Settings:
    # A component provider is given a mapping instead of the class.
    values = args if isinstance(args, Mapping) else vars(args)
    given = {key: _plain(value) for key, value in values.items() if value is not None}
    problems = [*_wrong_name(name), *_outputs((), given)]
    cloud = geography.REGIONS[region].cloud if (region := given["region"]) in geography.REGIONS else None
    if cloud is None:
        problems.append(_abroad(region))
    elif cloud == "aws":
        problems += [
            Problem(
                to_camel(key),
                str(given[key]),
                f"only with a region of Google ({', '.join(geography.regions_of('gcp'))})",
            )
            for key in ONLY_GOOGLE
            if key in given
        ]
    if problems or cloud is None:
        raise ArgumentsError(component, problems)
    try:
        return read(_as_settings(cloud, given))
    except SettingsError as error:
        raise ArgumentsError(component, error.problems) from None


def _as_settings(cloud: str, given: Mapping[str, Any]) -> dict[str, Any]:
    def those(names: Sequence[str]) -> dict[str, Any]:
        return {to_camel(name): given[name] for name in names if name in given}

    rest = [name for name in given if name not in (*OF_STACK, *OF_CLUSTER, *OF_LAKE)]
    of_cloud = {**those(rest), "cluster": those(OF_CLUSTER)}
    if cloud == "gcp":
        of_cloud["lake"] = those(OF_LAKE)
    rate = reference_rate()
    currency = {"usdInr": rate.usd_inr, "asOf": rate.as_of}
    return {**UNREAD, "currency": currency, **those(OF_STACK), cloud: of_cloud}


def _plain(value: Any) -> Any:
    """Mappings with the names of the schema, and without what is not given."""
    if dataclasses.is_dataclass(value):
        value = vars(value)
    if isinstance(value, Mapping):
        return {to_camel(key): _plain(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(inner) for inner in value]
    return value


def _wrong_name(name: str) -> list[Problem]:
    if NAME.fullmatch(name):
        return []
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).lstrip("-0123456789").rstrip("-")
    allowed = "a letter, then lower-case letters, digits and dashes: names in the cloud begin with it"
    return [Problem("the component's name", name, allowed, slug or None)]


def _abroad(region: Any) -> Problem:
    cities = ", ".join(f"{each.name} ({each.city})" for each in geography.REGIONS.values())
    return Problem(
        "region", str(region), f"{cities}: data stays in India", nearest(region, geography.REGIONS)
    )


def _outputs(path: Sequence[str | int], value: Any) -> list[Problem]:
    """Values that a preview does not know."""
    if isinstance(value, pulumi.Output):
        allowed = "a plain value, which the preview knows: it decides what is made"
        return [Problem(path_of(path), "an output of another resource", allowed)]
    if isinstance(value, Mapping):
        return [each for key, inner in value.items() for each in _outputs((*path, to_camel(key)), inner)]
    if isinstance(value, list):
        return [each for index, inner in enumerate(value) for each in _outputs((*path, index), inner)]
    return []
