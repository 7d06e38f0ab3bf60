"""One of everything, as a program gives it, in an order in which it can be made."""

from __future__ import annotations

from tests.localcloud.providers.aws.steps import buckets, cluster, database, events, network, site
from tests.localcloud.providers.aws.world import Step

STEPS: list[Step] = [
    step for part in (network, buckets, cluster, events, site, database) for step in part.STEPS
]
