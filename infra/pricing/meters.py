"""How every resource type that costs something is metered."""

from __future__ import annotations

from infra.pricing import aws_meters, gcp_meters, kubernetes_meters
from infra.pricing.meter import Meters

METERED: Meters = {**aws_meters.METERED, **gcp_meters.METERED, **kubernetes_meters.METERED}
