"""Feast's store as every program opens it."""

from __future__ import annotations

from feast import FeatureStore, RepoConfig

from .options import Options


def open_store(options: Options, *, key_seconds: int | None = None, tables: str = "auto") -> FeatureStore:
    """The store of the options.

    Writes to Redis are unconditional (`skip_dedup`): Feast's own check drops a value that was corrected under the
    moment that it had. One program at a time writes (state.py), and writes of each entity its last row. `key_seconds`
    after the last write Redis forgets an entity.
    """
    return FeatureStore(
        config=RepoConfig(
            project=options.project,
            provider="local",
            registry={
                "registry_type": "sql",
                "path": options.registry,
                "cache_ttl_seconds": 60,
                "schema_mode": tables,
                # Without it nothing is served while a run lasts.
                "serve_features_while_materializing": True,
            },
            online_store={
                "type": "redis",
                "connection_string": options.connection,
                "skip_dedup": True,
                "key_ttl_seconds": key_seconds,
            },
            offline_store={"type": "file"},
            entity_key_serialization_version=3,
        )
    )
