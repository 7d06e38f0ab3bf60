"""The engines as data, and what a stack may not ask of one."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any, get_args

import pulumi
import pytest

from infra.advice import check_fits
from infra.advice.quantization import quantizations
from infra.aws.pod_environment import store_environment, streaming_environment
from infra.catalog.gpus import gpus
from infra.contracts.lake import Endpoint
from infra.settings import reading
from infra.settings.errors import Problem, SettingsError
from infra.settings.valid_parts import parts_of
from infra.settings.workloads.serving import EngineName, Serving, optional
from tests.infra.platform.gpu_cluster import SERVE, gpu_cluster
from workloads.serving import fetch_adapters
from workloads.serving.build import needs_for
from workloads.serving.checks import check_engine
from workloads.serving.component import ModelServer
from workloads.serving.engines import engines, flags_of
from workloads.serving.needs import NEEDS
from workloads.serving.pod import ModelServerArgs

OPTIONAL = set(optional(Serving(pool="l4", model="m")))
LAKE = "{models}/released"
POOLS = [{"name": name.casefold(), "gpu": name, "maxNodes": 4} for name in ("L4", "T4")]


def refused(**serving: Any) -> list[Problem]:
    """What is wrong with a stack that serves a model of a few billion weights."""
    access = {"jumpHost": True, "deployers": ["role/deployer"]}
    values = {
        "owner": "ml-platform",
        "environment": "dev",
        "purpose": "tests",
        "budget": {"monthlyInr": 100},
        "currency": {"usdInr": 88.5, "asOf": "2026-11-24"},
        "aws": {"region": "ap-south-1", "cluster": {"access": access, "pools": POOLS}},
        "workloads": {"serving": {"pool": "l4", "model": "Qwen/Qwen3-4B", "maxModelLen": 4096, **serving}},
    }
    try:
        reading.parse(values, check_fits, check_engine)
    except SettingsError as error:
        return list(error.problems)
    return []


@pytest.mark.parametrize("name", engines())
def test_each_engine_says_of_each_setting_whether_it_has_it(name: str) -> None:
    engine = engines()[name]
    assert {*engine.flags, *engine.cannot} >= OPTIONAL
    assert not engine.flags.keys() & engine.cannot.keys()
    assert set(engine.needs) <= engine.flags.keys() & OPTIONAL
    # A tag that says the version, so that what was read of it stays so.
    assert re.search(r":v?\d+\.\d+[.\w-]*$", engine.image)


def test_the_settings_offer_the_engines_that_there_are() -> None:
    assert set(get_args(EngineName)) == engines().keys()


def test_every_flag_that_vllm_is_given_is_one_of_its_version() -> None:
    engine = engines()["vllm"]
    known = flags_of(engine.image)
    assert known and engine.image.endswith(f":v{known.version}")
    words = [word for flags in engine.flags.values() for word in flags if word.startswith("--")]
    assert words and all(known.has(word[2:].partition("=")[0]) for word in words)


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("--enable-prefix-cachin", "--enable-prefix-caching"),
        ("--kv-cache-type=fp8", "--kv-cache-dtype"),
        # It was one of vLLM's before 0.33.
        ("--num-lookahead-slots=2", None),
    ],
)
def test_a_flag_that_the_version_lacks_is_refused(word: str, near: str | None) -> None:
    (problem,) = refused(engineArgs=["--enforce-eager", word])
    assert problem.path == "workloads.serving.engineArgs" and problem.given == word.partition("=")[0]
    assert "0.33.0" in problem.allowed
    assert near is None or problem.nearest == near


def test_flags_of_the_version_pass_and_those_of_an_image_that_nobody_read() -> None:
    good = [
        "--kv-cache-dtype=fp8",
        "--no-enable-prefix-caching",
        "--max_num_seqs=8",
        "--compilation-config.level=3",
    ]
    assert refused(engineArgs=good) == []
    assert refused(engineArgs=["--of-next-year"], image="registry.example/own/vllm-openai:v0.40.0") == []
    assert refused(engineArgs=["--schedule-policy=lpm"], engine="sglang") == []


GIVEN = {
    "weights": f"{LAKE}/m",
    "revision": "2026-11",
    "adapters": {"support": f"{LAKE}/a"},
    "maxModelLen": 4096,
    "quantization": "fp8",
    "kvOffloadGib": 8,
}


@pytest.mark.parametrize(("engine", "setting"), [(name, each) for name in engines() for each in GIVEN])
def test_what_an_engine_does_not_have_is_refused_with_one_that_has_it(engine: str, setting: str) -> None:
    needed = {name: GIVEN[name] for name in engines()[engine].needs}
    base = {"maxModelLen": None, "model": "own/unknown", "engine": engine, **needed}
    problems = [each for each in refused(**{**base, setting: GIVEN[setting]}) if each.path.endswith(setting)]
    if setting not in engines()[engine].cannot:
        assert problems == []
        return
    (problem,) = problems
    assert engines()[engine].cannot[setting] in problem.allowed
    assert problem.nearest == "engine: vllm"


def test_triton_without_a_repository_is_refused() -> None:
    (problem,) = refused(engine="triton", maxModelLen=None)
    assert problem.path == "workloads.serving.weights"


def test_triton_on_premises_is_refused() -> None:
    site = {"pools": [{"name": "hall", "gpu": "H100", "nodes": 2}]}
    asked = {"pool": "hall", "model": "m", "weights": f"{LAKE}/repository"}
    values = {"onPremises": site, "workloads": {"serving": {**asked, "engine": "triton"}}}
    (problem,) = check_engine(parts_of(values))
    assert problem.path == "workloads.serving.pool" and "a pool of a cloud with triton" in problem.allowed
    assert check_engine(parts_of({**values, "workloads": {"serving": asked}})) == []


@pytest.mark.parametrize(
    "folder",
    ["s3://bucket/m", "{models}/candidates/m", "{models}/released/", "{models}/released/../x", "{curated}/m"],
)
def test_only_released_models_of_the_lake_are_served(folder: str) -> None:
    (problem,) = refused(weights=folder)
    assert problem.path == "workloads.serving.weights" and LAKE in problem.allowed
    (problem,) = refused(adapters={"own": folder})
    assert problem.path.startswith("workloads.serving.adapters") and LAKE in problem.allowed


def test_a_quantization_that_the_gpu_can_not_run_is_refused_with_one_that_it_can() -> None:
    (problem,) = refused(pool="t4", quantization="modelopt")
    assert problem.path == "workloads.serving.quantization"
    assert "7.5" in problem.allowed and "8.0" in problem.allowed
    # What is made while it loads, since the checkpoint is in bf16.
    assert problem.nearest == "fp8_per_tensor"
    assert not [each for each in refused(quantization="modelopt") if "capability" in each.allowed]


def test_every_method_runs_on_some_gpu_and_unknown_methods_of_other_engines_are_refused() -> None:
    newest = max(gpu.capability for gpu in gpus().values())
    assert all(row.capability <= newest for row in quantizations().values())
    (problem,) = refused(engine="sglang", quantization="w8a8-int8")
    assert problem.nearest == "w8a8_int8"


def server(engine: str, **changes: Any) -> ModelServerArgs:
    return ModelServerArgs(gpu_cluster(SERVE), "serve", "Qwen/Qwen3-4B", engine=engines()[engine], **changes)


def container(made: Any) -> dict[str, Any]:
    (found,) = made.one("v1:Deployment").inputs["spec"]["template"]["spec"]["containers"]
    return found


def test_triton_has_its_own_probes_ports_and_metrics(deploy: Any) -> None:
    weights = "s3://lake/released/repository"
    made = deploy(
        lambda: ModelServer("chat", server("triton", weights=pulumi.Output.from_input(weights))).url
    )
    found = container(made)
    assert found["command"] == ["tritonserver"]
    assert found["args"][:3] == [
        "--model-repository=s3://lake/released/repository",
        "--http-port=8000",
        "--metrics-port=8002",
    ]
    assert {port["name"]: port["containerPort"] for port in found["ports"]} == {"http": 8000, "metrics": 8002}
    assert found["readinessProbe"]["httpGet"]["path"] == "/v2/health/ready"
    assert found["livenessProbe"]["httpGet"]["path"] == "/v2/health/live"
    (monitor,) = needs_for(Serving(engine="triton", pool="serve", model="m")).monitors
    assert monitor.port == "metrics" and not monitor.alerts


@pytest.mark.parametrize(
    ("engine", "flags"),
    [
        ("sglang", ["--model-path=Qwen/Qwen3-4B", "--port=30000", "--tp-size=1"]),
        ("tgi", ["--model-id=Qwen/Qwen3-4B", "--port=8080", "--num-shard=1"]),
    ],
)
def test_the_other_engines_are_told_the_same_in_their_words(
    deploy: Any, engine: str, flags: list[str]
) -> None:
    made = deploy(lambda: ModelServer("chat", server(engine, engine_args=["--own=1"])).url)
    found = container(made)
    assert set(flags) <= set(found["args"]) and found["args"][-1] == "--own=1"
    assert made.result == f"http://chat.serving.svc:{engines()[engine].port}/v1"
    assert made.one("v1:Service").inputs["spec"]["ports"][0]["port"] == engines()[engine].port


def test_vllm_needs_what_it_always_did() -> None:
    assert needs_for(Serving(pool="serve", model="m")) == NEEDS


def test_adapters_are_fetched_before_the_engine_starts(deploy: Any) -> None:
    adapters = {"support": "s3://lake/released/a", "bank": "s3://lake/released/b"}

    def program() -> pulumi.Output[str]:
        known_later = {name: pulumi.Output.from_input(uri) for name, uri in adapters.items()}
        return ModelServer("chat", server("vllm", adapters=known_later)).url

    made = deploy(program)
    pod = made.one("v1:Deployment").inputs["spec"]["template"]["spec"]
    (fetch,) = pod["initContainers"]
    assert fetch["args"] == [
        "--model=Qwen/Qwen3-4B",
        "--into=/scratch/adapters",
        "bank=s3://lake/released/b",
        "support=s3://lake/released/a",
    ]
    words = container(made)["args"]
    at = words.index("--lora-modules")
    assert words[at - 2 :] == [
        "--enable-lora",
        "--max-loras=2",
        "--lora-modules",
        "bank=/scratch/adapters/bank",
        "support=/scratch/adapters/support",
    ]
    assert "fetch_adapters.py" in made.one("v1:ConfigMap").inputs["data"]
    mounted = {mount["mountPath"] for mount in fetch["volumeMounts"]}
    assert "/scratch" in mounted and fetch["command"][1].rpartition("/")[0] in mounted


def test_on_premises_weights_come_from_the_store_of_the_site(deploy: Any) -> None:
    url = "https://s3.site.example"
    store = Endpoint(store_environment(url, "ap-south-1"), "store-keys", streaming_environment(url))
    lake = {"weights": "s3://lake/released/m", "adapters": {"own": "s3://lake/released/a"}, "endpoint": store}
    made = deploy(lambda: ModelServer("chat", server("vllm", **lake)).url)
    (fetch,) = made.one("v1:Deployment").inputs["spec"]["template"]["spec"]["initContainers"]
    for each in (fetch, container(made)):
        values = {variable["name"]: variable["value"] for variable in each["env"]}
        assert values["AWS_ENDPOINT_URL"] == values["AWS_ENDPOINT_URL_S3"] == url
        assert each["envFrom"] == [{"secretRef": {"name": "store-keys"}}]


def test_memory_for_the_cache_is_asked_for(deploy: Any) -> None:
    asked = {}
    for gib in (None, 24):
        found = container(deploy(lambda gib=gib: ModelServer("chat", server("vllm", kv_offload_gib=gib)).url))
        asked[gib] = int(found["resources"]["requests"]["memory"].removesuffix("Gi"))
        assert ("--kv-offloading-size=24" in found["args"]) == bool(gib)
    assert asked[24] == asked[None] + 24


def test_engines_have_variables_of_their_own(deploy: Any) -> None:
    found = container(deploy(lambda: ModelServer("chat", server("tgi")).url))
    values = {each["name"]: each["value"] for each in found["env"]}
    assert values["HUGGINGFACE_HUB_CACHE"].startswith("/scratch") and "VLLM_CACHE_ROOT" not in values


@pytest.mark.parametrize(
    ("base", "outcome"),
    [
        ("Qwen/Qwen3-4B", ""),
        # As a job on a model of the lake has it.
        ("/scratch/released/qwen3-4b/", ""),
        ("", "does not say on which model"),
        (None, "does not say on which model"),
        ("Qwen/Qwen3-8B", "adapter own (s3://lake/a) was trained on qwen3-8b, not on qwen3-4b"),
    ],
)
def test_an_adapter_of_another_base_is_refused_at_the_start(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    base: str | None,
    outcome: str,
) -> None:
    def fetch(_uri: str, folder: Path) -> None:
        folder.mkdir()
        (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": base}))

    monkeypatch.setattr(fetch_adapters, "fetch", fetch)
    monkeypatch.setattr(sys, "argv", ["", "--model=Qwen/Qwen3-4B", f"--into={tmp_path}", "own=s3://lake/a"])
    said = ""
    try:
        fetch_adapters.main()
    except SystemExit as refusal:
        said = str(refusal)
    assert (outcome in said) if base else (not said and outcome in capsys.readouterr().err)
    assert bool(said) == (base == "Qwen/Qwen3-8B")


def test_a_folder_without_an_adapter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"no adapter_config\.json in mine"):
        fetch_adapters.base_of(tmp_path / "mine")
