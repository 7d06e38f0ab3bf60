"""Programs run against a mocked engine, which records all that they register."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import json
import pickle
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ParamSpec

import grpc
import pulumi
import pytest
from botocore.loaders import JSONFileLoader
from pulumi.runtime import mocks, resource, rpc
from pulumi.runtime.proto import source_pb2

ACCOUNT = "111122223333"
REGION = "ap-south-1"
GOOGLE_PROJECT, GOOGLE_NUMBER = "unit-project", "123456789012"
COMPUTE = "https://www.googleapis.com/compute/v1"
ZONES = {"aps1-az1": "ap-south-1c", "aps1-az2": "ap-south-1a", "aps1-az3": "ap-south-1b"}


def pytest_configure(config: pytest.Config) -> None:
    # pulumi_aws warns of its own old classes whenever a module of it is first imported; a deprecated argument is ours.
    config.addinivalue_line("filterwarnings", "ignore:.* has been deprecated in favor of:DeprecationWarning")
    for cloud in ("pulumi_aws", "pulumi_gcp"):
        config.addinivalue_line("filterwarnings", f"error:.* is deprecated:DeprecationWarning:{cloud}")


@pytest.fixture(scope="session", autouse=True)
def models_once() -> Iterator[None]:
    """AWS's models of its APIs are parsed once a session, and not by each of its many botocore sessions. Each still has
    its own copy, for moto writes into them."""
    load = functools.partial(JSONFileLoader.load_file, JSONFileLoader())
    parsed = functools.cache(lambda path: pickle.dumps(load(path)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", lambda _loader, path: pickle.loads(parsed(path)))
        yield


@pytest.fixture(scope="session", autouse=True)
def no_source_positions() -> Iterator[None]:
    """The SDK tells the engine the whole stack of calls with each resource, a tenth of the time; mocks drop it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resource, "_get_stack_trace", source_pb2.StackTrace)
        yield


Outputs = Mapping[str, Any] | Callable[[dict[str, Any]], Mapping[str, Any]]


@dataclass(frozen=True)
class Registered:
    """A resource as it was given to the engine. `inputs` have their names of the wire, in camelCase."""

    type: str
    name: str
    urn: str
    inputs: dict[str, Any]
    parent: str
    depends_on: frozenset[str]
    provider: str
    protect: bool
    deleted_with: str
    delete_before_replace: bool = False
    aliases: tuple[str, ...] = ()
    """URNs by which a state may have it."""
    ignore_changes: tuple[str, ...] = ()

    def policy(self, key: str = "policy") -> dict[str, dict[str, Any]]:
        """The statements of a policy document, by Sid."""
        statements = json.loads(self.inputs[key])["Statement"]
        by_sid = {statement["Sid"]: statement for statement in statements}
        assert len(by_sid) == len(statements), "two statements share a Sid"
        return by_sid


@dataclass
class Recorder(mocks.Mocks):
    """What a program registered, asked and returned. `outputs` adds to what mocked resources and functions answer, by
    their token."""

    outputs: Mapping[str, Outputs] = field(default_factory=dict)
    resources: list[Registered] = field(default_factory=list)
    invokes: list[mocks.MockCallArgs] = field(default_factory=list)
    result: Any = None

    def of(self, type_: str) -> dict[str, Registered]:
        """Resources whose type ends in `type_` (`ec2/vpc:Vpc`), by logical name."""
        return {found.name: found for found in self.resources if found.type.endswith(type_)}

    def one(self, type_: str, name: str | None = None) -> Registered:
        """The only resource of a type, or the one called `name`."""
        found = self.of(type_)
        if name is None:
            assert len(found) == 1, f"{type_}: {sorted(found)}"
            return next(iter(found.values()))
        assert name in found, f"{type_}: {sorted(found)}"
        return found[name]

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        made = _made(args)
        extra = self.outputs.get(args.typ, {})
        made |= extra(args.inputs) if callable(extra) else extra
        return made["id"], made

    def call(self, args: mocks.MockCallArgs) -> dict[str, Any]:  # type: ignore[override]
        self.invokes.append(args)
        extra = self.outputs.get(args.token, {})
        return {**_ANSWERS[args.token](args.args), **(extra(args.args) if callable(extra) else extra)}


class _Monitor(mocks.MockMonitor):
    """Keeps what `MockResourceArgs` leaves out: parents, dependencies, options."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(recorder)
        self.recorder = recorder
        self.aliases: dict[str, tuple[str, ...]] = {}

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """As the engine makes them, with the types of all ancestors; the SDK's own mocks know only the parent's."""
        ancestors = parent.split("::")[2] if parent else ""
        above = f"{ancestors}$" if ancestors and ancestors != "pulumi:pulumi:Stack" else ""
        return f"urn:pulumi:{pulumi.get_stack()}::{pulumi.get_project()}::{above}{type_}::{name}"

    def alias_urns(self, request: Any) -> Iterator[str]:
        """The URNs of its own aliases, and those under its parent's: the engine knows children by these as well."""
        for alias in request.aliases:
            spec = alias.spec
            parent = "" if spec.noParent else spec.parentUrn or request.parent
            yield alias.urn or self.make_urn(parent, spec.type or request.type, spec.name or request.name)
        above = request.parent.rpartition("::")[2]
        for parent in self.aliases.get(request.parent, ()):
            own = request.name.startswith(above)
            name = parent.rpartition("::")[2] + request.name.removeprefix(above) if own else request.name
            yield self.make_urn(parent, request.type, name)

    def RegisterResource(self, request: Any) -> Any:
        answer = super().RegisterResource(request)
        self.aliases[answer.urn] = tuple(self.alias_urns(request))
        if request.type != "pulumi:pulumi:Stack":
            self.recorder.resources.append(
                Registered(
                    type=request.type,
                    name=request.name,
                    urn=answer.urn,
                    inputs=rpc.deserialize_properties(request.object),
                    parent=request.parent,
                    depends_on=frozenset(request.dependencies),
                    provider=request.provider,
                    protect=request.protect,
                    deleted_with=request.deletedWith,
                    delete_before_replace=request.deleteBeforeReplace,
                    aliases=self.aliases[answer.urn],
                    ignore_changes=tuple(request.ignoreChanges),
                )
            )
        return answer


Deploy = Callable[..., Recorder]


P = ParamSpec("P")


def once(run: Callable[P, Recorder]) -> Callable[P, Recorder]:
    """Runs a program once for the same arguments; nobody writes into what was recorded."""
    kept: dict[str, Recorder] = {}

    def again(*args: P.args, **more: P.kwargs) -> Recorder:
        key = repr((args, sorted(more.items())))
        if key not in kept:
            kept[key] = run(*args, **more)
        return kept[key]

    return again


# One loop for all: each holds three open files, and the recorded outputs keep it.
_LOOP = asyncio.new_event_loop()


def on_mocks(
    program: Callable[[], Any],
    *,
    outputs: Mapping[str, Outputs] | None = None,
    preview: bool = False,
    stack: str = "unit",
) -> Recorder:
    """Runs a program against mocks. What it returns, with its outputs resolved, is `result`."""
    recorder = Recorder(outputs or {})
    # `asyncio.run` of an earlier test leaves its thread without a loop, and the SDK asks for that of the thread.
    asyncio.set_event_loop(_LOOP)
    pulumi.runtime.settings.ROOT.set(None)  # a program's transformations end with it
    monitor = _Monitor(recorder)
    mocks.set_mocks(recorder, project="india-ai-infra", stack=stack, preview=preview, monitor=monitor)

    def keep(value: Any) -> None:
        recorder.result = value

    pulumi.runtime.test(lambda: pulumi.Output.from_input(program()).apply(keep, run_with_unknowns=True))()
    return recorder


@pytest.fixture(scope="session")
def deploy() -> Iterator[Deploy]:
    """Runs a program against mocks: `deploy(program).of("s3/bucket:Bucket")`."""
    yield on_mocks
    _LOOP.close()


class _Refusal(grpc.RpcError):
    """What a provider answers to a function that it refuses."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self._words = words

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNKNOWN

    def details(self) -> str:
        return self._words


@pytest.fixture
def lacking(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str] | None]:
    """Zones, by endpoint service, that lack it; None where the whole region does not know the service."""
    token = "aws:ec2/getVpcEndpointService:getVpcEndpointService"
    out: dict[str, set[str] | None] = {}
    offered = _ANSWERS[token]

    def answer(asked: dict[str, Any]) -> dict[str, Any]:
        told = offered(asked)
        zones = out.get(asked["service"], set())
        if zones is None:
            raise _Refusal("reading EC2 VPC Endpoint Services: no matching EC2 VPC Endpoint Service found")
        return {
            **told,
            "availabilityZones": [zone for zone in told["availabilityZones"] if zone not in zones],
        }

    monkeypatch.setitem(_ANSWERS, token, answer)
    return out


@pytest.fixture(scope="session")
def account_id() -> str:
    """The account that mocked resources are in."""
    return ACCOUNT


def _hex(text: str, length: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def _made(args: mocks.MockResourceArgs) -> dict[str, Any]:
    """Outputs in the form that AWS gives them, as far as programs look at them."""
    name = args.inputs.get("name") or f"{args.name}-{_hex(args.name, 7)}"
    service, kind = args.typ.split(":")[1].split("/") if args.typ.startswith("aws:") else ("", "")
    arn = f"arn:aws:{service}:{REGION}:{ACCOUNT}:{kind}/{name}"
    made = {"name": name, "id": f"{kind}-{_hex(args.name, 17)}", "arn": arn, **args.inputs}
    return made | _PARTICULARS.get(args.typ, lambda _name, _inputs: {})(name, args.inputs)


def _bucket(name: str, inputs: dict[str, Any]) -> dict[str, Any]:
    bucket = inputs.get("bucket") or name
    return {"id": bucket, "bucket": bucket, "arn": f"arn:aws:s3:::{bucket}"}


def _key(name: str, _inputs: dict[str, Any]) -> dict[str, Any]:
    key = f"{_hex(name, 8)}-0000-4000-8000-{_hex(name, 12)}"
    return {"id": key, "keyId": key, "arn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{key}"}


def _google(path: str) -> Callable[[str, dict[str, Any]], dict[str, Any]]:
    """What Google's resources are known by, made of their inputs."""

    def made(name: str, inputs: dict[str, Any]) -> dict[str, Any]:
        place = {"project": GOOGLE_PROJECT, "region": "asia-south1", **inputs}
        return {"id": path.format(name=name, **{key: place[key] for key in ("project", "region")})}

    return made


_PARTICULARS: dict[str, Callable[[str, dict[str, Any]], dict[str, Any]]] = {
    "aws:s3/bucket:Bucket": _bucket,
    "aws:kms/key:Key": _key,
    "aws:iam/role:Role": lambda name, _: {"id": name, "arn": f"arn:aws:iam::{ACCOUNT}:role/{name}"},
    "aws:ec2/eip:Eip": lambda name, _: {"allocationId": f"eipalloc-{_hex(name, 17)}"},
    "aws:ec2/subnet:Subnet": lambda name, given: {
        "id": f"subnet-{_hex(name, 17)}",
        "availabilityZone": ZONES.get(given.get("availabilityZoneId", ""), ""),
    },
    "aws:ec2/securityGroup:SecurityGroup": lambda name, _: {"id": f"sg-{_hex(name, 17)}"},
    "aws:sns/topic:Topic": lambda name, _: {"arn": f"arn:aws:sns:{REGION}:{ACCOUNT}:{name}"},
    "aws:cloudwatch/logGroup:LogGroup": lambda name, _: {
        "id": name,
        "arn": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}",
    },
    "gcp:compute/network:Network": _google("projects/{project}/global/networks/{name}"),
    "gcp:compute/subnetwork:Subnetwork": _google("projects/{project}/regions/{region}/subnetworks/{name}"),
    "random:index/randomId:RandomId": lambda _name, _: {"hex": "a1b2c3"},
    "gcp:pubsub/topic:Topic": _google("projects/{project}/topics/{name}"),
    "gcp:container/cluster:Cluster": lambda name, _: {
        "endpoint": "10.64.0.2",
        "masterAuth": {"clusterCaCertificate": "Q0E="},
        "selfLink": f"https://container.googleapis.com/v1/projects/{GOOGLE_PROJECT}/clusters/{name}",
    },
    "gcp:serviceaccount/account:Account": lambda _, given: {
        "email": f"{given['accountId']}@{GOOGLE_PROJECT}.iam.gserviceaccount.com"
    },
    "aws:cloudwatch/eventRule:EventRule": lambda name, _: {
        "arn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{name}"
    },
}


def _zones(asked: dict[str, Any]) -> dict[str, Any]:
    wanted = [value for narrowed in asked.get("filters") or [] for value in narrowed["values"]]
    found = {zone: name for zone, name in ZONES.items() if not wanted or zone in wanted}
    # AWS sorts by name, so the two lists are not in the order of the zone IDs.
    ids = sorted(found, key=found.__getitem__)
    return {"id": REGION, "zoneIds": ids, "names": [found[zone] for zone in ids], "groupNames": [REGION]}


# A VPC that exists already: a subnet for nodes in two zones, behind NAT, and one that faces the internet.
_EXISTING = {
    "subnet-0000000a": ("aps1-az1", "rtb-private"),
    "subnet-0000000b": ("aps1-az2", "rtb-private"),
    "subnet-0000000c": ("aps1-az3", "rtb-public"),
}
_WAYS_OUT = {"rtb-private": {"natGatewayId": "nat-1"}, "rtb-public": {"gatewayId": "igw-1"}}


def _subnet(asked: dict[str, Any]) -> dict[str, Any]:
    zone, _ = _EXISTING[asked["id"]]
    return {
        "id": asked["id"],
        "vpcId": "vpc-00000001",
        "availabilityZone": ZONES[zone],
        "availabilityZoneId": zone,
        "availableIpAddressCount": 4091,
        "cidrBlock": f"10.9.{int(asked['id'][-1], 16)}.0/24",
        "tags": {"karpenter.sh/discovery": "india-ai-infra-unit"},
    }


def _route_tables(asked: dict[str, Any]) -> dict[str, Any]:
    (narrowed,) = asked["filters"]
    (value,) = narrowed["values"]
    return {"ids": ["rtb-main"] if value == "true" else [_EXISTING[value][1]]}


def _route_table(asked: dict[str, Any]) -> dict[str, Any]:
    nothing = dict.fromkeys(("gatewayId", "natGatewayId", "transitGatewayId", "networkInterfaceId"), "")
    out = {"cidrBlock": "0.0.0.0/0", **nothing, **_WAYS_OUT[asked["routeTableId"]]}
    local = {"cidrBlock": "10.9.0.0/16", **nothing, "gatewayId": "local"}
    return {"routeTableId": asked["routeTableId"], "routes": [local, out]}


_ANSWERS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "aws:index/getAvailabilityZones:getAvailabilityZones": _zones,
    "aws:index/getCallerIdentity:getCallerIdentity": lambda _: {
        "id": ACCOUNT,
        "accountId": ACCOUNT,
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/india-ai-infra-deployer/unit",
        "userId": "AROAUNIT:unit",
    },
    "aws:iam/getSessionContext:getSessionContext": lambda asked: {
        "id": asked["arn"],
        "arn": asked["arn"],
        "issuerArn": f"arn:aws:iam::{ACCOUNT}:role/{asked['arn'].split('/')[1]}",
        "issuerId": "AROAUNIT",
        "issuerName": asked["arn"].split("/")[1],
        "sessionName": "unit",
    },
    "aws:ssm/getParameter:getParameter": lambda asked: {
        "id": asked["name"],
        "name": asked["name"],
        "value": "ami-0123456789abcdef0",
        "insecureValue": "ami-0123456789abcdef0",
        "arn": f"arn:aws:ssm:{REGION}::parameter{asked['name']}",
        "type": "String",
        "version": 1,
    },
    "aws:ec2/getVpcEndpointService:getVpcEndpointService": lambda asked: {
        "id": "1",
        "service": asked["service"],
        "availabilityZones": sorted(ZONES.values()),
    },
    "aws:eks/getClusters:getClusters": lambda asked: {"id": asked["region"], "names": []},
    "aws:eks/getAddonVersion:getAddonVersion": lambda asked: {
        "id": asked["addonName"],
        **asked,
        "version": f"v1.0.0-eksbuild.{asked['kubernetesVersion'].partition('.')[2]}",
    },
    "aws:ec2/getVpcs:getVpcs": lambda _: {"ids": ["vpc-00000001", "vpc-00000002"]},
    "aws:ec2/getVpc:getVpc": lambda asked: {
        "id": asked["id"],
        "cidrBlock": "10.9.0.0/16",
        "cidrBlockAssociations": [{"associationId": "a", "cidrBlock": "10.9.0.0/16", "state": "associated"}],
        "enableDnsSupport": True,
        "enableDnsHostnames": True,
    },
    "aws:ec2/getSubnets:getSubnets": lambda _: {"ids": list(_EXISTING)},
    "aws:ec2/getSubnet:getSubnet": _subnet,
    "aws:ec2/getRouteTables:getRouteTables": _route_tables,
    "aws:ec2/getRouteTable:getRouteTable": _route_table,
    "gcp:organizations/getProject:getProject": lambda asked: {
        "projectId": asked["projectId"],
        "number": GOOGLE_NUMBER,
    },
    "gcp:storage/getProjectServiceAccount:getProjectServiceAccount": lambda _: {
        "emailAddress": f"service-{GOOGLE_NUMBER}@gs-project-accounts.iam.gserviceaccount.com"
    },
    "gcp:logging/getProjectCmekSettings:getProjectCmekSettings": lambda _: {
        "serviceAccountId": f"cmek-p{GOOGLE_NUMBER}@gcp-sa-logging.iam.gserviceaccount.com"
    },
    "gcp:organizations/getClientOpenIdUserInfo:getClientOpenIdUserInfo": lambda _: {
        "id": "asha@example.in",
        "email": "asha@example.in",
    },
    "gcp:compute/getNetworks:getNetworks": lambda _: {"networks": ["default", "shared"]},
    "gcp:compute/getNetwork:getNetwork": lambda asked: {
        "id": f"projects/{asked['project']}/global/networks/{asked['name']}",
        "name": asked["name"],
    },
    "gcp:compute/getSubnetworks:getSubnetworks": lambda asked: {
        "subnetworks": [
            {"name": name, "network": f"{COMPUTE}/projects/{asked['project']}/global/networks/{network}"}
            for name, network in (("nodes", "shared"), ("others", "default"))
        ]
    },
    "gcp:compute/getSubnetwork:getSubnetwork": lambda asked: {
        "id": f"projects/{asked['project']}/regions/{asked['region']}/subnetworks/{asked['name']}",
        "name": asked["name"],
        "network": f"{COMPUTE}/projects/{asked['project']}/global/networks/shared",
        "region": asked["region"],
        "ipCidrRange": "10.30.0.0/20",
        "secondaryIpRanges": [
            {"rangeName": "pods", "ipCidrRange": "10.40.0.0/16"},
            {"rangeName": "services", "ipCidrRange": "10.41.0.0/20"},
        ],
        "privateIpGoogleAccess": True,
    },
    # S3's addresses, each region's own; here as documentation has them (RFC 5737).
    "aws:ec2/getPrefixList:getPrefixList": lambda asked: {
        "id": "pl-1",
        "name": asked["name"],
        "cidrBlocks": ["203.0.113.0/24"],
    },
    "aws:index/getRegion:getRegion": lambda _: {"id": REGION, "name": REGION, "region": REGION},
    "aws:index/getPartition:getPartition": lambda _: {
        "id": "aws",
        "partition": "aws",
        "dnsSuffix": "amazonaws.com",
        "reverseDnsPrefix": "com.amazonaws",
    },
}
