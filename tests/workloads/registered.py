"""What the registered workloads need, for tests of rooms that are handed it."""

from __future__ import annotations

from workloads.registry import WORKLOADS

NEEDS = tuple(each.needs for each in WORKLOADS)
WORKLOAD_GRANTS = {each.name: each.grants for each in NEEDS}
SERVICE_ACCOUNTS = {each.name: account for each in NEEDS if (account := each.service_account)}
