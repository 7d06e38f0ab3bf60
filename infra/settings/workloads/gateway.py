"""Settings of the gateway, and of the response cache in front of it."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from infra.settings.errors import refuse
from infra.settings.fields import DataClass, DnsLabel, Rule
from infra.settings.model import Model
from infra.settings.workloads.workload import Image, InOneCloud

# Docker's own registry, said: an image without one is refused on real stacks.
REDIS_IMAGE = "docker.io/library/redis:8.2.3"


def _server_url(text: str) -> str:
    parts = urlsplit(text)
    host = re.fullmatch(r"[a-z0-9-]+\.[a-z0-9-]+\.svc(\.cluster\.local)?", parts.hostname or "")
    if host and parts.scheme in ("http", "https") and text == f"{parts.scheme}://{parts.netloc}":
        return text
    raise refuse(_SERVER_URL)


_SERVER_URL = "a Service of the cluster, http://<service>.<namespace>.svc:<port>, without a path"
ServerUrl = Annotated[str, Rule(_server_url, _SERVER_URL)]


class GatewayModel(Model):
    """A model behind the gateway, and the servers that have it."""

    name: str = Field(
        min_length=1, description="The model that clients ask for, such as Qwen/Qwen3-8B, or an adapter."
    )
    urls: list[ServerUrl] = Field(
        min_length=1,
        description="Its servers, each the address of a Service, such as http://serve.serving.svc:8000.",
    )
    revision: str = Field(
        default="",
        description="Its revision, part of what the cache keeps answers by: change it with every release, and that of "
        "the model server with it (docs/gateway.md).",
    )


class GatewayTenant(Model):
    """A team with an API key of its own, which is made with the stack."""

    name: DnsLabel = Field(description="The team's name.")
    data_class: DataClass = Field(
        default="personal", description="The class of what it asks, which says for how long answers are kept."
    )
    above_zero: bool = Field(
        default=False,
        description="Keep answers above temperature 0 too: the same question then has the same answer.",
    )


class CacheSeconds(Model):
    """For how long answers are kept, by the class of the tenant's data; 0 keeps none."""

    public: int = Field(default=86_400, ge=0, description="Seconds for public data.")
    internal: int = Field(default=3_600, ge=0, description="Seconds for internal data.")
    personal: int = Field(
        default=300,
        ge=0,
        description="Seconds for personal data, kept only where the request names its principal.",
    )
    sensitive: int = Field(default=0, ge=0, description="Seconds for sensitive data, likewise.")
    payment: int = Field(default=0, ge=0, description="Seconds for payment data, likewise.")


class GatewayCache(Model):
    """The response cache: answers that were given before, from Redis."""

    image: Image = Field(
        description="The image that workloads/gateway/Dockerfile builds, such as "
        '"{registry}/india-ai-infra/gateway-cache:2026.11".'
    )
    redis_image: Image = Field(default=REDIS_IMAGE, description="An image of Redis, or of Valkey.")
    replicas: int = Field(default=2, ge=1, description="Replicas of the cache; Redis is one.")
    memory_mib: int = Field(
        default=512, ge=64, description="MiB that Redis keeps; the longest unused answers go first."
    )
    seconds: CacheSeconds = Field(default=CacheSeconds(), description="For how long answers are kept.")
    log_prompts: bool = Field(default=False, description="Write prompts into the access log.")


class Gateway(InOneCloud):
    """One door to all models: API keys, routing, retries, and a response cache."""

    name: DnsLabel = Field(default="gateway", description="The gateway's name.")
    models: list[GatewayModel] = Field(min_length=1, description="The models behind it.")
    tenants: list[GatewayTenant] = Field(min_length=1, description="Who may ask, each with a key of its own.")
    key_version: str = Field(
        default="1",
        min_length=1,
        description="Another text makes new API keys: the old ones end with the update.",
    )
    replicas: int = Field(default=2, ge=1, description="Replicas of the gateway.")
    max_concurrent_requests: int | None = Field(
        default=None, ge=1, description="Requests at once in a replica; the gateway's own bound unless given."
    )
    requests_per_second: int | None = Field(
        default=None, ge=1, description="Requests that a replica admits in a second; any number unless given."
    )
    tls_secret: DnsLabel | None = Field(
        default=None,
        description="A Secret of the namespace `gateway` with tls.crt and tls.key (of cert-manager, say). "
        "Plain HTTP within the cluster unless given.",
    )
    image: Image | None = Field(
        default=None, description="An image of SMG. Its own, at the platform's version, unless given."
    )
    cache: GatewayCache | None = Field(default=None, description="The response cache; none unless given.")

    @property
    def images(self) -> dict[str, str]:
        """The gateway's, the cache's and that of Redis."""
        cache = (
            {"cache.image": self.cache.image, "cache.redisImage": self.cache.redis_image}
            if self.cache
            else {}
        )
        return {**super().images, **cache}

    @field_validator("models")
    @classmethod
    def _each_model_once(cls, models: list[GatewayModel]) -> list[GatewayModel]:
        _once([model.name for model in models], "a model")
        return models

    @field_validator("tenants")
    @classmethod
    def _each_tenant_once(cls, tenants: list[GatewayTenant]) -> list[GatewayTenant]:
        _once([tenant.name for tenant in tenants], "a tenant")
        return tenants


def _once(names: list[str], what: str) -> None:
    if again := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise refuse(f"each name of {what} once: not {again[0]} twice")
