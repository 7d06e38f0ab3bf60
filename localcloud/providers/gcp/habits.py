"""Habits of Google Cloud beside its records: what must exist before it is named, what is there from the start, and what
lingers after its end.

`gcp/habits.yaml` has a row for each function here, with its source. Grants are judged as in an organisation that Google
makes today: it enforces `iam.allowedPolicyMemberDomains`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from localcloud import google_deployer
from localcloud.providers.gcp.table import agents_with_an_api, service_agent
from localcloud.providers.protocol import ResourceError, Values
from localcloud.store import Store

AGENT, POOL, LINGERING = "gcp agent", "gcp identity pool", "gcp lingering"
ACCOUNT, CLUSTER = "gcp:serviceaccount/account:Account", "gcp:container/cluster:Cluster"
KEY_RING, KEY = "gcp:kms/keyRing:KeyRing", "gcp:kms/cryptoKey:CryptoKey"
LOG_BUCKET, SINK = (
    "gcp:logging/projectBucketConfig:ProjectBucketConfig",
    "gcp:logging/projectSink:ProjectSink",
)
IDENTITY_POOL = "gcp:iam/workloadIdentityPool:WorkloadIdentityPool"
CHANNEL = "gcp:monitoring/notificationChannel:NotificationChannel"
SERVICE_IDENTITY = "gcp:projects/serviceIdentity:ServiceIdentity"

NODE_POOL = "gcp:container/nodePool:NodePool"
# Machine types, with commas between, that spot is out of, as on the local AWS.
NO_SPOT = "INDIA_AI_INFRA_NO_SPOT"

DATABASE = "gcp:sql/databaseInstance:DatabaseInstance"
LOG_BUCKET_DAYS, IDENTITY_POOL_DAYS, DATABASE_DAYS = 7, 30, 7
OWN_SINKS = ("_Default", "_Required")
# Nobody with an address here belongs to the organisation of a customer.
FOREIGN_DOMAINS = ("google.com", "googlegroups.com", "gmail.com", "googlemail.com")

_AGENT_MEMBER = re.compile(
    r"serviceAccount:((?:service-|cmek-p)(\d+)@([a-z0-9-]+)\.iam\.gserviceaccount\.com)"
)
_ACCOUNT_MEMBER = re.compile(r"serviceAccount:([a-z0-9-]+@([a-z0-9-]+)\.iam\.gserviceaccount\.com)")
_POOL_MEMBER = re.compile(
    r"principal(?:Set)?://.+/workloadIdentityPools/([^/]+\.svc\.id\.goog)/.+"
    r"|serviceAccount:([^\[]+\.svc\.id\.goog)\[.+\]"
)
_PERSON_MEMBER = re.compile(r"(?:user|group|domain):(?:[^@]+@)?(.+)")


@dataclass(frozen=True)
class Call:
    """A call that makes, changes or ends a resource, in the project and at the time of the scope and the clock."""

    token: str
    inputs: Values
    scope: Mapping[str, Any]
    store: Store
    now: datetime

    @property
    def id(self) -> str:
        """The id of the resource."""
        return self.scope["id"]


def refused(call: Call) -> str | None:
    """Why Google refuses this call at this time, in its own words where they are known, or None."""
    return next((reason for habit in ADMISSIONS for reason in habit(call)), None)


def made(call: Call) -> None:
    """Note what exists from now on because of this call."""
    for habit in MAKERS:
        habit(call)


def ended(call: Call) -> bool:
    """Note what lingers of a resource that is deleted. Whether its record stays, as Google deletes nothing."""
    return True in [habit(call) for habit in ENDS]


def answered(outputs: Values, store: Store) -> None:
    """Note the agents that a function's answer names: asking for them made them."""
    asking_makes_agents(outputs, store)


# ── Members of grants ────────────────────────────────────────────────────────────────────────────────────────────────
def agents_on_demand(call: Call) -> Iterator[str]:
    """A service agent can be granted nothing before its service has made it."""
    for member in _members(call.inputs):
        agent = _AGENT_MEMBER.fullmatch(member)
        if agent is None or agent[2] != call.scope["number"] or agent[3] in agents_with_an_api():
            continue
        if call.store.get(AGENT, agent[1]) is None:
            yield f"Error 400: Service account {agent[1]} does not exist., badRequest"


def accounts_before_grants(call: Call) -> Iterator[str]:
    """A service account of the project can be granted nothing before it is there."""
    project = call.scope["project"]
    for member in _members(call.inputs):
        account = _ACCOUNT_MEMBER.fullmatch(member)
        if account is None or account[2] != project or account[1] == google_deployer.email():
            continue  # the caller's own is there, or nobody could have signed in as it
        if call.store.get(ACCOUNT, f"projects/{project}/serviceAccounts/{account[1]}") is None:
            yield f"Error 400: Service account {account[1]} does not exist., badRequest"


def identity_pool_of_a_cluster(call: Call) -> Iterator[str]:
    """The project's workload identity pool can be granted nothing before a cluster has made it."""
    for member in _members(call.inputs):
        pool = _POOL_MEMBER.fullmatch(member)
        name = str(pool[1] or pool[2]) if pool else ""
        if name == f"{call.scope['project']}.svc.id.goog" and call.store.get(POOL, name) is None:
            yield (
                f"Error 400: Identity Pool does not exist ({name}). Please check that you specified a valid resource "
                "name as returned in the `name` attribute in the configuration API., badRequest"
            )


def permitted_members(call: Call) -> Iterator[str]:
    """An organisation that restricts domains refuses members of others."""
    for member in _members(call.inputs):
        person = _PERSON_MEMBER.fullmatch(member)
        if person and person[1].lower() in FOREIGN_DOMAINS:
            yield (
                "Error 400: One or more users named in the policy do not belong to a permitted customer. "
                f"({member}: constraints/iam.allowedPolicyMemberDomains, enforced by default in organisations made "
                "since 2024-05-03), failedPrecondition"
            )


def _members(inputs: Values) -> Iterator[str]:
    """The members that a grant names, whichever of the three kinds of resources it is."""
    many, policy = inputs.get("members"), inputs.get("policyData")
    named = [inputs.get("member"), *(many if isinstance(many, list) else ())]
    if isinstance(policy, str):
        named += [member for binding in _bindings(policy) for member in binding.get("members") or ()]
    yield from (member for member in named if isinstance(member, str))


def _bindings(policy: str) -> list[Values]:
    """The bindings of a whole policy, which is given as JSON."""
    try:
        return json.loads(policy).get("bindings") or []
    except (ValueError, AttributeError):
        raise ResourceError(f"policyData must be the JSON of an IAM policy, not {policy[:80]}") from None


# ── What makes agents and identity pools ─────────────────────────────────────────────────────────────────────────────
def service_identity_makes_its_agent(call: Call) -> None:
    """A ServiceIdentity makes the agent of its service."""
    if call.token == SERVICE_IDENTITY:
        _agent(call, service_agent(call.inputs["service"]))


def first_use_makes_an_agent(call: Call) -> None:
    """A first Pub/Sub notification channel, cluster or log sink makes the agent of its service."""
    if call.token == CHANNEL and call.inputs.get("type") == "pubsub":
        _agent(call, "gcp-sa-monitoring-notification")
    if call.token == CLUSTER:
        _agent(call, "container-engine-robot")
    if call.token == SINK and call.inputs.get("uniqueWriterIdentity") is not False:
        _agent(call, "gcp-sa-logging")


def cluster_makes_the_identity_pool(call: Call) -> None:
    """A cluster with Workload Identity makes the project's identity pool."""
    pool = (call.inputs.get("workloadIdentityConfig") or {}).get("workloadPool")
    if call.token == CLUSTER and isinstance(pool, str):
        call.store.put(POOL, pool, {})


def asking_makes_agents(outputs: Values, store: Store) -> None:
    """A service that is asked for its agent's address makes the agent."""
    for name in ("emailAddress", "serviceAccountId", "loggingServiceAccountId", "kmsServiceAccountId"):
        if email := outputs.get(name):
            store.put(AGENT, email, {})


def _agent(call: Call, name: str) -> None:
    call.store.put(AGENT, f"service-{call.scope['number']}@{name}.iam.gserviceaccount.com", {})


# ── What lingers ─────────────────────────────────────────────────────────────────────────────────────────────────────
def log_buckets_linger(call: Call) -> bool:
    """A deleted log bucket keeps its name for days; Google's own are never deleted, so their records stay."""
    if call.token != LOG_BUCKET:
        return False
    if call.inputs.get("bucketId") in OWN_SINKS:
        return True
    _linger(call, timedelta(days=LOG_BUCKET_DAYS))
    return False


def identity_pools_linger(call: Call) -> bool:
    """A deleted workload identity pool keeps its name for days."""
    if call.token == IDENTITY_POOL:
        _linger(call, timedelta(days=IDENTITY_POOL_DAYS))
    return False


def database_names_linger(call: Call) -> bool:
    """A deleted Cloud SQL instance keeps its name for a week."""
    if call.token == DATABASE:
        _linger(call, timedelta(days=DATABASE_DAYS))
    return False


def keys_never_go(call: Call) -> bool:
    """Key rings and keys are never deleted, so their records stay."""
    return call.token in (KEY_RING, KEY)


def names_that_linger(call: Call) -> Iterator[str]:
    """What a lingering name does to the next that wants it: a log bucket is there, but can't be changed."""
    lingering = call.store.get(LINGERING, call.id)
    if lingering is None or lingering["until"] <= call.now.isoformat():
        return
    if call.token == LOG_BUCKET:
        yield (
            f'Error updating Logging Bucket Config "{call.id}": googleapi: Error 400: Buckets must be in an ACTIVE '
            f"state to be modified (its lifecycleState is DELETE_REQUESTED until {lingering['until']})"
        )
    else:
        yield f"Error 409: {call.id} already exists., alreadyExists (it was deleted, and holds its name)"


def _linger(call: Call, period: timedelta) -> None:
    call.store.put(LINGERING, call.id, {"until": (call.now + period).isoformat()})


# ── Log sinks of every project ───────────────────────────────────────────────────────────────────────────────────────
def own_sink(project: str, name: str) -> Values | None:
    """The inputs of a sink that Google makes with the project, as nobody has changed it; None of any other name."""
    if name not in OWN_SINKS:
        return None
    bucket = f"projects/{project}/locations/global/buckets/{name}"
    return {"name": name, "project": project, "destination": f"logging.googleapis.com/{bucket}"}


def own_sinks_stay(call: Call) -> bool:
    """The log sinks that Google made are never deleted, so their records stay."""
    return call.token == SINK and call.inputs.get("name") in OWN_SINKS


def required_sink_is_googles(call: Call) -> Iterator[str]:
    """Nobody changes the sink `_Required`."""
    if call.token == SINK and call.inputs.get("name") == "_Required":
        yield "Error 400: the sink _Required can't be changed: it keeps what Google writes down about the project"


# ── Capacity ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def spot_has_none(call: Call) -> str | None:
    """What the provider says of a node pool that GKE makes without the spot nodes of its fixed size.

    GKE keeps the pool, and asks for its nodes until it has them.
    """
    config = call.inputs.get("nodeConfig") or {}
    machine = config.get("machineType")
    out = os.environ.get(NO_SPOT, "").replace(" ", "").split(",")
    if (
        call.token != NODE_POOL
        or not config.get("spot")
        or machine not in out
        or not _must_stand(call.inputs)
    ):
        return None
    return (
        f'NodePool {call.inputs["name"]} was created in the error state "RUNNING_WITH_ERROR" ([GCE_STOCKOUT]: the zone '
        f"does not have enough resources available to fulfill the request: {machine}; simulated, for {NO_SPOT} says so)"
    )


def without_nodes(inputs: Values) -> Values:
    """A node pool's inputs with the same limits, and a fixed size of 0."""
    scaling = inputs.get("autoscaling")
    empty = {**inputs, "nodeCount": 0, "initialNodeCount": 0}
    return empty if scaling is None else {**empty, "autoscaling": {**scaling, **dict.fromkeys(_LEAST, 0)}}


_LEAST = ("minNodeCount", "totalMinNodeCount")


def _must_stand(inputs: Values) -> bool:
    scaling = inputs.get("autoscaling") or {}
    counts = [*(inputs.get(name) for name in ("nodeCount", "initialNodeCount")), *map(scaling.get, _LEAST)]
    return any(counts)


ADMISSIONS: tuple[Callable[[Call], Iterator[str]], ...] = (
    agents_on_demand,
    accounts_before_grants,
    identity_pool_of_a_cluster,
    permitted_members,
    names_that_linger,
    required_sink_is_googles,
)
MAKERS: tuple[Callable[[Call], None], ...] = (
    service_identity_makes_its_agent,
    first_use_makes_an_agent,
    cluster_makes_the_identity_pool,
)
ENDS: tuple[Callable[[Call], bool], ...] = (
    log_buckets_linger,
    identity_pools_linger,
    database_names_linger,
    keys_never_go,
    own_sinks_stay,
)
PLAYERS = (*ADMISSIONS, *MAKERS, *ENDS, asking_makes_agents, own_sink, spot_has_none)


def refuse(what: str, call: Call) -> None:
    """Raise what Google says to a call that it refuses; `what` names the resource."""
    if reason := refused(call):
        raise ResourceError(
            f"{what}: {reason if reason.startswith('Error updating') else f'googleapi: {reason}'}"
        )
