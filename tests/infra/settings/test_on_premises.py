"""What a stack may say of a site on premises, and every mistake in it."""

from __future__ import annotations

import copy
from ipaddress import IPv4Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from infra.catalog.offered import check_offered
from infra.settings import reading
from infra.settings.errors import Problem, SettingsError
from infra.settings.networks import ON_PREMISES_NETWORKS
from infra.settings.on_premises import MOST_NETWORKS
from tests.examples import examples
from tests.infra.settings.site_on_premises import CERTIFICATE, on_premises
from tests.infra.settings.test_settings import minimal, problems


def site(**over: Any) -> dict[str, Any]:
    return minimal(onPremises=on_premises(**over))


def test_a_site_is_read() -> None:
    read = reading.parse(site(), check_offered).on_premises
    assert read
    assert (read.pools[0].vcpus, read.pools[0].memory_gib) == (96, 1024)
    assert read.store_reach == (["192.168.10.0/24"], 9443)


@pytest.mark.parametrize(
    ("over", "path", "nearest"),
    [
        ({"nodeCidrs": ["8.8.8.0/24"]}, "nodeCidrs[0]", "10.0.0.0/24"),
        ({"nodeCidrs": ["192.168.10.1/24"]}, "nodeCidrs[0]", "192.168.10.0/24"),
        ({"podCidrs": ["172.24.0.0/28"]}, "podCidrs[0]", "172.24.0.0/25"),
        ({"podCidrs": []}, "podCidrs", None),
        ({"vpn": {"address": "10.1.1.1"}}, "vpn.address", None),
        ({"vpn": {"address": "100.64.0.9"}}, "vpn.address", None),
        ({"vpn": {"address": "127.0.0.1"}}, "vpn.address", None),
        ({"vpn": {"address": "vpn.site.example"}}, "vpn.address", None),
        ({"vpn": {"address": "203.0.113.7", "asn": 64512}}, "vpn.asn", "64513"),
        ({"certificateAuthority": "MIIB"}, "certificateAuthority", None),
        (
            {"store": {"endpoint": "http://s3.site.example", "key": "lake"}},
            "store.endpoint",
            "https://s3.site.example",
        ),
        ({"store": {"endpoint": "s3.site.example", "key": "lake"}}, "store.endpoint", None),
        ({"store": {"endpoint": "https://s3.site.example/bucket", "key": "lake"}}, "store.endpoint", None),
        (
            {"store": {"endpoint": "https://s3.site.example", "key": "lake", "region": "us-east-1"}},
            "store.region",
            None,
        ),
        ({"store": {"endpoint": "https://s3.site.example"}}, "store.key", "lake"),
        ({"pools": [{"name": "hall", "gpu": "H1000", "nodes": 1}]}, "pools[0].gpu", "H100"),
        ({"pools": [{"name": "hall", "gpu": "H100", "nodes": 0}]}, "pools[0].nodes", None),
    ],
)
def test_a_mistake_is_one_problem_at_its_place(over: dict[str, Any], path: str, nearest: str | None) -> None:
    found = problems(site(**over))
    assert set(found) == {f"onPremises.{path}"}
    if nearest:
        assert found[f"onPremises.{path}"].nearest == nearest


def test_a_secret_that_was_pasted_is_not_printed() -> None:
    key = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----"
    for over, path in (
        ({"certificateAuthority": key}, "certificateAuthority"),
        ({"store": {"endpoint": "https://me:c2VjcmV0@s3.site.example", "key": "lake"}}, "store.endpoint"),
    ):
        assert "c2VjcmV0" not in str(problems(site(**over))[f"onPremises.{path}"])


# Of a machine: its basic constraints are CA:FALSE.
NODE_CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBODCB36ADAgECAgEBMAoGCCqGSM49BAMCMBwxGjAYBgNVBAMMEW5vZGUuc2l0
ZS5leGFtcGxlMCAXDTI2MDEwMTAwMDAwMFoYDzIxMjYwMTAxMDAwMDAwWjAcMRow
GAYDVQQDDBFub2RlLnNpdGUuZXhhbXBsZTBZMBMGByqGSM49AgEGCCqGSM49AwEH
A0IABB9jqUTYA/oN8E/tYoFhKVjl0XDiq8qcHwayEGpPKOWLDqS93DWEMidvNsVt
HntzpApe7XXxvEnmqNvVMQNGxcGjEDAOMAwGA1UdEwEB/wQCMAAwCgYIKoZIzj0E
AwIDSAAwRQIgVu5tsI39bqEb4Xk3y3uSQmdaLO1M/1qjd/COoIh36skCIQCTljgV
EzOuxE6K0rL3q7s1ywh9v37cALSkMNQE5zMgzA==
-----END CERTIFICATE-----
"""
# Base64 of what begins as a certificate does, and is none.
SEQUENCE = "-----BEGIN CERTIFICATE-----\nMIIBCgAAAAAAAAAA\n-----END CERTIFICATE-----\n"


def test_certificates_of_authorities_are_kept_as_they_were_pasted() -> None:
    for text in (CERTIFICATE, f"{CERTIFICATE}\n{CERTIFICATE}", f"subject=site\n{CERTIFICATE}"):
        read = reading.parse(site(certificateAuthority=text)).on_premises
        assert read and read.certificate_authority == text


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        (SEQUENCE, "openssl x509 -text"),
        (CERTIFICATE + SEQUENCE, "openssl x509 -text"),
        (CERTIFICATE[:200], "openssl x509 -text"),
        ("", "-----BEGIN CERTIFICATE-----"),
        (NODE_CERTIFICATE, "CN=node.site.example is not one"),
        (CERTIFICATE + NODE_CERTIFICATE, "CA:TRUE"),
    ],
)
def test_what_is_no_certificate_of_an_authority_is_refused(text: str, allowed: str) -> None:
    found = problems(site(certificateAuthority=text))
    assert list(found) == ["onPremises.certificateAuthority"]
    assert allowed in found["onPremises.certificateAuthority"].allowed


def test_a_site_joins_aws_and_nothing_else() -> None:
    google = {"project": "unit-project", "region": "asia-south1"}
    found = problems(minimal(aws=None, gcp=google, onPremises=on_premises()))
    assert "only with aws" in found["onPremises"].allowed


def test_plain_http_will_do_on_loopback() -> None:
    assert reading.parse(site(store={"endpoint": "http://127.0.0.1:9000", "key": "lake"})).on_premises


def test_a_site_has_no_more_networks_than_eks_takes() -> None:
    many = [f"192.168.{n}.0/24" for n in range(MOST_NETWORKS + 1)]
    assert "onPremises.nodeCidrs" in problems(site(nodeCidrs=many))
    reading.parse(site(nodeCidrs=many[:-1]))


def test_names_of_pools_are_told_apart_and_workloads_find_them() -> None:
    pool = {"name": "hall", "gpu": "L4", "maxNodes": 1}
    values = site()
    values["aws"] = {"region": "ap-south-1", "cluster": {"pools": [pool]}}
    assert "onPremises.pools[0].name" in problems(values)
    job = {"training": {"pool": "hall", "image": "i", "nodes": 3, "gpusPerNode": 8}}
    found = problems(site() | {"workloads": job})
    assert found["workloads.training.nodes"].nearest == "2"


def networks(smallest: int) -> st.SearchStrategy[IPv4Network]:
    """Private networks that are often neighbours, so that some overlap."""

    def within(outer: IPv4Network, prefix: int, index: int) -> IPv4Network:
        prefix = max(prefix, outer.prefixlen)
        step = 1 << (32 - prefix)
        first = int(outer.network_address) + (index % (1 << (prefix - outer.prefixlen))) * step
        return IPv4Network((first, prefix))

    return st.builds(
        within, st.sampled_from(ON_PREMISES_NETWORKS), st.integers(12, smallest), st.integers(0, 40)
    )


@hypothesis(max_examples=examples(150))
@given(
    st.lists(networks(28), min_size=1, max_size=4),
    st.lists(networks(25), min_size=1, max_size=4),
    st.sampled_from(["10.0.0.0/16", "10.100.0.0/16", "172.24.0.0/16"]),
    st.booleans(),
)
def test_no_two_networks_overlap_and_what_is_proposed_is_free(
    nodes: list[IPv4Network], pods: list[IPv4Network], vpc: str, google: bool
) -> None:
    values = site(nodeCidrs=[str(n) for n in nodes], podCidrs=[str(n) for n in pods])
    values["aws"]["network"] = {"cidr": vpc}
    clouds = [IPv4Network(vpc)]
    if google:
        reached = {"access": {"jumpHost": True}}
        values["gcp"] = {"project": "unit-project", "region": "asia-south1", "cluster": reached}
        read = reading.parse(minimal(aws=None, gcp=values["gcp"])).gcp
        assert read
        of_google = read.network
        clouds += map(IPv4Network, (of_google.cidr, of_google.pods_cidr, of_google.services_cidr))
        if any(a.overlaps(b) for a, b in pairs(clouds)):
            return
    taken = [*clouds, IPv4Network("10.100.0.0/16"), IPv4Network("172.20.0.0/16")]
    apart = not any(a.overlaps(b) for a, b in pairs([*nodes, *pods])) and not any(
        a.overlaps(b) for a in (*nodes, *pods) for b in taken
    )
    found = refused(values)
    assert apart == (not found)
    mended = copy.deepcopy(values)
    for problem in found:
        assert problem.nearest, problem
        name, index = problem.path.removeprefix("onPremises.").rstrip("]").split("[")
        mended["onPremises"][name][int(index)] = problem.nearest
    assert refused(mended) == ()


def pairs(networks: list[IPv4Network]) -> list[tuple[IPv4Network, IPv4Network]]:
    return [(a, b) for i, a in enumerate(networks) for b in networks[i + 1 :]]


def refused(values: dict[str, Any]) -> tuple[Problem, ...]:
    try:
        reading.parse(values)
    except SettingsError as wrong:
        return wrong.problems
    return ()
