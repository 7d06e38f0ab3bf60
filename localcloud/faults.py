"""What went wrong in an operation of the engine, for a person: causes without their consequences, and what a protection
or a replaced network would have cost, once, with the way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

# What the engine and the SDK say of everything that a first error stops (pulumi/pulumi, pkg/resource/deploy:
# step_generator.go, source_eval.go; sdk/python/cmd/pulumi-language-python/main.go).
_CONSEQUENCE = re.compile(
    r"context canceled|code = Canceled"
    r"|resource monitor (?:has )?shut|Resource monitor has terminated"
    r"|^an unhandled error occurred: program exited with non-zero exit code: \d+$"
    r"|^(?:update|preview|refresh|destroy) failed$",
)
_PROTECTED = re.compile(
    r'unable to (?:replace|delete) resource "(urn:[^"]+)"'
    r'|resource "(urn:[^"]+)" cannot be deleted\s+because it is protected'
)
# EKS, and the provider for GKE, of a node pool that must stand when there are no machines.
_NO_MACHINES = re.compile(r"AsgInstanceLaunchFailures|NodePool \S+ was created in the error state")
_LATER = (
    "The cloud has none of the pool's machines now. Run it again later, or let the pool grow from zero (`elastic: "
    "true`, or no `minNodes`), give it another `zone`, or buy it another way (`purchase`)."
)
# A cluster is made in its network, and its nodes and their disks are in the cluster.
_NETWORKS = ("aws:ec2/vpc:Vpc", "gcp:compute/network:Network", "gcp:compute/subnetwork:Subnetwork")
_CLUSTERS = ("aws:eks/cluster:Cluster", "gcp:container/cluster:Cluster")
_OWN_NAMES = {**dict.fromkeys(_NETWORKS, "network"), **dict.fromkeys(_CLUSTERS, "cluster")}


@dataclass(frozen=True)
class Fault:
    """An error of the engine, and the resource that it is about; an empty `urn` is the whole stack."""

    urn: str
    message: str

    @property
    def text(self) -> str:
        """The resource's type and name, the message, and what to do where that is known."""
        way = [f"\n{_LATER}"] if _NO_MACHINES.search(self.message) else []
        return " ".join([*self.urn.split("::")[2:], self.message, *way])


# URN → the properties whose change replaces the resource.
Replaced = Mapping[str, Sequence[str]]


def describe(faults: Sequence[Fault], replaced: Replaced) -> list[str]:
    """What a person reads of an operation that failed: the first cause first, each once.

    What the first error stopped is left out, unless nothing else is known. Protected resources that a change would
    replace are one message.
    """
    shown = causes(faults) or list(faults)
    protected = {urn: None for fault in shown for urn in _protected(fault)}
    others = [fault.text for fault in shown if not _protected(fault)]
    return list(dict.fromkeys([*([_of_protected(protected, replaced)] if protected else []), *others]))


def causes(faults: Sequence[Fault]) -> list[Fault]:
    """The faults that are not only what another stopped."""
    return [fault for fault in faults if not _CONSEQUENCE.search(fault.message)]


def lost(replaced: Replaced) -> str | None:
    """Why an update must not begin: it would replace a cluster, or the network that one is in. None: it would not."""
    gone = [urn for urn in replaced if _is_cluster_or_network(urn)]
    if not gone:
        return None
    return "\n".join(
        [
            "a cluster of this stack, or the network that it is in, would be replaced, and what runs in it would go:",
            *_lines(gone, replaced),
            _SECOND_STACK,
        ]
    )


_SECOND_STACK = (
    "Nothing was changed. Set it back, or make a second stack that has it the new way (`pulumi stack init`, a file "
    "Pulumi.<name>.yaml, `make up STACK=<name>`), move the work there, and destroy this one."
)
_COPY = (
    "Nothing was changed. Set it back, or make a second stack that has it the new way, copy the data there "
    "(`aws s3 sync`, `gcloud storage rsync`; keys stay with what they encrypted), and only then give this one up: "
    "`protectData: false`, an update, `pulumi destroy`."
)


def _of_protected(urns: Iterable[str], replaced: Replaced) -> str:
    urns = list(urns)
    if all(map(_is_cluster_or_network, urns)):
        return lost({urn: replaced.get(urn, ()) for urn in urns}) or ""
    verb = "resource that is protected would be replaced, and what it holds lost"
    if len(urns) > 1:
        verb = "resources that are protected would be replaced, and what they hold lost"
    return "\n".join([f"{len(urns)} {verb}:", *_lines(urns, replaced), _COPY])


def _lines(urns: Iterable[str], replaced: Replaced) -> list[str]:
    return [f"  {_type(urn)} {_name(urn)}{_because(replaced.get(urn, ()))}" for urn in urns]


def _because(properties: Sequence[str]) -> str:
    return f": {', '.join(properties)} changed" if properties else ""


def _protected(fault: Fault) -> list[str]:
    return [first or second for first, second in _PROTECTED.findall(fault.message)]


def _is_cluster_or_network(urn: str) -> bool:
    return _OWN_NAMES.get(_type(urn)) == _name(urn)


def _type(urn: str) -> str:
    return urn.split("::")[2].rpartition("$")[2]


def _name(urn: str) -> str:
    return urn.split("::")[-1]
