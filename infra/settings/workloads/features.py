"""Settings of the feature store."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated

from pydantic import Field

from infra.settings.errors import refuse
from infra.settings.fields import DnsLabel, Rule
from infra.settings.model import Model
from infra.settings.workloads.gateway import REDIS_IMAGE
from infra.settings.workloads.workload import Image, InOneCloud

Project = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Definitions = Annotated[str, Field(pattern=r"^[\w-]+(/[\w-]+)*$")]
Schedule = Annotated[str, Field(pattern=r"^[0-9*,/-]+( [0-9*,/-]+){4}$")]


def _own_host(text: str) -> str:
    if re.fullmatch(r"[a-z0-9-]+\.[a-z0-9-]+\.svc(\.cluster\.local)?", text):
        return text
    try:
        if ipaddress.ip_address(text).is_private:
            return text
    except ValueError:
        pass
    raise refuse(_OWN_HOST)


_OWN_HOST = (
    "a Service of the cluster, <service>.<namespace>.svc, or a private address: a Hopsworks of your own, in the "
    "networks of the stack, which are in India. A public name may be anywhere, as Hopsworks' SaaS is"
)
OwnHost = Annotated[str, Rule(_own_host, _OWN_HOST)]


class Hopsworks(Model):
    """A Hopsworks that stands already, and that pods of the namespace are told of. Nothing of it is deployed."""

    host: OwnHost = Field(description="Where it is, such as hopsworks.hopsworks.svc or 10.20.0.15.")
    port: int = Field(default=443, ge=1, le=65_535, description="The port of its API.")
    project: str = Field(min_length=1, description="The project there.")
    api_key_secret: DnsLabel = Field(
        default="hopsworks",
        description="The Secret of the namespace `features` with the key, as HOPSWORKS_API_KEY. You make it.",
    )


class Features(InOneCloud):
    """A feature store by Feast: the lake for training, Redis for models that answer, PostgreSQL for the definitions."""

    name: DnsLabel = Field(default="features", description="The server's name.")
    image: Image = Field(
        description="The image that workloads/features/Dockerfile builds, such as "
        '"{registry}/india-ai-infra/features:2026.11".'
    )
    redis_image: Image = Field(default=REDIS_IMAGE, description="An image of Redis, or of Valkey.")
    project: Project = Field(
        default="loan_risk",
        description="Feast's project; its files are in `feast/<project>` of the lake's features.",
    )
    definitions: Definitions = Field(
        default="workloads/features/definitions",
        description="The folder of this repository with the definitions, which go into the pods as they are.",
    )
    schedule: Schedule = Field(
        default="15 1 * * *",
        description="When features are materialised, as cron has it, in India's time.",
    )
    max_ttl_days: int = Field(
        default=90,
        ge=1,
        description="The longest ttl that a view may have: for how long a value of a person may be served.",
    )
    stale_after_hours: int = Field(
        default=36, ge=1, description="Hours after which what is served is late: an alert."
    )
    replicas: int = Field(default=2, ge=1, description="Replicas of the server; Redis is one.")
    redis_memory_mib: int = Field(
        default=1024,
        ge=64,
        description="MiB that Redis keeps. When they are full a materialisation fails: no value is dropped.",
    )
    job_memory_mib: int = Field(
        default=4096, ge=512, description="MiB of a materialisation, which may take twice as much."
    )
    hopsworks: Hopsworks | None = Field(
        default=None, description="A Hopsworks of your own that pods of the namespace are told of too."
    )
