"""Where the lake, the registry and Redis are, from the environment of a pod or of a shell."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import FeaturesError


@dataclass(frozen=True)
class Options:
    """What every program is told."""

    project: str
    """Feast's project: what keeps two teams apart in one registry and one Redis."""
    definitions: Path
    """A folder of Python files with Feast's objects."""
    lake: str
    """The folder that has a folder for each feature view: s3://…, gs://… or a path."""
    redis: str
    """Redis as Feast writes it, host:port,parameter=value,…, without the password."""
    password: str = ""
    registry: str = "postgresql+psycopg2://"
    """SQLAlchemy's address of the registry; as it is, libpq's own variables (PGHOST …) say where."""
    max_ttl_days: int = 90
    """The longest ttl that a view may have."""
    stale_seconds: int = 36 * 3600
    """After these seconds what is served is late."""

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> Options:
        """Those of the environment. Raises FeaturesError, which names every variable that is missing."""
        names = ("FEATURES_PROJECT", "FEATURES_DEFINITIONS", "FEATURES_LAKE", "FEATURES_REDIS")
        if missing := [name for name in names if not environment.get(name)]:
            raise FeaturesError(f"{', '.join(missing)}: not set; the pods get them from the component")
        project, definitions, lake, redis = (environment[name] for name in names)
        if not project.isidentifier():
            raise FeaturesError(
                f"FEATURES_PROJECT: {project!r} is no name of letters, digits and underscores"
            )
        return cls(
            project,
            Path(definitions),
            lake.rstrip("/"),
            redis,
            environment.get("REDIS_PASSWORD", ""),
            environment.get("FEATURES_REGISTRY", cls.registry),
            int(environment.get("FEATURES_MAX_TTL_DAYS", cls.max_ttl_days)),
            int(environment.get("FEATURES_STALE_SECONDS", cls.stale_seconds)),
        )

    @property
    def connection(self) -> str:
        """Feast's connection string. The password is quoted: Feast reads what looks like JSON as JSON."""
        return f"{self.redis},password={json.dumps(self.password)}" if self.password else self.redis
