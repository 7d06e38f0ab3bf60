import json
from datetime import date
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pulumi.runtime import config as runtime_config

from infra.catalog import offered
from infra.catalog.fabric_floors import check_floors
from infra.catalog.offered import check_offered
from infra.settings import reading
from infra.settings.errors import Problem, SettingsError
from infra.settings.pools import GpuPool
from infra.settings.purchase import PURCHASES
from infra.settings.stack import Settings
from infra.settings.workloads import Workloads
from infra.spelling import nearest

PROJECT = Path(__file__).parents[3]
STACKS = ("local", "dev", "prod")
IMAGE = "registry.in/training:1"


REACHED = {"jumpHost": True, "deployers": ["role/ci"]}


def reached(cloud: Any, access: dict[str, Any]) -> Any:
    """A cloud's settings with a way in, where they are about something else."""
    cluster = cloud.get("cluster", {}) if isinstance(cloud, dict) else None
    if not cloud or not isinstance(cluster, dict) or "access" in cluster:
        return cloud
    return {**cloud, "cluster": {"access": access, **cluster}}


def minimal(**over: Any) -> dict[str, Any]:
    given = {
        "owner": "ml-platform",
        "environment": "dev",
        "purpose": "tests",
        "budget": {"monthlyInr": 100},
        "currency": {"usdInr": 80.5, "asOf": "2026-11-24"},
        "aws": {"region": "ap-south-1"},
        **over,
    }
    purchases = {"aws": REACHED, "gcp": {"jumpHost": True}}
    return {
        key: reached(value, purchases[key]) if key in purchases else value for key, value in given.items()
    }


def with_pools(*pools: dict[str, Any], region: str = "ap-south-1", **over: Any) -> dict[str, Any]:
    return minimal(aws={"region": region, "cluster": {"pools": list(pools)}}, **over)


def problems(values: dict[str, Any]) -> dict[str, Problem]:
    with pytest.raises(SettingsError) as refused:
        reading.parse(values, check_offered)
    found = {problem.path: problem for problem in refused.value.problems}
    assert len(found) == len(refused.value.problems), "a setting is reported once"
    return found


def of_stack(stack: str) -> dict[str, Any]:
    config = yaml.safe_load((PROJECT / f"Pulumi.{stack}.yaml").read_text())["config"]
    prefix = "india-ai-infra:"
    return {key.removeprefix(prefix): value for key, value in config.items() if key.startswith(prefix)}


@pytest.mark.parametrize("stack", STACKS)
def test_the_stacks_of_the_project_are_right(stack: str) -> None:
    read = reading.parse(of_stack(stack), check_offered)
    assert read.environment == stack
    assert read.aws
    assert read.aws.region == "ap-south-1"


@pytest.mark.parametrize("stack", STACKS)
def test_no_stack_uses_a_default_provider(stack: str) -> None:
    config = yaml.safe_load((PROJECT / f"Pulumi.{stack}.yaml").read_text())["config"]
    clouds = [cloud for cloud in ("aws", "gcp") if f"india-ai-infra:{cloud}" in config]
    assert config["pulumi:disable-default-providers"] == [*clouds, "kubernetes"]


def test_the_schema_of_the_project_names_every_setting() -> None:
    schema = yaml.safe_load((PROJECT / "Pulumi.yaml").read_text())["config"]
    assert set(schema) == {field.alias for field in Settings.model_fields.values()}
    assert all(entry["description"] for entry in schema.values())


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_the_engine_knows_every_default_that_the_settings_have(name: str) -> None:
    """Without one in Pulumi.yaml the engine refuses a stack that leaves the setting out, before the program runs."""
    field = Settings.model_fields[name]
    entry = yaml.safe_load((PROJECT / "Pulumi.yaml").read_text())["config"][field.alias or name]
    assert ("default" in entry) == (not field.is_required())
    if "default" in entry:
        home = on_google() if name == "aws" else minimal()
        left_out = {key: value for key, value in home.items() if key != field.alias}
        assert field.alias
        assert reading.parse(left_out | {field.alias: entry["default"]}) == reading.parse(left_out)


def test_a_platform_without_pools_and_workloads_is_a_stack() -> None:
    read = reading.parse({key: value for key, value in minimal().items() if key != "workloads"})
    assert read.workloads == Workloads()


@pytest.mark.parametrize(
    ("key", "value"),
    [("retentionDays", 10**400), ("budget", {"monthlyInr": 10**400}), ("usage", {"lakeGib": float("inf")})],
)
def test_a_number_that_nothing_can_count_to_is_refused(key: str, value: Any) -> None:
    assert len(problems(minimal(**{key: value}))) == 1


def test_little_is_enough() -> None:
    read = reading.parse(minimal())
    assert read.data_class == "personal"
    assert read.retention_days == 365
    assert read.aws
    assert read.aws.cluster.pools == []
    assert read.aws.protect_data


def test_every_mistake_at_once_each_where_it_was_written() -> None:
    found = problems(
        {
            **with_pools(
                {"name": "a", "gpu": "H100", "gpusPerNode": 8, "maxNodes": 1, "fabrc": "efa"},
                {"name": "b", "gpu": "H200", "gpusPerNode": 8, "maxNodes": 1},
                region="ap-south-2",
            ),
            "environment": "production",
            "retentionDays": 30,
            "budget": {"monthlyInr": 0},
            "currency": {"usdInr": -80, "asOf": "soon"},
            "workloads": {"training": {"pool": "c", "image": IMAGE}},
        }
    )
    assert set(found) == {
        "environment",
        "retentionDays",
        "budget.monthlyInr",
        "currency.usdInr",
        "currency.asOf",
        "aws.cluster.pools[0].fabrc",
        "aws.cluster.pools[1].gpu",
        "workloads.training.pool",
    }
    assert found["environment"].nearest == "prod"
    assert found["retentionDays"].nearest == "365"
    assert found["aws.cluster.pools[0].fabrc"].nearest == "fabric"


def test_the_error_reads_as_a_list() -> None:
    with pytest.raises(SettingsError) as refused:
        reading.parse(minimal(environment="prd"))
    assert str(refused.value) == (
        "1 setting is wrong:\n  environment: prd\n      allowed: local, dev, prod\n      nearest: prod"
    )


def test_a_gpu_that_is_elsewhere_says_where() -> None:
    values = with_pools({"name": "a", "gpu": "H200", "gpusPerNode": 8, "maxNodes": 1}, region="ap-south-2")
    problem = problems(values)["aws.cluster.pools[0].gpu"]
    assert problem.nearest == (
        "H200 is in ap-south-1 (aps1-az1, aps1-az3); asia-south1 (asia-south1-b); asia-south2 (asia-south2-c)"
    )
    assert problem.allowed == "in ap-south-2: B200, B300, L4, L40S"


def test_a_region_outside_india_is_about_residency() -> None:
    problem = problems(minimal(aws={"region": "us-east-1"}))["aws.region"]
    assert problem.allowed == "ap-south-1 (Mumbai), ap-south-2 (Hyderabad): data stays in India"


@pytest.mark.parametrize(
    ("pool", "setting", "nearest"),
    [
        ({"gpu": "l4", "maxNodes": 1}, "gpu", "L4"),
        ({"gpu": "H100", "gpusPerNode": 6, "maxNodes": 1}, "gpusPerNode", "8"),
        (
            {"gpu": "L4", "fabric": "efa", "gpusPerNode": 1, "maxNodes": 1, "purchase": "sport"},
            "purchase",
            "spot",
        ),
        ({"gpu": "A10G", "maxNodes": 1, "maxGpus": 1}, "maxGpus", None),
        ({"gpu": "A10G"}, "maxGpus", None),
        ({"gpu": "L4", "gpusPerNode": 4, "maxGpus": 6}, "maxGpus", "8"),
        ({"gpu": "L4", "maxNodes": 2, "minNodes": 1}, "minNodes", "0"),
        ({"gpu": "L4", "placementGroup": True, "maxNodes": 2, "minNodes": 3}, "minNodes", "2"),
        ({"gpu": "L4", "maxNodes": 2, "minSpotSaving": 0.99}, "purchase", "on-demand"),
        ({"gpu": "L4", "maxNodes": 0}, "maxNodes", None),
        ({"gpu": "L4", "maxNodes": 1, "name": "My Pool"}, "name", "my-pool"),
        ({"gpu": "L4", "maxNodes": 1, "name": "system"}, "name", "system-2"),
    ],
)
def test_a_wrong_pool(pool: dict[str, Any], setting: str, nearest: str | None) -> None:
    found = problems(with_pools({"name": "pool", **pool}))
    assert list(found) == [f"aws.cluster.pools[0].{setting}"]
    assert found[f"aws.cluster.pools[0].{setting}"].nearest == nearest


@pytest.mark.parametrize(
    ("registries", "path", "nearest"),
    [
        (
            {
                "githubSecret": "arn:aws:secretsmanager:us-east-1:111122223333:secret:ecr-pullthroughcache/gh-AbCdEf"
            },
            "aws.registries",
            "arn:aws:secretsmanager:ap-south-1:111122223333:secret:ecr-pullthroughcache/gh-AbCdEf",
        ),
        (
            {"dockerHubSecret": "arn:aws:secretsmanager:ap-south-1:111122223333:secret:docker-AbCdEf"},
            "aws.registries.dockerHubSecret",
            None,
        ),
        ({"copied": ["ncvr.io"]}, "aws.registries.copied[0]", "nvcr.io"),
        ({"mirror": False, "copied": ["nvcr.io"]}, "aws.registries", None),
    ],
)
def test_a_mirror_that_could_not_work(registries: dict[str, Any], path: str, nearest: str | None) -> None:
    found = problems(minimal(aws={"region": "ap-south-1", "registries": registries}))
    assert list(found) == [path]
    assert found[path].nearest == nearest


def test_pools_have_names_of_their_own() -> None:
    pool = {"name": "a", "gpu": "L4", "maxNodes": 1}
    assert list(problems(with_pools(pool, pool))) == ["aws.cluster.pools[1].name"]


@pytest.mark.parametrize(
    ("workloads", "path", "nearest"),
    [
        ({"training": {"pool": "trian", "image": IMAGE}}, "training.pool", "train"),
        ({"training": {"pool": "train", "image": IMAGE, "gpusPerNode": 8}}, "training.gpusPerNode", "4"),
        ({"training": {"pool": "train", "image": IMAGE, "nodes": 3}}, "training.nodes", "2"),
        ({"training": {"pool": "fast", "image": IMAGE, "nodes": 4, "gpusPerNode": 8}}, "training.nodes", "1"),
        ({"serving": {"pool": "train", "model": "m", "gpus": 5}}, "serving.gpus", "4"),
        ({"serving": {"pool": "train"}}, "serving.model", None),
    ],
)
def test_workloads_fit_their_pools(workloads: dict[str, Any], path: str, nearest: str | None) -> None:
    train = {"name": "train", "gpu": "L4", "gpusPerNode": 4, "maxGpus": 8}
    fast = {"name": "fast", "gpu": "H100", "gpusPerNode": 8, "fabric": "efa", "maxNodes": 4, "minNodes": 1}
    found = problems(with_pools(train, fast, workloads=workloads))
    assert list(found) == [f"workloads.{path}"]
    assert found[f"workloads.{path}"].nearest == nearest


def test_a_wrong_pool_is_not_said_to_be_missing() -> None:
    values = with_pools(
        {"name": "train", "gpu": "L4"}, workloads={"training": {"pool": "train", "image": IMAGE}}
    )
    assert list(problems(values)) == ["aws.cluster.pools[0].maxGpus"]


@pytest.mark.parametrize(
    ("cidr", "nearest"),
    [
        ("8.8.0.0/16", "10.0.0.0/16"),
        ("10.0.0.0/24", "10.0.0.0/20"),
        ("10.0.0.0/8", "10.0.0.0/16"),
        ("10.1.2.0/16", "10.1.0.0/16"),
        ("ten", "10.0.0.0/16"),
    ],
)
def test_a_wrong_network_has_a_right_one_near(cidr: str, nearest: str) -> None:
    found = problems(minimal(aws={"region": "ap-south-1", "network": {"cidr": cidr}}))
    assert found["aws.network.cidr"].nearest == nearest
    reading.parse(minimal(aws={"region": "ap-south-1", "network": {"cidr": nearest}}))


@pytest.mark.parametrize(
    ("aws", "path", "nearest"),
    [
        ({"cluster": {"version": "1.29"}}, "cluster.version", "1.35"),
        ({"cluster": {"version": 1.35}}, "cluster.version", '"1.35"'),
        ({"cluster": {"system": {"machineType": "m6a.xlage"}}}, "cluster.system.machineType", "m6a.xlarge"),
        ({"cluster": {"system": {"machineType": "g6.xlarge"}}}, "cluster.system.machineType", None),
        ({"cluster": {"system": {"minNodes": 5, "maxNodes": 3}}}, "cluster.system.minNodes", "3"),
        ({"network": {"flowLogDays": 90}}, "network.flowLogDays", "365"),
        ({"network": {"flowLogDays": 500}}, "network.flowLogDays", "545"),
        ({"access": {"auditors": ["arn:aws:iam::12:role/a"]}}, "access.auditors[0]", None),
        ({"audit": {"alertEmails": ["nobody"]}}, "audit.alertEmails[0]", None),
    ],
)
def test_a_wrong_setting_of_aws(aws: dict[str, Any], path: str, nearest: str | None) -> None:
    found = problems(minimal(aws={"region": "ap-south-1", **aws}))
    assert list(found) == [f"aws.{path}"]
    if nearest:
        assert found[f"aws.{path}"].nearest == nearest


def test_a_stack_has_a_cloud() -> None:
    values = minimal()
    del values["aws"]
    assert list(problems(values)) == ["aws"]


def test_public_data_need_not_be_kept_a_year() -> None:
    assert reading.parse(minimal(dataClass="public", retentionDays=7)).retention_days == 7


def test_a_pool_with_a_fabric_stands() -> None:
    efa = {"name": "a", "gpu": "H100", "gpus_per_node": 8, "fabric": "efa"}
    assert GpuPool(**efa, max_nodes=4).static_nodes == 4
    assert GpuPool(**efa, max_gpus=32, min_nodes=1).static_nodes == 1
    assert GpuPool(name="a", gpu="L4", max_nodes=4).static_nodes == 0


DNS_LABELS = st.from_regex(r"\A[a-z][a-z0-9-]{0,10}[a-z0-9]\Z").filter(lambda name: name != "system")


@st.composite
def right_pools(draw: st.DrawFn) -> list[dict[str, Any]]:
    machines = [("L4", 1), ("L4", 4), ("L40S", 4), ("H100", 8), ("A10G", 1)]
    pools = []
    for name in draw(st.lists(DNS_LABELS, unique=True, max_size=4)):
        gpu, count = draw(st.sampled_from(machines))
        most = draw(st.integers(1, 50))
        pool = {"name": name, "gpu": gpu, "gpusPerNode": count, "purchase": "spot"}
        pools.append(pool | draw(st.sampled_from([{"maxNodes": most}, {"maxGpus": most * count}])))
    return pools


@given(right_pools(), st.integers(365, 10_000), st.floats(0.01, 1000))
def test_what_is_right_survives_the_round_trip(pools: list[dict[str, Any]], days: int, rate: float) -> None:
    values = with_pools(*pools, retentionDays=days, currency={"usdInr": rate, "asOf": "2026-11-24"})
    read = reading.parse(values, check_offered)
    written = json.loads(read.model_dump_json(by_alias=True))
    assert reading.parse(written, check_offered) == read
    assert read.aws
    for pool, given_pool in zip(read.aws.cluster.pools, pools, strict=True):
        assert pool.most_nodes == given_pool.get(
            "maxNodes", given_pool.get("maxGpus", 0) // pool.gpus_per_node
        )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
PLACES = (
    ("owner",),
    ("budget",),
    ("budget", "monthlyInr"),
    ("currency", "asOf"),
    ("aws",),
    ("aws", "region"),
    ("aws", "network"),
    ("aws", "cluster"),
    ("aws", "cluster", "version"),
    ("aws", "cluster", "system"),
    ("aws", "cluster", "pools"),
    ("workloads",),
    ("workloads", "training"),
)


@given(st.sampled_from(PLACES), JSON)
def test_whatever_is_written_is_read_or_refused_by_its_path(place: tuple[str, ...], junk: Any) -> None:
    values: dict[str, Any] = minimal(
        aws={"region": "ap-south-1", "network": {}, "cluster": {"system": {}}}, workloads={}
    )
    inner = values
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = junk
    try:
        reading.parse(values, check_offered)
    except SettingsError as refused:
        assert refused.problems
        for problem in refused.problems:
            assert problem.path.startswith(".".join(place))


def test_a_network_has_room_for_every_node_that_may_be() -> None:
    many = {"name": "many", "gpu": "H100", "gpusPerNode": 8, "maxNodes": 40}
    small = {"region": "ap-south-1", "network": {"cidr": "10.0.16.0/20"}, "cluster": {"pools": [many]}}
    problem = problems(minimal(aws=small))["aws.network.cidr"]
    assert problem.nearest == "10.0.0.0/19"
    assert "44 nodes" in problem.allowed and "/20 has it for 30" in problem.allowed
    reading.parse(minimal(aws={**small, "network": {"cidr": problem.nearest}}), check_offered)
    too_many = {**many, "maxNodes": 500}
    assert problems(with_pools(too_many))["aws.network.cidr"].nearest is None
    pods = on_google(network={"podsCidr": "10.68.0.0/20"}, cluster={"pools": [{**many, "maxNodes": 20}]})
    assert problems(pods)["gcp.network.podsCidr"].nearest == "10.68.0.0/19"


def test_a_version_out_of_support_is_refused_for_one_in_support(monkeypatch: pytest.MonkeyPatch) -> None:
    def on(day: date) -> None:
        monkeypatch.setattr(offered, "date", type("Day", (), {"today": staticmethod(lambda: day)}))

    asked = minimal(aws={"region": "ap-south-1", "cluster": {"version": "1.34"}})
    on(date(2026, 12, 2))
    reading.parse(asked, check_offered)
    on(date(2026, 12, 3))
    problem = problems(asked)["aws.cluster.version"]
    assert problem.nearest == "1.35" and "1.34" not in problem.allowed
    on(date(2030, 1, 1))  # a table that knows no supported version can't say that one is not
    reading.parse(asked, check_offered)


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> Any:
    def configure(**values: Any) -> pulumi.Config:
        wire = {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
        given = {f"india-ai-infra:{key}": text for key, text in wire.items()} | {"aws:region": "us-east-1"}
        monkeypatch.setenv("PULUMI_CONFIG", json.dumps(given))
        runtime_config.set_all_config({})
        return pulumi.Config("india-ai-infra")

    return configure


def test_load_reads_what_the_engine_hands_over(configured: Any) -> None:
    assert reading.load(configured(**minimal(retentionDays=400)), check_offered).retention_days == 400


def test_load_sees_a_mistyped_name(configured: Any) -> None:
    with pytest.raises(SettingsError) as refused:
        reading.load(configured(**minimal(), ownr="x", budgt={"monthlyInr": 1}))
    near = {problem.path: problem.nearest for problem in refused.value.problems}
    assert near == {"ownr": "owner", "budgt": "budget"}


BLOCK = "cr-0123456789abcdef0"


@pytest.mark.parametrize(
    ("pool", "setting", "says"),
    [
        (
            {"purchase": "spot", "capacityReservation": BLOCK},
            "capacityReservation",
            "only with purchase: reserved",
        ),
        ({"purchase": "capacity-block"}, "capacityReservation", "what purchase: capacity-block takes from"),
        ({"purchase": ["reserved", "spot"]}, "capacityReservation", "what purchase: reserved takes from"),
        (
            {"purchase": "capacity-block", "capacityReservation": "block"},
            "capacityReservation",
            "cr- and hex",
        ),
        (
            {"purchase": "capacity-block", "capacityReservation": BLOCK},
            "zone",
            "the zone of the capacity block",
        ),
        (
            {"purchase": "capacity-block", "capacityReservation": BLOCK, "zone": "aps1-az9"},
            "zone",
            "where p5.48xlarge is: aps1-az1, aps1-az2, aps1-az3",
        ),
        (
            {"purchase": "reserved", "capacityReservation": BLOCK, "fabric": "efa"},
            "zone",
            "the zone of the capacity block or reservation",
        ),
        ({"zone": "aps1-az1"}, "zone", "only with a fabric"),
        (
            {"gpu": "A100", "purchase": ["spot", "on-demand"], "minSpotSaving": 0.99},
            "purchase",
            "less than 99%",
        ),
        ({"minGpuMemoryGib": 80}, "minGpuMemoryGib", "gpu or minGpuMemoryGib, one of the two"),
        ({"gpu": None}, "minGpuMemoryGib", "gpu or minGpuMemoryGib, one of the two"),
        ({"gpu": "A100", "minSpotSaving": 0.99}, "purchase", "less than 99%"),
        ({"elastic": True}, "elastic", "only with a fabric"),
        ({"elastic": True, "fabric": "efa", "minNodes": 1}, "minNodes", "other pools grow from zero"),
        ({"minSpotSaving": 1}, "minSpotSaving", "less than 1"),
        ({"hoursLostPerReclaim": -1}, "hoursLostPerReclaim", "0"),
        ({"expectedNodes": -1}, "expectedNodes", "0"),
    ],
)
def test_a_pool_that_cannot_be_bought_so(pool: dict[str, Any], setting: str, says: str) -> None:
    whole = {"name": "a", "gpu": "H100", "gpusPerNode": 8, "maxNodes": 1, **pool}
    found = problems(with_pools({key: value for key, value in whole.items() if value is not None}))
    assert set(found) == {f"aws.cluster.pools[0].{setting}"}
    assert says in found[f"aws.cluster.pools[0].{setting}"].allowed


def test_pools_that_are_bought_in_unusual_ways() -> None:
    bought = {"purchase": "capacity-block", "capacityReservation": BLOCK, "zone": "aps1-az2"}
    read = reading.parse(
        with_pools(
            {"name": "block", "gpu": "H100", "gpusPerNode": 8, "maxNodes": 1, **bought},
            {"name": "thrifty", "gpu": "A100", "gpusPerNode": 8, "maxNodes": 1, "minSpotSaving": 0},
            {"name": "any", "minGpuMemoryGib": 40, "maxNodes": 1, "expectedNodes": 0.5},
        ),
        check_offered,
    )
    assert read.aws
    assert [pool.static for pool in read.aws.cluster.pools] == [True, False, False]


CHAINS = st.lists(st.sampled_from([*PURCHASES, "sport", "on_demand", "reserve"]), max_size=5)


@given(CHAINS, st.booleans(), st.sampled_from(["", "placementGroup", "fabric"]))
def test_a_chain_is_right_or_its_nearest_leads_to_one_that_is(
    chain: list[str], google: bool, together: str
) -> None:
    """What is refused is refused once, at `purchase`, and whoever follows the nearest values gets there."""
    pool = {"name": "a", "gpu": "H100", "gpusPerNode": 8, "maxNodes": 2, "minSpotSaving": 0}
    pool |= {"placementGroup": True} if together == "placementGroup" else {}
    pool |= {"fabric": "tcpx" if google else "efa"} if together == "fabric" else {}
    path = f"{'gcp' if google else 'aws'}.cluster.pools[0].purchase"
    for _ in range(len(PURCHASES)):
        takes = {"reserved", "capacity-block"} & set(chain)
        held = {"capacityReservation": "held" if google else BLOCK} if takes else {}
        stands = together or "capacity-block" in chain
        held |= {"zone": "asia-south1-c" if google else "aps1-az1"} if takes and stands else {}
        asked = {**pool, **held, "purchase": chain}
        values = google_pools(asked) if google else with_pools(asked)
        try:
            read = reading.parse(values, check_offered)
        except SettingsError as refused:
            (problem,) = (one for one in refused.problems if "pools[0].purchase" in one.path)
            assert problem.path == path and problem.nearest
            chain = [purchase for purchase in problem.nearest.strip("[]").split(", ") if purchase]
            continue
        cloud = read.gcp if google else read.aws
        assert cloud
        bought = cloud.cluster.pools[0].purchase
        assert list(bought) == chain
        assert len(bought) == 1 or not (stands or "capacity-block" in bought)
        if not google:
            assert "flex-start" not in bought
            assert len(bought) == 1 or list(bought) == sorted(bought, key=PURCHASES.index)
        return
    raise AssertionError(f"still wrong: {chain}")


@pytest.mark.parametrize(
    ("purchase", "nearest"),
    [
        ("sport", "spot"),
        ([], "spot"),
        (None, "spot"),
        (["spot", "spot"], "spot"),
        (["spot", "on-demnd"], "[spot, on-demand]"),
        (["on-demand", "spot"], "[spot, on-demand]"),
        (["spot", "flex-start", "on-demand"], "[spot, on-demand]"),
        ("flex-start", "spot"),
        (["capacity-block", "spot"], "[reserved, spot]"),
    ],
)
def test_a_chain_that_aws_cannot_have(purchase: Any, nearest: str) -> None:
    found = problems(with_pools({"name": "a", "gpu": "L4", "maxNodes": 1, "purchase": purchase}))
    assert found["aws.cluster.pools[0].purchase"].nearest == nearest


@pytest.mark.parametrize("together", [{"placementGroup": True}, {"fabric": "efa"}])
def test_a_pool_that_stands_has_one_way(together: dict[str, Any]) -> None:
    pool = {"name": "a", "gpu": "H100", "gpusPerNode": 8, "maxNodes": 1, **together}
    found = problems(with_pools({**pool, "purchase": ["spot", "on-demand"]}))
    assert found["aws.cluster.pools[0].purchase"].nearest == "spot"
    if "fabric" in together:
        reading.parse(with_pools({**pool, "elastic": True, "purchase": ["spot", "on-demand"]}), check_offered)


@pytest.mark.parametrize(
    ("pool", "setting", "nearest"),
    [
        ({"purchase": "spot", "maxRunHours": 24}, "maxRunHours", None),
        ({"purchase": "flex-start", "maxRunHours": 169}, "maxRunHours", None),
        ({"purchase": "flex-start", "placementGroup": True}, "purchase", "spot"),
        ({"purchase": "reserved", "capacityReservation": "Held 1"}, "capacityReservation", "held-1"),
        ({"purchase": ["spot", "capacity-block"]}, "purchase", "[spot, reserved]"),
    ],
)
def test_a_way_that_google_has_not(pool: dict[str, Any], setting: str, nearest: str | None) -> None:
    found = problems(google_pools({"name": "a", "gpu": "L4", "gpusPerNode": 1, "maxNodes": 1, **pool}))
    assert found[f"gcp.cluster.pools[0].{setting}"].nearest == nearest


@pytest.mark.parametrize(
    ("pool", "nearest"),
    [
        ({"gpu": "H200", "gpusPerNode": 8, "purchase": "on-demand"}, "spot"),
        ({"gpu": "H200", "gpusPerNode": 8, "purchase": ["spot", "on-demand"]}, "[spot, flex-start]"),
        (
            {"gpu": "H200", "gpusPerNode": 8, "fabric": "rdma", "elastic": True, "purchase": ["spot", "on-demand"]},
            "[spot, flex-start]",
        ),
        (
            {"gpu": "H100", "gpusPerNode": 2, "purchase": ["reserved", "spot"], "capacityReservation": "held"},
            "[spot, flex-start]",
        ),
    ],
)  # fmt: skip
def test_a_machine_is_bought_as_google_sells_it(pool: dict[str, Any], nearest: str) -> None:
    asked = {"name": "a", "maxNodes": 1, **pool}
    problem = problems(google_pools(asked))["gcp.cluster.pools[0].purchase"]
    assert problem.nearest == nearest
    chain = nearest.strip("[]").split(", ")
    held = {} if "reserved" in chain else {"capacityReservation": None}
    reading.parse(google_pools({**asked, **held, "purchase": chain}), check_offered)


@pytest.mark.parametrize("fabric", ["tcpx", "rdma"])
def test_flex_start_has_a_fabric_only_in_a_pool_that_grows_from_zero(fabric: str) -> None:
    gpu = {"tcpx": "H100", "rdma": "H200"}[fabric]
    pool = {
        "name": "a",
        "gpu": gpu,
        "gpusPerNode": 8,
        "maxNodes": 2,
        "fabric": fabric,
        "purchase": "flex-start",
    }
    reading.parse(google_pools({**pool, "elastic": True}), check_offered)
    assert "elastic" in problems(google_pools(pool))["gcp.cluster.pools[0].purchase"].allowed


def test_the_node_pools_of_a_chain_are_no_other_pools() -> None:
    chain = {"name": "a", "gpu": "L4", "maxNodes": 1, "purchase": ["spot", "on-demand"]}
    other = {"name": "a-spot", "gpu": "L4", "maxNodes": 1}
    for pools in ((chain, other), (other, chain)):
        found = problems(google_pools(*pools))
        assert list(found) == ["gcp.cluster.pools[1].name"]
        assert "gcp.cluster.pools[0] has" in found["gcp.cluster.pools[1].name"].allowed


def test_google_follows_any_order() -> None:
    chain = ["flex-start", "on-demand", "spot", "reserved"]
    pool = {"name": "a", "gpu": "L4", "maxNodes": 1, "purchase": chain, "capacityReservation": "held"}
    read = reading.parse(google_pools({**pool, "maxRunHours": 24}), check_offered)
    assert read.gcp
    assert list(read.gcp.cluster.pools[0].purchase) == chain


def test_one_mistake_is_not_told_twice() -> None:
    pool = {"name": "a", "gpu": "L4", "maxNodes": 1, "purchase": "spott", "expectedNodes": 1}
    assert set(problems(with_pools(pool))) == {"aws.cluster.pools[0].purchase"}


def test_a_replica_is_in_the_other_region() -> None:
    found = problems(minimal(aws={"region": "ap-south-1", "replica": {"region": "ap-south-1"}}))
    assert found["aws.replica"].nearest == "ap-south-2"
    found = problems(minimal(aws={"region": "ap-south-1", "replica": {"region": "eu-west-1"}}))
    assert "data stays in India" in found["aws.replica.region"].allowed


GOOGLE: dict[str, Any] = {"project": "team-project", "region": "asia-south1"}


def on_google(**gcp: Any) -> dict[str, Any]:
    values = minimal(gcp=GOOGLE | gcp)
    del values["aws"]
    return values


def google_pools(*pools: dict[str, Any], **over: Any) -> dict[str, Any]:
    return on_google(cluster={"pools": list(pools)}) | over


def test_google_alone_is_enough() -> None:
    read = reading.parse(on_google(), check_offered)
    assert read.aws is None
    assert read.gcp
    assert read.gcp.cluster.version == "1.35"
    assert read.gcp.protect_data


@pytest.mark.parametrize("cloud", ["aws", "gcp"])
def test_what_the_engine_gives_for_a_cloud_that_is_not_written_is_none(cloud: str) -> None:
    """Pulumi.yaml gives both clouds `{}`, or the engine would ask for them."""
    values = (minimal() if cloud == "gcp" else on_google()) | {cloud: {}}
    assert getattr(reading.parse(values, check_offered), cloud) is None
    schema = yaml.safe_load((PROJECT / "Pulumi.yaml").read_text())["config"]
    assert schema[cloud]["default"] == {}


def test_neither_cloud_is_one_mistake() -> None:
    assert list(problems(minimal(aws={}, gcp={}))) == ["aws"]


def test_two_clouds_in_one_stack() -> None:
    values = of_stack("prod") | {
        "gcp": {
            **GOOGLE,
            "cluster": {
                "access": {"jumpHost": True},
                "pools": [
                    {"name": "delhi", "gpu": "H100", "gpusPerNode": 8, "fabric": "tcpx", "maxNodes": 2}
                ],
            },
        }
    }
    values["workloads"] = {"training": {"pool": "delhi", "image": IMAGE, "nodes": 2, "gpusPerNode": 8}}
    read = reading.parse(values, check_offered)
    assert read.aws and read.gcp
    assert reading.parse(json.loads(read.model_dump_json(by_alias=True)), check_offered) == read


@pytest.mark.parametrize(
    ("gcp", "path", "nearest"),
    [
        ({"project": "Team Project"}, "project", "team-project"),
        ({"region": "asia-southeast1"}, "region", "asia-south1"),
        ({"cluster": {"version": "1.29"}}, "cluster.version", "1.35"),
        ({"cluster": {"version": 1.35}}, "cluster.version", '"1.35"'),
        (
            {"cluster": {"system": {"machineType": "e2-standrd-4"}}},
            "cluster.system.machineType",
            "e2-standard-4",
        ),
        ({"cluster": {"system": {"machineType": "g2-standard-4"}}}, "cluster.system.machineType", None),
        ({"network": {"flowLogDays": 90}}, "network.flowLogDays", None),
        ({"network": {"podsCidr": "10.68.0.0/22"}}, "network.podsCidr", "10.68.0.0/20"),
        ({"network": {"cidr": "10.64.0.0/12"}}, "network.cidr", "10.64.0.0/16"),
        ({"access": {"auditors": ["audit@example.in"]}}, "access.auditors[0]", "group:audit@example.in"),
        ({"access": {"auditors": ["allUsers"]}}, "access.auditors[0]", None),
        ({"access": {"mlEngineers": ["serviceAccount:a@b.in"]}}, "access.mlEngineers[0]", "group:a@b.in"),
        ({"audit": {"alertEmails": ["nobody"]}}, "audit.alertEmails[0]", None),
        ({"org": {"folder": "1234"}}, "org.folder", "folders/1234"),
        ({"lake": {"dualRegoin": True}}, "lake.dualRegoin", "dualRegion"),
    ],
)
def test_a_wrong_setting_of_google(gcp: dict[str, Any], path: str, nearest: str | None) -> None:
    found = problems(on_google(**gcp))
    assert list(found) == [f"gcp.{path}"]
    if nearest:
        assert found[f"gcp.{path}"].nearest == nearest


@pytest.mark.parametrize(
    ("pool", "setting", "nearest"),
    [
        ({"gpu": "H100", "gpusPerNode": 8, "fabric": "efa", "maxNodes": 1}, "fabric", "tcpx"),
        ({"gpu": "H200", "gpusPerNode": 8, "fabric": "efa", "maxNodes": 1}, "fabric", "rdma"),
        (
            {"gpu": "H100", "gpusPerNode": 8, "fabric": "rdma", "maxNodes": 1},
            "fabric",
            "H100 has tcpx with 8 a node",
        ),
        ({"gpu": "l4", "maxNodes": 1}, "gpu", "L4"),
        ({"gpu": "L4", "maxNodes": 1, "name": "4gpus"}, "name", "pool-4gpus"),
        ({"gpu": "L4", "maxNodes": 1, "name": "a" * 30}, "name", "a" * 29),
        (
            {"gpu": "A100", "gpusPerNode": 8, "maxNodes": 1},
            "gpu",
            "A100 is in ap-south-1 (aps1-az1, aps1-az2, aps1-az3)",
        ),
        ({"gpu": "L4", "maxNodes": 1, "purchase": "capacity-block"}, "purchase", "on-demand"),
        (
            {"gpu": "H100", "gpusPerNode": 8, "fabric": "tcpx", "maxNodes": 1, "zone": "asia-south1-a"},
            "zone",
            "asia-south1-c",
        ),
    ],
)
def test_a_wrong_pool_on_google(pool: dict[str, Any], setting: str, nearest: str) -> None:
    found = problems(google_pools({"name": "pool", **pool}))
    assert f"gcp.cluster.pools[0].{setting}" in found
    assert found[f"gcp.cluster.pools[0].{setting}"].nearest == nearest


@pytest.mark.parametrize("fabric", ["tcpx", "rdma"])
def test_the_fabrics_of_google_are_not_of_aws(fabric: str) -> None:
    values = with_pools({"name": "a", "gpu": "H100", "gpusPerNode": 8, "fabric": fabric, "maxNodes": 1})
    found = problems(values)
    assert list(found) == ["aws.cluster.pools[0].fabric"]
    assert found["aws.cluster.pools[0].fabric"].nearest == "efa"


def test_pools_have_names_of_their_own_across_clouds() -> None:
    pool = {"name": "a", "gpu": "L4", "maxNodes": 1}
    values = with_pools(pool, gcp=GOOGLE | {"cluster": {"pools": [pool]}})
    found = problems(values)
    assert list(found) == ["gcp.cluster.pools[0].name"]
    assert "aws.cluster.pools[0]" in found["gcp.cluster.pools[0].name"].allowed


def test_a_workload_finds_its_pool_in_either_cloud() -> None:
    there = {"cluster": {"pools": [{"name": "there", "gpu": "L4", "gpusPerNode": 4, "maxNodes": 2}]}}
    here = {"name": "here", "gpu": "L4", "maxNodes": 1}
    train = {"pool": "there", "image": IMAGE, "nodes": 2, "gpusPerNode": 4}
    reading.parse(with_pools(here, gcp=GOOGLE | there, workloads={"training": train}), check_offered)
    found = problems(with_pools(here, gcp=GOOGLE | there, workloads={"training": {**train, "pool": "ther"}}))
    assert found["workloads.training.pool"].nearest == "there"
    assert found["workloads.training.pool"].allowed == (
        "a pool of aws.cluster.pools or gcp.cluster.pools: here, there"
    )


@pytest.mark.parametrize(
    ("aws", "gcp", "path", "nearest"),
    [
        ("10.64.0.0/16", {}, "network.cidr", "10.0.0.0/20"),
        ("10.0.0.0/16", {"cidr": "10.0.16.0/20"}, "network.cidr", "10.1.0.0/20"),
        ("10.0.0.0/16", {"podsCidr": "10.0.0.0/14"}, "network.podsCidr", "10.4.0.0/14"),
        (
            "10.0.0.0/16",
            {"cidr": "10.64.0.0/20", "servicesCidr": "10.64.0.0/20"},
            "network.servicesCidr",
            "10.1.0.0/20",
        ),
    ],
)
def test_networks_overlap_nowhere(aws: str, gcp: dict[str, str], path: str, nearest: str) -> None:
    def values(network: dict[str, str]) -> dict[str, Any]:
        return minimal(
            aws={"region": "ap-south-1", "network": {"cidr": aws}}, gcp=GOOGLE | {"network": network}
        )

    found = problems(values(gcp))
    assert f"gcp.{path}" in found
    mended = dict(gcp)
    for problem in found.values():
        assert problem.nearest
        mended[problem.path.rpartition(".")[2]] = problem.nearest
    reading.parse(values(mended), check_offered)
    assert found[f"gcp.{path}"].nearest == nearest


def test_the_networks_of_a_fabric_have_their_addresses() -> None:
    tcpx = {"name": "a", "gpu": "H100", "gpusPerNode": 8, "fabric": "tcpx", "maxNodes": 1}
    network = {"cidr": "192.168.0.0/20"}
    found = problems(on_google(network=network, cluster={"pools": [tcpx]}))
    assert "192.168.0.0/16" in found["gcp.network.cidr"].allowed
    reading.parse(on_google(network=network), check_offered)


GOOGLE_PLACES = (
    ("gcp",),
    ("gcp", "project"),
    ("gcp", "region"),
    ("gcp", "network"),
    ("gcp", "network", "podsCidr"),
    ("gcp", "cluster"),
    ("gcp", "cluster", "system"),
    ("gcp", "cluster", "pools"),
    ("gcp", "access"),
    ("gcp", "org"),
    ("gcp", "lake"),
)


@given(st.sampled_from(GOOGLE_PLACES), JSON)
def test_whatever_is_written_of_google_is_read_or_refused_by_its_path(
    place: tuple[str, ...], junk: Any
) -> None:
    values = minimal(gcp=GOOGLE | {"network": {}, "cluster": {"system": {}}})
    inner = values
    for step in place[:-1]:
        inner = inner[step] = dict(inner[step])
    inner[place[-1]] = junk
    try:
        reading.parse(values, check_offered)
    except SettingsError as refused:
        assert refused.problems
        for problem in refused.problems:
            assert problem.path.startswith(".".join(place))


PROOF = {"image": "registry.in/proof:1", "dcgmImage": "registry.in/dcgm:4"}


def with_proof(pools: list[dict[str, Any]], **proof: Any) -> dict[str, Any]:
    return with_pools(*pools, workloads={"proof": {**PROOF, **proof}})


EFA = {"name": "train", "gpu": "H100", "gpusPerNode": 8, "fabric": "efa"}


def test_a_proof_without_a_fabric_is_of_the_lake_alone() -> None:
    said = reading.parse(
        with_proof([{"name": "serve", "gpu": "L4", "maxNodes": 1}]), check_offered, check_floors
    )
    assert said.workloads.proof and said.workloads.proof.nodes == 2


def test_a_proof_takes_no_more_nodes_than_the_smallest_fabric_has() -> None:
    pools = [{**EFA, "maxNodes": 4}, {**EFA, "name": "big", "maxNodes": 8}]
    problem = problems(with_proof(pools, nodes=6))["workloads.proof.nodes"]
    assert (problem.given, problem.nearest) == ("6", "4")
    assert "pool train" in problem.allowed
    lone = problems(with_proof([{**EFA, "maxNodes": 1}]))["workloads.proof.nodes"]
    assert lone.nearest is None, "one node proves nothing"
    assert "workloads.proof.nodes" in problems(with_proof([{**EFA, "maxNodes": 2}], nodes=1))


def test_a_floor_is_known_or_given() -> None:
    pools = [{"name": "train", "gpu": "L40S", "gpusPerNode": 8, "fabric": "efa", "maxNodes": 2}]
    with pytest.raises(SettingsError) as refused:
        reading.parse(with_proof(pools), check_floors)
    (problem,) = refused.value.problems
    assert problem.path == "workloads.proof.floorGbs.train" and "L40S on efa" in problem.allowed
    assert reading.parse(with_proof(pools, floorGbs={"train": 20}), check_floors)
    by_memory = [{**pools[0], "gpu": None, "minGpuMemoryGib": 40}]
    with pytest.raises(SettingsError, match=r"no floor is known for .+ on efa"):
        reading.parse(with_proof(by_memory), check_floors)
    other = problems(with_proof(pools, floorGbs={"trian": 20}))["workloads.proof.floorGbs"]
    assert (other.given, other.nearest) == ("trian", "train")


@pytest.mark.parametrize(
    ("given", "valid", "expected"),
    [
        ("A100-80GB", ["A10G", "A100", "H100"], "A100"),
        ("nvidia a100", ["A10G", "A100"], "A100"),
        ("NVIDIA_H200_141GB", ["H100", "H200"], "H200"),
        ("h100", ["A100", "H100"], "H100"),
        ("A10", ["A10G", "A100"], "A10G"),
        ("on demand", ["spot", "on-demand"], "on-demand"),
        ("", ["spot"], None),
        ("--", ["spot"], None),
    ],
)
def test_a_value_in_more_words_is_nearest_to_the_one_that_it_holds(
    given: str, valid: list[str], expected: str | None
) -> None:
    assert nearest(given, valid) == expected
