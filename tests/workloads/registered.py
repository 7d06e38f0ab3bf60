"""What the registered workloads need, for tests of rooms that are handed it."""

from __future__ import annotations

from workloads.registry import WORKLOADS

NEEDS = tuple(each.needs for each in WORKLOADS)
WORKLOAD_GRANTS = {each.name: each.grants for each in NEEDS}
SERVICE_ACCOUNTS = {each.name: account for each in NEEDS if (account := each.service_account)}
# Of those that every stack has, as the shipped ones: a test of what one of them registers finds no others.
ALWAYS = tuple(each for each in NEEDS if each.always)
ALWAYS_GRANTS = {each.name: each.grants for each in ALWAYS}
ALWAYS_ACCOUNTS = {each.name: account for each in ALWAYS if (account := each.service_account)}
