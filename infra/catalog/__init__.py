"""GPU machines, prices and rupees: tables of facts in `data/`, and the lookups on them."""

from infra.catalog.choose import Choice, NoMachineError, choose
from infra.catalog.kubernetes_versions import KubernetesVersion, kubernetes_versions
from infra.catalog.machines import MONTH_HOURS, CatalogError, Machine, machine, machines, offered_in
from infra.catalog.offered import check_offered
from infra.catalog.rupees import rupees

__all__ = [
    "MONTH_HOURS",
    "CatalogError",
    "Choice",
    "KubernetesVersion",
    "Machine",
    "NoMachineError",
    "check_offered",
    "choose",
    "kubernetes_versions",
    "machine",
    "machines",
    "offered_in",
    "rupees",
]
