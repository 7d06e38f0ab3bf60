"""What a stack may say of its workloads: images that can be pulled, and flags of vLLM that nothing else sets."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from infra.settings import reading
from infra.settings.errors import SettingsError
from infra.settings.workloads.serving import SET_BY_PLATFORM, SET_BY_SETTINGS, Serving, flag
from workloads.serving.engines import engines

POOLS = [
    {"name": "a", "gpu": "L4", "maxNodes": 2},
    {"name": "f", "gpu": "H100", "gpusPerNode": 8, "fabric": "efa", "maxNodes": 2},
]
OWN = "{registry}/india-ai-infra"


def stack(environment: str = "prod", **workloads: Any) -> dict[str, Any]:
    return {
        "owner": "ml-platform",
        "environment": environment,
        "purpose": "tests",
        "budget": {"monthlyInr": 100},
        "currency": {"usdInr": 88.5, "asOf": "2026-11-24"},
        "aws": {
            "region": "ap-south-1",
            "cluster": {"access": {"jumpHost": True, "deployers": ["role/deployer"]}, "pools": POOLS},
        },
        "workloads": workloads,
    }


def trained(image: str, environment: str = "prod") -> dict[str, Any]:
    return stack(environment, training={"pool": "a", "image": image})


def problems(values: dict[str, Any]) -> dict[str, str | None]:
    try:
        reading.parse(values)
    except SettingsError as error:
        return {problem.path: problem.nearest for problem in error.problems}
    return {}


@pytest.mark.parametrize("environment", ["dev", "prod"])
@pytest.mark.parametrize(
    ("image", "near"),
    [
        ("training:2026.11", f"{OWN}/training:2026.11"),
        ("team/training:1", "{registry}/team/training:1"),
        ("team/train/er:1", "{registry}/team/train/er:1"),
        # Artifact Registry has no image without a repository.
        ("{registry}/training:1", f"{OWN}/training:1"),
        # A tag that moves: nobody can say which was meant.
        (f"{OWN}/training:latest", None),
        (f"{OWN}/training", None),
        ("ghcr.io/team/training", None),
        ("training", None),
        ("localhost/training:1", "{registry}/localhost/training:1"),
    ],
)
def test_an_image_that_a_cloud_could_not_pull_is_refused(
    image: str, near: str | None, environment: str
) -> None:
    values = trained(image, environment)
    assert problems(values) == {"workloads.training.image": near}
    if near:
        assert problems(trained(near, environment)) == {}


@pytest.mark.parametrize(
    "image",
    [
        f"{OWN}/training:2026.11",
        f"ghcr.io/team/training@sha256:{'a' * 64}",
        f"ghcr.io/team/training:1@sha256:{'a' * 64}",
        "111122223333.dkr.ecr.ap-south-1.amazonaws.com/training:1",
        "registry.example:5000/team/training:v1.0-cu13",
        "docker.io/library/python:3.12",
    ],
)
def test_an_image_in_a_registry_is_taken(image: str) -> None:
    assert problems(trained(image)) == {}


def test_on_the_local_cloud_no_image_is_pulled() -> None:
    assert problems(trained("training:local", "local")) == {}


@pytest.mark.parametrize(
    "image", ["Training:1", "a b", "{account}/training:1", "training:", "", "a//b:1", "{registry}/"]
)
def test_what_is_no_image_is_refused_everywhere(image: str) -> None:
    assert "workloads.training.image" in problems(trained(image, "local"))


def test_every_image_of_a_stack_is_looked_at() -> None:
    found = problems(
        stack(
            training={"pool": "a", "image": "training:1"},
            serving={"pool": "a", "model": "m", "image": "vllm/vllm-openai:v0.33.0"},
            proof={"image": "proof:1", "dcgmImage": "dcgm:4"},
        )
    )
    assert set(found) == {
        "workloads.training.image",
        "workloads.serving.image",
        "workloads.proof.image",
        "workloads.proof.dcgmImage",
    }


name = st.from_regex(r"[a-z0-9]+([._-][a-z0-9]+)*", fullmatch=True)


@given(st.lists(name, min_size=1, max_size=3), name)
def test_the_nearest_image_is_always_taken(path: list[str], tag: str) -> None:
    image = f"{'/'.join(path)}:{tag}"
    for near in problems(trained(image)).values():
        assert near is None or problems(trained(near)) == {}


def served(*words: str) -> dict[str, str | None]:
    return problems(stack(serving={"pool": "a", "model": "m", "engineArgs": list(words)}))


@pytest.mark.parametrize(
    "words",
    [
        ["--enable-prefix-caching", "--kv-cache-dtype=fp8"],
        ["--kv-cache-dtype", "fp8"],
        ["--max-num-seqs", "64", "--speculative-config.method=ngram"],
        ["--seed", "-1"],
        ["--quantization-config={}", "--config-format=mistral", "--model-loader-extra-config={}"],
    ],
)
def test_flags_of_vllm_are_passed_on(words: list[str]) -> None:
    assert served(*words) == {}


@pytest.mark.parametrize(
    "word",
    [
        "--max-model-len=4096",
        "--max_model_len",
        "--max-model=4096",
        "--port=80",
        "--quant=fp8",
        "--tensor-parallel-size=2",
        "-tp=2",
        "-q",
        "--config=/etc/vllm.yaml",
        "--",
    ],
)
def test_flags_that_settings_or_the_platform_set_are_refused(word: str) -> None:
    assert served("--enable-prefix-caching", word) == {"workloads.serving.engineArgs": None}


def test_every_flag_of_an_engine_is_one_that_nobody_else_may_give() -> None:
    """What workloads/serving/engines.yaml passes is on one of the lists."""
    words = [word for engine in engines().values() for flags in engine.flags.values() for word in flags]
    passed = {flag(word) for word in words} - {""}
    assert passed <= {*SET_BY_SETTINGS, *SET_BY_PLATFORM}
    assert {"max-model-len", "quantization", "load-format", "gpu-memory-utilization"} <= passed


def test_little_is_enough() -> None:
    serve = Serving(pool="a", model="m")
    assert (serve.max_model_len, serve.quantization, serve.engine_args, serve.image) == (None, None, [], None)


def verdict_key(text: str) -> dict[str, str]:
    asked = {"image": f"{OWN}/tracking:1", "verdictKey": text}
    try:
        reading.parse(stack(tracking=asked))
    except SettingsError as error:
        return {problem.path: str(problem) for problem in error.problems}
    return {}


def test_the_key_of_the_gate_is_public_of_ed25519_and_a_private_one_is_not_shown() -> None:
    def pem(key: Any) -> str:
        return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    key = Ed25519PrivateKey.generate()
    public = pem(key.public_key())
    assert verdict_key(f"now:\n{public}\nbefore:\n{pem(Ed25519PrivateKey.generate().public_key())}") == {}
    path = "workloads.tracking.verdictKey"
    for wrong in (
        "",
        "ssh-ed25519 AAAA",
        public.replace("MC", "MD"),
        pem(generate_private_key(SECP256R1()).public_key()),
    ):
        assert "public keys of Ed25519 in PEM" in verdict_key(wrong)[path]
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    refused = verdict_key(private)[path]
    assert "must never leave its machine" in refused
    assert private.splitlines()[1] not in refused
