"""EFA's layout, for every machine of the catalogue that has it."""

import email
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from infra import geography
from infra.aws import fabric
from infra.aws.fabric import Interface
from infra.catalog.machines import Machine, machine, machines

WITH_EFA = [
    found for region in geography.regions_of("aws") for found in machines(region) if found.efa_interfaces
]
P5 = machine("ap-south-1", "p5.48xlarge")
# No region of India has one; its card 0 is for ENA only.
P6_B300 = replace(P5, machine_type="p6-b300.48xlarge", gpu="B300", network_cards=17, efa_interfaces=16)


@pytest.mark.parametrize(
    "found", [*WITH_EFA, P6_B300], ids=lambda found: f"{found.region}-{found.machine_type}"
)
def test_layout(found: Machine) -> None:
    laid = fabric.interfaces(found)
    assert laid[0] == Interface(0, 0, "interface")
    assert Counter(interface.kind for interface in laid) == {"interface": 1, "efa-only": found.efa_interfaces}
    efa_cards = [interface.card for interface in laid if interface.kind == "efa-only"]
    assert len(efa_cards) == len(set(efa_cards)), "one EFA a card"
    assert all(interface.card < found.network_cards for interface in laid)
    places = [(interface.card, interface.device) for interface in laid]
    assert len(places) == len(set(places))
    assert {device for _, device in places} <= {0, 1}, "EC2 refuses a device index above 1"


def test_p5_has_efa_on_every_card_and_its_address_on_the_first() -> None:
    laid = fabric.interfaces(P5)
    assert laid[:3] == (
        Interface(0, 0, "interface"),
        Interface(0, 1, "efa-only"),
        Interface(1, 0, "efa-only"),
    )
    assert len(laid) == 33


def test_p6_b300_has_no_efa_on_its_first_card() -> None:
    laid = fabric.interfaces(P6_B300)
    assert [interface.card for interface in laid if interface.kind == "efa-only"] == list(range(1, 17))


def test_a_single_card_carries_both() -> None:
    laid = fabric.interfaces(machine("ap-south-1", "g6.12xlarge"))
    assert laid == (Interface(0, 0, "interface"), Interface(0, 1, "efa-only"))


@given(st.integers(1, 64), st.integers(1, 64))
def test_any_machine_is_laid_out_or_refused(cards: int, efa: int) -> None:
    shaped = replace(P5, network_cards=cards, efa_interfaces=efa)
    if efa > cards:
        with pytest.raises(ValueError, match="more than one a card"):
            fabric.interfaces(shaped)
        return
    test_layout(shaped)


def test_a_machine_without_efa_is_refused() -> None:
    with pytest.raises(ValueError, match=r"g6\.xlarge has no EFA"):
        fabric.interfaces(machine("ap-south-1", "g6.xlarge"))


def parts(user_data: str) -> list[dict[str, Any]]:
    message = email.message_from_string(user_data)
    assert message.is_multipart()
    assert not message.defects
    found = [part for part in message.walk() if not part.is_multipart()]
    assert {part.get_content_type() for part in found} == {"application/node.eks.aws"}
    return [yaml.safe_load(str(part.get_payload())) for part in found]


def test_user_data_of_an_efa_node() -> None:
    memory, disks = parts(fabric.user_data(efa=True, nvme=True))
    assert disks["spec"] == {"instance": {"localStorage": {"strategy": "RAID0"}}}
    limits = memory["spec"]["containerd"]["baseRuntimeSpec"]["process"]["rlimits"]
    assert [limit["type"] for limit in limits] == ["RLIMIT_NOFILE", "RLIMIT_MEMLOCK"]


def test_locked_memory_survives_nodeadm() -> None:
    """nodeadm merges the document as Go's JSON does, through numbers of 53 bits; containerd reads 64 unsigned ones."""
    (config,) = parts(fabric.user_data(efa=True, nvme=False))
    for limit in config["spec"]["containerd"]["baseRuntimeSpec"]["process"]["rlimits"]:
        for size in (limit["soft"], limit["hard"]):
            assert int(float(size)) == size < 1 << 53
    assert max(found.memory_gib for found in machines("ap-south-1")) * (1 << 30) < fabric.LOCKED_BYTES


def test_user_data_has_only_what_the_node_needs() -> None:
    assert [*parts(fabric.user_data(efa=False, nvme=True))[0]["spec"]] == ["instance"]
    assert [*parts(fabric.user_data(efa=True, nvme=False))[0]["spec"]] == ["containerd"]
    assert fabric.user_data(efa=False, nvme=False) == ""
