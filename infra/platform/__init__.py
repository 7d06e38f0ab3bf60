"""What every cluster runs: namespaces, access, charts, queues and alerts."""

from infra.platform.platform import Platform, PlatformArgs

__all__ = ["Platform", "PlatformArgs"]
