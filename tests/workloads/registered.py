"""What the workloads of every stack need, for tests of rooms that are handed it. Those that a stack has to ask for are
tested where they are."""

from __future__ import annotations

from workloads.registry import WORKLOADS

NEEDS = tuple(each.needs for each in WORKLOADS if each.needs.always)
WORKLOAD_GRANTS = {each.name: each.grants for each in NEEDS}
SERVICE_ACCOUNTS = {each.name: account for each in NEEDS if (account := each.service_account)}
