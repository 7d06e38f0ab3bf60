"""GPU machines and their prices: tables of facts in `data/`, and the lookups on them."""

from infra.catalog.choose import (
    ANY,
    FABRICS,
    PURCHASES,
    Asked,
    Choice,
    NoMachineError,
    Offer,
    choose,
    choose_for,
)
from infra.catalog.kubernetes_versions import KubernetesVersion, kubernetes_versions
from infra.catalog.machines import MONTH_HOURS, Machine, everywhere, machine, machines, offered_in, stale
from infra.catalog.offered import check_offered
from infra.catalog.tables import CatalogError
from infra.settings.errors import nearest

__all__ = [
    "ANY",
    "FABRICS",
    "MONTH_HOURS",
    "PURCHASES",
    "Asked",
    "CatalogError",
    "Choice",
    "KubernetesVersion",
    "Machine",
    "NoMachineError",
    "Offer",
    "check_offered",
    "choose",
    "choose_for",
    "everywhere",
    "kubernetes_versions",
    "machine",
    "machines",
    "nearest",
    "offered_in",
    "stale",
]
