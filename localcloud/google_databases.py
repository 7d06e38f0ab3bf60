"""Which database of Cloud SQL an address of the nodes' subnet leads to: by its forwarding rule, as on Google."""

from __future__ import annotations

from typing import Any

from localcloud.databases import Database
from localcloud.directories import run_dir
from localcloud.store import Store

ADDRESS, RULE = "gcp:compute/address:Address", "gcp:compute/forwardingRule:ForwardingRule"
INSTANCE, NAME, USER = (
    "gcp:sql/databaseInstance:DatabaseInstance",
    "gcp:sql/database:Database",
    "gcp:sql/user:User",
)


def at(address: str) -> Database | None:
    """The database behind an address; None where the way, the database or its user is not there (yet)."""
    link = _first(ADDRESS, address=address).get("selfLink")
    target = _first(RULE, ipAddress=link).get("target")
    instance = _first(INSTANCE, pscServiceAttachmentLink=target).get("name")
    name, user = _first(NAME, instance=instance), _first(USER, instance=instance)
    if not (instance and name and user):
        return None
    return Database(instance, name["name"], user["name"], user["password"])


def _first(token: str, **wanted: Any) -> dict[str, Any]:
    """The outputs of the first resource of a type with this one; empty if there is none, or it is not known."""
    from localcloud.providers.gcp.provider import Gcp
    from localcloud.providers.protocol import Resource

    ((name, value),) = wanted.items()
    for resource_id, record in Store(run_dir() / "store.sqlite").items(token).items():
        read = Gcp().read(Resource(record["urn"], resource_id), {}, {})
        if value is not None and read and read[1].get(name) == value:
            return read[1]
    return {}
