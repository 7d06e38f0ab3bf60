"""The kinds of value that settings are made of, each with its own check and the nearest valid value in its refusal."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Sequence
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator

from infra import geography
from infra.settings.errors import nearest, refuse

# CloudWatch Logs takes only these; those below a year are left out because Rule 6(1)(e) of the DPDP Rules asks for one.
LOG_RETENTION_DAYS = (365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)

PRIVATE_NETWORKS = tuple(map(ipaddress.IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
LARGEST_PREFIX = 16  # AWS allows no larger VPC
SMALLEST_PREFIX = 20  # in less, three zones have no room for pods
# EKS takes both for a site ("Prepare networking for hybrid nodes", EKS User Guide, read 2026-11), from /8 to /32.
CARRIER_NETWORK = ipaddress.IPv4Network("100.64.0.0/10")
SITE_NETWORKS = (*PRIVATE_NETWORKS, CARRIER_NETWORK)
SITE_NODE_MASK = 25  # each node's share of a site's pod networks, so that none may be smaller
LARGEST_PODS_PREFIX = 12  # GKE gives each node a /24 of its own, so pods take far more than nodes


def _dns_label(name: str) -> str:
    if re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", name):
        return name
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].strip("-")
    raise refuse("lower-case letters, digits and dashes, 40 at most", near=slug or None)


def _tag_value(text: str) -> str:
    if re.fullmatch(r"[\w .:/=+@-]{1,256}", text) and text.strip() == text:
        return text
    raise refuse("1 to 256 letters, digits, spaces and . : / = + - @ _ (it becomes a tag)")


def _region_of(cloud: geography.Cloud) -> Callable[[str], str]:
    def check(name: str) -> str:
        indian = geography.regions_of(cloud)
        if name in indian:
            return name
        cities = ", ".join(f"{known} ({geography.region(known).city})" for known in indian)
        raise refuse(f"{cities}: data stays in India", near=nearest(name, indian))

    return check


def _private_cidr(
    largest: int,
    smallest: int,
    fallback: str,
    within: Sequence[ipaddress.IPv4Network] = PRIVATE_NETWORKS,
) -> Callable[[str], str]:
    """A check for private IPv4 networks with a prefix from `largest` to `smallest`; `fallback` is one of them."""
    allowed = f"a private IPv4 network from /{largest} to /{smallest}"

    def check(text: str) -> str:
        try:
            network = ipaddress.IPv4Network(text, strict=False)
        except ValueError:
            raise refuse(allowed, near=fallback) from None
        if not any(network.subnet_of(private) for private in within):
            raise refuse(allowed, near=f"10.0.0.0/{min(max(network.prefixlen, largest), smallest)}")
        if network.prefixlen > smallest:
            raise refuse(allowed, near=str(network.supernet(new_prefix=smallest)))
        if network.prefixlen < largest:
            raise refuse(allowed, near=f"{network.network_address}/{largest}")
        if str(network) != text:
            raise refuse("a network whose host bits are zero", near=str(network))
        return text

    return check


def log_retention(days: int) -> int:
    """The retention that CloudWatch Logs takes for at least `days` days; 0, which is for ever, beyond its longest."""
    return next((allowed for allowed in LOG_RETENTION_DAYS if allowed >= days), 0)


def _log_retention(days: int) -> int:
    if days in LOG_RETENTION_DAYS:
        return days
    near = log_retention(days) or LOG_RETENTION_DAYS[-1]
    raise refuse(f"days, at least a year: {', '.join(map(str, LOG_RETENTION_DAYS))}", near=str(near))


def _principal_arn(arn: str) -> str:
    if re.fullmatch(r"arn:aws:iam::\d{12}:(role|user)/[\w+=,.@/-]+", arn):
        return arn
    raise refuse("the ARN of an IAM role or user: arn:aws:iam::<account>:role/<name>")


def _reaching_cidr(text: str) -> str:
    """A network that people or runners come from. The whole internet is none: it reaches no private endpoint."""
    allowed = "an IPv4 network of yours, from /8 to /32"
    try:
        network = ipaddress.IPv4Network(text, strict=False)
    except ValueError:
        raise refuse(allowed, near="10.1.0.0/16") from None
    if network.prefixlen < 8:
        raise refuse(f"{allowed}: this is no network of yours", near=f"{network.network_address}/8")
    if str(network) != text:
        raise refuse("a network whose host bits are zero", near=str(network))
    return text


def _prefixed_id(prefix: str, what: str) -> Callable[[str], str]:
    """A check for the ids of EC2: `prefix` and 8 or 17 hexadecimal digits."""

    def check(given: str) -> str:
        if re.fullmatch(rf"{prefix}-([0-9a-f]{{8}}|[0-9a-f]{{17}})", given):
            return given
        digits = re.fullmatch(r"([0-9a-f]{8}|[0-9a-f]{17})", given)
        near = f"{prefix}-{given}" if digits else None
        raise refuse(f"the id of {what}: {prefix}- and 8 or 17 hexadecimal digits", near=near)

    return check


def _google_path(collection: str, what: str) -> Callable[[str], str]:
    """A check for a name of Compute Engine, alone or by its path or self link; the link's host is left out."""
    place = r"global" if collection == "networks" else r"regions/[a-z0-9-]+"
    name = r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?"

    def check(given: str) -> str:
        path = re.sub(r"^https://[a-z.]+/compute/[a-z0-9]+/", "", given)
        if re.fullmatch(rf"(projects/[a-z0-9:.-]+/{place}/{collection}/)?{name}", path):
            return path
        slug = (
            re.sub(r"[^a-z0-9]+", "-", given.rpartition("/")[2].lower())
            .lstrip("-0123456789")[:63]
            .rstrip("-")
        )
        form = f"projects/<project>/{place.replace('[a-z0-9-]+', '<region>')}/{collection}/<name>"
        raise refuse(f"{what}: its name, {form}, or its self link", near=slug or None)

    return check


def _deployer(given: str) -> str:
    """An IAM role or user, whole or by what it is called in the stack's own account."""
    if re.fullmatch(r"(arn:aws:iam::\d{12}:)?(role|user)/[\w+=,.@/-]+", given):
        return given
    session = re.fullmatch(r"arn:aws:sts::\d{12}:assumed-role/([\w+=,.@-]+)/.*", given)
    name = session[1] if session else given if re.fullmatch(r"[\w+=,.@-]+", given) else None
    raise refuse(
        "an IAM role or user: role/<name> or user/<name> of the stack's account, or its ARN",
        near=f"role/{name}" if name else None,
    )


def _google_deployer(member: str) -> str:
    if re.fullmatch(r"(group|user|serviceAccount):[^@\s:]+@[^@\s:]+\.[^@\s:]+", member):
        return member
    if re.fullmatch(r"principal(Set)?://iam\.googleapis\.com/\S+", member):
        return member
    address = re.fullmatch(r"(?:\w+:)?([^@\s:]+@([^@\s:]+\.[^@\s:]+))", member)
    robot = address and address[2].endswith(".gserviceaccount.com")
    raise refuse(
        "group:, user: or serviceAccount:<name>@<domain>, or principalSet://iam.googleapis.com/…",
        near=f"{'serviceAccount' if robot else 'user'}:{address[1]}" if address else None,
    )


def _pull_secret(arn: str) -> str:
    if re.fullmatch(r"arn:aws:secretsmanager:[a-z0-9-]+:\d{12}:secret:ecr-pullthroughcache/[\w/+=.@-]+", arn):
        return arn
    raise refuse("the ARN of a secret that ECR may read: its name begins with ecr-pullthroughcache/")


def _iam_member(member: str) -> str:
    if re.fullmatch(r"(group|user):[^@\s:]+@[^@\s:]+\.[^@\s:]+", member):
        return member
    address = re.fullmatch(r"(?:\w+:)?([^@\s:]+@[^@\s:]+\.[^@\s:]+)", member)
    raise refuse(
        "group:<name>@<domain> or user:<name>@<domain>", near=f"group:{address[1]}" if address else None
    )


def _google_project(name: str) -> str:
    if re.fullmatch(r"[a-z][a-z0-9-]{4,28}[a-z0-9]", name):
        return name
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-0123456789")[:30].strip("-")
    raise refuse(
        "a project's id: 6 to 30 lower-case letters, digits and dashes", near=slug if len(slug) > 5 else None
    )


def _billing_account(name: str) -> str:
    if re.fullmatch(r"[0-9A-F]{6}(-[0-9A-F]{6}){2}", name):
        return name
    digits = re.sub(r"[^0-9A-F]", "", name.upper().removeprefix("BILLINGACCOUNTS/"))
    near = "-".join(digits[i : i + 6] for i in (0, 6, 12)) if len(digits) == 18 else None
    raise refuse(
        "a billing account's id, as `gcloud billing accounts list` shows it: 01A2B3-4C5D6E-7F8091", near=near
    )


def _folder(name: str) -> str:
    if re.fullmatch(r"folders/\d+", name):
        return name
    raise refuse(
        "a folder of the organisation: folders/<number>", near=f"folders/{name}" if name.isdigit() else None
    )


def _email(address: str) -> str:
    if re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", address):
        return address
    raise refuse("an e-mail address")


def _capacity_reservation(name: str) -> str:
    if re.fullmatch(r"cr-[0-9a-f]{8,17}", name):
        return name
    raise refuse("the id of a capacity reservation: cr- and hexadecimal digits")


def _google_reservation(name: str) -> str:
    if re.fullmatch(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", name):
        return name
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).lstrip("-0123456789")[:63].rstrip("-")
    raise refuse("the name of a reservation: lower-case letters, digits and dashes", near=slug or None)


def _google_range(name: str) -> str:
    if re.fullmatch(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", name):
        return name
    raise refuse("the name of a secondary range of the subnet: lower-case letters, digits and dashes")


def _peer_address(text: str) -> str:
    """Not `is_global`: the addresses of documentation may stand in a file that is filled in later."""
    allowed = "the public IPv4 address of the site's VPN device"
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        raise refuse(allowed) from None
    inside = any(address in network for network in SITE_NETWORKS)
    if (
        inside
        or not (address.is_global or address.is_private)
        or address.is_loopback
        or address.is_link_local
    ):
        raise refuse(f"{allowed}: AWS can't reach this one")
    return text


def _certificates(text: str) -> str:
    """One or more certificates in PEM, and nothing else: whoever pastes a private key must hear of it."""
    if "PRIVATE KEY" in text:
        raise refuse("certificates only: a private key must never leave its machine", secret=True)
    bodies = re.findall(r"-----BEGIN CERTIFICATE-----([^-]+)-----END CERTIFICATE-----", text)
    try:
        encoded = [base64.b64decode("".join(body.split()), validate=True) for body in bodies]
    except binascii.Error:
        encoded = []
    if not encoded or not all(certificate.startswith(b"\x30") for certificate in encoded):
        raise refuse("certificates in PEM (-----BEGIN CERTIFICATE-----)")
    return text


def _store_endpoint(text: str) -> str:
    url = urlsplit(text)
    allowed = "https://<host>[:<port>] of an S3 endpoint"
    if url.username or url.password:
        raise refuse(f"{allowed}: keys are secrets of the stack, see docs/hybrid.md", secret=True)
    if url.scheme not in ("https", "http") or not url.hostname or url.path.strip("/") or url.query:
        raise refuse(allowed)
    if url.scheme == "http" and url.hostname not in ("127.0.0.1", "localhost"):
        raise refuse(f"{allowed}; plain http on loopback only", near=text.replace("http:", "https:", 1))
    return text.rstrip("/")


def _addon_version(text: str) -> str:
    build = re.compile(r"v\d+\.\d+\.\d+-eksbuild\.\d+")
    if build.fullmatch(text):
        return text
    near = f"v{text}" if build.fullmatch(f"v{text}") else None
    allowed = "a build of EKS, as v1.22.4-eksbuild.3; `aws eks describe-addon-versions` lists them"
    raise refuse(allowed, near=near)


def _quoted_version(given: object) -> object:
    """YAML reads an unquoted 1.30 as the number 1.3, so a number can't be trusted."""
    if isinstance(given, float):
        raise refuse('a version in quotes, such as "1.35"', near=f'"{given}"')
    return given


DnsLabel = Annotated[str, AfterValidator(_dns_label)]
TagValue = Annotated[str, AfterValidator(_tag_value)]
AwsRegion = Annotated[str, AfterValidator(_region_of("aws"))]
GoogleRegion = Annotated[str, AfterValidator(_region_of("gcp"))]
PrivateCidr = Annotated[str, AfterValidator(_private_cidr(LARGEST_PREFIX, SMALLEST_PREFIX, "10.0.0.0/16"))]
PodsCidr = Annotated[str, AfterValidator(_private_cidr(LARGEST_PODS_PREFIX, SMALLEST_PREFIX, "10.68.0.0/14"))]
SiteCidr = Annotated[str, AfterValidator(_private_cidr(8, 32, "192.168.0.0/24", SITE_NETWORKS))]
SitePodsCidr = Annotated[
    str, AfterValidator(_private_cidr(8, SITE_NODE_MASK, "172.24.0.0/16", SITE_NETWORKS))
]
PeerAddress = Annotated[str, AfterValidator(_peer_address)]
Certificates = Annotated[str, AfterValidator(_certificates)]
StoreEndpoint = Annotated[str, AfterValidator(_store_endpoint)]
LogRetentionDays = Annotated[int, AfterValidator(_log_retention)]
IamMember = Annotated[str, AfterValidator(_iam_member)]
GoogleBillingAccount = Annotated[str, AfterValidator(_billing_account)]
GoogleProject = Annotated[str, AfterValidator(_google_project)]
Folder = Annotated[str, AfterValidator(_folder)]
PullSecretArn = Annotated[str, AfterValidator(_pull_secret)]
PrincipalArn = Annotated[str, AfterValidator(_principal_arn)]
ReachingCidr = Annotated[str, AfterValidator(_reaching_cidr)]
SecurityGroupId = Annotated[str, AfterValidator(_prefixed_id("sg", "a security group"))]
SubnetId = Annotated[str, AfterValidator(_prefixed_id("subnet", "a subnet"))]
VpcId = Annotated[str, AfterValidator(_prefixed_id("vpc", "a VPC"))]
Deployer = Annotated[str, AfterValidator(_deployer)]
GoogleDeployer = Annotated[str, AfterValidator(_google_deployer)]
CapacityReservation = Annotated[str, AfterValidator(_capacity_reservation)]
GoogleReservation = Annotated[str, AfterValidator(_google_reservation)]
GoogleNetworkName = Annotated[str, AfterValidator(_google_path("networks", "a VPC network"))]
GoogleSubnetName = Annotated[str, AfterValidator(_google_path("subnetworks", "a subnet"))]
GoogleRangeName = Annotated[str, AfterValidator(_google_range)]
Email = Annotated[str, AfterValidator(_email)]
AddonVersion = Annotated[str, AfterValidator(_addon_version)]
KubernetesVersion = Annotated[str, BeforeValidator(_quoted_version)]
