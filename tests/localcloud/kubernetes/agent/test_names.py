"""Names on loopback: which Services and pods are known, by which spellings, at which addresses."""

from __future__ import annotations

import ipaddress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from localcloud.kubernetes.agent import addresses
from localcloud.kubernetes.agent.hosts import Name, text
from localcloud.kubernetes.agent.names import Names

WORD = st.text(alphabet="abcdefgh-0", min_size=1, max_size=8)
NAME = st.builds(
    Name, WORD, WORD, st.one_of(st.just(""), WORD), st.uuids().map(lambda uid: addresses.of_uid(str(uid)))
)


def service(name: str, uid: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": "ml", "name": name, "uid": uid}, "spec": spec}


def slice_of(of: str, *endpoints: dict[str, Any], **port: Any) -> dict[str, Any]:
    labels = {"kubernetes.io/service-name": of}
    metadata = {"namespace": "ml", "name": f"{of}-x", "uid": f"slice-{of}", "labels": labels}
    return {"metadata": metadata, "endpoints": list(endpoints), "ports": [port]}


def endpoint(uid: str, ready: bool = True, **more: Any) -> dict[str, Any]:
    return {"targetRef": {"uid": uid}, "conditions": {"ready": ready}, **more}


def names(*heard: tuple[str, dict[str, Any]]) -> Names:
    running = {"one": "127.130.0.1", "two": "127.130.0.2"}
    made = Names(running.get, lambda: None)
    for kind, item in heard:
        (made.on_service if "spec" in item else made.on_slice)(kind, item)
    return made


@given(st.uuids())
def test_an_address_is_of_loopback_and_is_shown_as_one_that_endpoint_slices_take(uid: Any) -> None:
    own = addresses.of_uid(str(uid))
    assert ipaddress.ip_address(own).is_loopback
    shown = addresses.shown(own)
    assert ipaddress.ip_address(shown) in ipaddress.ip_network("10.128.0.0/9")
    assert "127." + shown.removeprefix("10.") == own


@given(st.lists(NAME, max_size=5), WORD)
def test_every_spelling_leads_to_the_addresses_of_its_names_alone(known: list[Name], namespace: str) -> None:
    lines = [line.split() for line in text(known, namespace).splitlines()]
    assert lines[0] == ["127.0.0.1", "localhost"]
    written = {spelling for _, *spellings in lines[1:] for spelling in spellings}
    assert written == {spelling for name in known for spelling in name.spellings(namespace)}
    for spelling in written:
        found = {address for address, *spellings in lines if spelling in spellings}
        assert found == {name.address for name in known if spelling in name.spellings(namespace)}


def test_a_short_name_is_known_in_its_own_namespace_alone() -> None:
    name = Name("ml", "meet", "meet-0", "127.130.0.1")
    assert name.spellings("ml")[0] == "meet-0.meet"
    assert name.spellings("other") == [
        "meet-0.meet.ml",
        "meet-0.meet.ml.svc",
        "meet-0.meet.ml.svc.cluster.local",
    ]


def test_a_headless_service_has_the_addresses_of_its_ready_pods_that_run() -> None:
    found = names(
        ("ADDED", service("meet", "s", clusterIP="None")),
        (
            "ADDED",
            slice_of(
                "meet",
                endpoint("one", hostname="meet-0"),
                endpoint("two", ready=False, hostname="meet-1"),
                endpoint("simulated", hostname="meet-2"),
                port=1,
            ),
        ),
    )
    assert {(name.host, name.address) for name in found.all()} == {
        ("", "127.130.0.1"),
        ("meet-0", "127.130.0.1"),
    }
    assert found.ways() == {}


def test_a_service_has_an_address_of_its_own_whose_ports_lead_to_its_pods() -> None:
    made = service(
        "web", "s", clusterIP="10.0.0.7", ports=[{"name": "http", "port": 80, "targetPort": "web"}]
    )
    behind = slice_of("web", endpoint("one"), endpoint("two"), name="http", port=8080)
    found = names(("ADDED", made), ("ADDED", behind))
    assert [(name.service, name.address) for name in found.all()] == [("web", addresses.of_uid("s"))]
    assert found.ways() == {(addresses.of_uid("s"), 80): [("127.130.0.1", 8080), ("127.130.0.2", 8080)]}


def test_what_is_deleted_is_known_no_more() -> None:
    made, behind = service("meet", "s", clusterIP="None"), slice_of("meet", endpoint("one"), port=1)
    assert names(("ADDED", made), ("ADDED", behind), ("DELETED", behind)).all() == []
    assert names(("ADDED", made), ("ADDED", behind), ("DELETED", made)).all() == []
