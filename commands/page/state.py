"""The state that a page is made from: of a stack on the local cloud, or a file that `pulumi stack export` wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from infra.geography import REGIONS
from infra.pricing.resources import Resource, ResourceGraph
from infra.settings.stack import Settings
from infra.stacks import PROJECT, file_of
from localcloud import cloud
from localcloud.directories import run_dir
from localcloud.engine import EngineError, Stack
from policies.runner.states import encrypted, resources_in, resources_of, sealed

CLUSTERS = {"aws:eks/cluster:Cluster": "region", "gcp:container/cluster:Cluster": "location"}
_CLOUDS = {"aws": "AWS", "gcp": "Google Cloud"}


class NoStateError(Exception):
    """There is nothing to make a page of; the message says what to do."""


@dataclass(frozen=True)
class State:
    """A stack's resources as its state file has them, without those that wait to be deleted.

    resources: without the plaintext of secrets, so that none is on a page.
    source: the file.
    clear: the same with the plaintext, where it could be had: for the policies, whose findings say where a secret is
        and never what.
    """

    stack: str
    resources: Sequence[Mapping[str, Any]]
    source: Path
    clear: Sequence[Mapping[str, Any]] | None = field(default=None, repr=False)

    @property
    def judged(self) -> Sequence[Mapping[str, Any]]:
        """What the policies judge."""
        return self.resources if self.clear is None else self.clear

    @property
    def changed(self) -> str:
        """The last minute at which an update wrote a resource (UTC); empty where the state does not say."""
        last = max((str(one.get("modified") or "") for one in self.resources), default="")
        return last[:16].replace("T", " ")

    def of(self, *types: str) -> list[Mapping[str, Any]]:
        """The resources of these types."""
        return [one for one in self.resources if one["type"] in types]

    def graph(self, settings: Settings) -> ResourceGraph:
        """The same, as prices are found."""
        return ResourceGraph(self.priced, settings.usage)

    @cached_property
    def priced(self) -> list[Resource]:
        """The resources as `make cost` reads them."""
        return [Resource.of_state(one) for one in self.resources]


def read(stack: str, file: Path | None) -> State:
    """The state of a stack: of `file` if it is given, whose own stack it then is, or else of the local cloud.

    Raises:
        StackFileError: there is no such stack.
        NoStateError: the stack does not stand.
        StateFileError: the file is no state.
        EngineError: the stack has secrets that the engine can't open.
    """
    source = file or run_dir() / "state" / ".pulumi" / "stacks" / PROJECT / f"{stack}.json"
    what_to_do = (
        f"`make up STACK={stack}`, or give what `pulumi stack export` writes: `make page STATE=stack.json`"
    )
    if file is None and not source.exists():
        file_of(stack)
        raise NoStateError(f"{stack} has no state on the local cloud: {what_to_do}")
    resources = resources_of(source)
    stood = [one for one in resources if one.get("custom")]
    if not stood:
        raise NoStateError(f"nothing of {stack if file is None else file} stands: {what_to_do}")
    clear = _in_the_clear(stack, source) if file is None and any(map(encrypted, resources)) else resources
    return State(_stack_of(stood[0]["urn"]), sealed(resources), source, clear)


def _in_the_clear(stack: str, source: Path) -> list[dict[str, Any]]:
    """The resources of a stack on the local cloud with their secrets, which the engine opens; no file has them."""
    try:
        return resources_in(Stack(stack, cloud.environment(cloud.aws_endpoint() or "")).exported())
    except (EngineError, OSError) as error:
        shut = f"`make page STATE={source}` leaves them shut"
        raise EngineError(f"the secrets of {stack} can't be opened: {error}; {shut}") from None


def _stack_of(urn: str) -> str:
    return urn.partition("::")[0].rpartition(":")[2]


def place(region: str) -> str:
    """A region with its city and cloud."""
    known = REGIONS.get(region)
    if known is None:
        return f"{region} (no region of India)" if region else "no region"
    return f"{known.city} ({_CLOUDS[known.cloud]}, {region})"


class Places:
    """Where each resource is. Kubernetes' objects are where their cluster is."""

    def __init__(self, graph: ResourceGraph) -> None:
        self._graph = graph
        found = [cluster for type_ in CLUSTERS for cluster in graph.of(type_)]
        self._clusters = {cluster.parent: _region(cluster, graph) for cluster in found}

    def of(self, resource: Resource) -> str:
        """The region of a resource."""
        provider = self._graph.by_urn.get(resource.provider)
        if provider and provider.type == "pulumi:providers:kubernetes":
            return self._clusters.get(provider.parent, "")
        return self._graph.region(resource)


def _region(cluster: Resource, graph: ResourceGraph) -> str:
    given = cluster.inputs.get(CLUSTERS[cluster.type])
    return given if isinstance(given, str) and given else graph.region(cluster)
