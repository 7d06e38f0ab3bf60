"""What workloads need, for tests of rooms that are handed it: those of every stack (`NEEDS`), and all of them, also
those that a stack has to ask for (`EVERY`)."""

from __future__ import annotations

from workloads.registry import WORKLOADS

EVERY = tuple(each.needs for each in WORKLOADS)
NEEDS = tuple(each for each in EVERY if each.always)
WORKLOAD_GRANTS = {each.name: each.grants for each in NEEDS}
SERVICE_ACCOUNTS = {each.name: account for each in NEEDS if (account := each.service_account)}
