"""The kinds of value that settings are made of: a check of each, and in words what it allows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from cryptography import x509
from pydantic import (
    BeforeValidator,
    EmailStr,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
    WrapValidator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from infra import geography
from infra.settings.errors import refuse
from infra.spelling import nearest

# CloudWatch Logs takes only these; those below a year are left out because Rule 6(1)(e) of the DPDP Rules asks for one.
LOG_RETENTION_DAYS = (365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)

# Names of Compute Engine (RFC 1035).
_GOOGLE_NAME = r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = r"[^@\s:]+\.[^@\s:]+"


@dataclass(frozen=True, eq=False)
class Rule:
    """A check of a value, and what it allows: the same words are in its refusal, in the docs and in an editor.

    `schema` is what JSON Schema can check of it. Editors show `errorMessage` where a value does not fit that.
    """

    check: Callable[[Any], Any]
    allowed: str
    schema: Mapping[str, Any] = field(default_factory=dict)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, inner: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(inner), **self.schema, "errorMessage": self.allowed}


def _matching(pattern: str, allowed: str, near: Callable[[str], str | None] = lambda _: None) -> Rule:
    """A rule for texts that match a pattern; `near` makes the nearest one that does, or none."""

    def check(text: str) -> str:
        if re.fullmatch(pattern, text):
            return text
        raise refuse(allowed, near=near(text))

    return Rule(check, allowed, {"pattern": f"^({pattern})$"})


def _slug(text: str, longest: int, not_first: str = "-") -> str | None:
    """The text in lower case with dashes for all but letters and digits, beginning with none of `not_first`."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).lstrip(not_first)[:longest].rstrip("-") or None


def _google_slug(text: str) -> str | None:
    return _slug(text.rpartition("/")[2], 63, "-0123456789")


def _tag_value(text: str) -> str:
    if re.fullmatch(r"[\w .:/=+@-]{1,256}", text) and text.strip() == text:
        return text
    raise refuse(_TAG_VALUE)


_TAG_VALUE = "1 to 256 letters, digits, spaces and . : / = + - @ _ (it becomes a tag)"


def _region_of(cloud: geography.Cloud) -> Rule:
    indian = geography.regions_of(cloud)
    cities = ", ".join(f"{known} ({geography.region(known).city})" for known in indian)
    allowed = f"{cities}: data stays in India"

    def check(name: str) -> str:
        if name in indian:
            return name
        raise refuse(allowed, near=nearest(name, indian))

    return Rule(check, allowed, {"enum": list(indian)})


def log_retention(days: int) -> int:
    """The shortest retention of CloudWatch Logs that is at least `days`; beyond its longest 0, which never expires."""
    return next((allowed for allowed in LOG_RETENTION_DAYS if allowed >= days), 0)


_LOG_DAYS = f"days, at least a year: {', '.join(map(str, LOG_RETENTION_DAYS))}"


def _log_retention(days: int) -> int:
    if days in LOG_RETENTION_DAYS:
        return days
    raise refuse(_LOG_DAYS, near=str(log_retention(days) or LOG_RETENTION_DAYS[-1]))


def _ec2_id(prefix: str, what: str) -> Rule:
    """A rule for the ids of EC2: a prefix, and 8 or 17 hexadecimal digits."""
    digits = r"([0-9a-f]{8}|[0-9a-f]{17})"
    return _matching(
        f"{prefix}-{digits}",
        f"the id of {what}: {prefix}- and 8 or 17 hexadecimal digits",
        lambda given: f"{prefix}-{given}" if re.fullmatch(digits, given) else None,
    )


def _google_path(collection: str, what: str) -> Rule:
    """A rule for a name of Compute Engine, alone or by its path or self link; a link's host is left out."""
    place = r"global" if collection == "networks" else r"regions/[a-z0-9-]+"
    host = r"https://[a-z.]+/compute/[a-z0-9]+/"
    path = rf"(projects/[a-z0-9:.-]+/{place}/{collection}/)?{_GOOGLE_NAME}"
    form = f"projects/<project>/{place.replace('[a-z0-9-]+', '<region>')}/{collection}/<name>"
    allowed = f"{what}: its name, {form}, or its self link"

    def check(given: str) -> str:
        short = re.sub(f"^{host}", "", given)
        if re.fullmatch(path, short):
            return short
        raise refuse(allowed, near=_google_slug(given))

    return Rule(check, allowed, {"pattern": f"^({host})?{path}$"})


def _near_deployer(given: str) -> str | None:
    session = re.fullmatch(r"arn:aws:sts::\d{12}:assumed-role/([\w+=,.@-]+)/.*", given)
    name = session[1] if session else given if re.fullmatch(r"[\w+=,.@-]+", given) else None
    return f"role/{name}" if name else None


def _near_google_deployer(member: str) -> str | None:
    address = re.fullmatch(rf"(?:\w+:)?([^@\s:]+@({_DOMAIN}))", member)
    if not address:
        return None
    return f"{'serviceAccount' if address[2].endswith('.gserviceaccount.com') else 'user'}:{address[1]}"


def _near_member(member: str) -> str | None:
    address = re.fullmatch(rf"(?:\w+:)?([^@\s:]+@{_DOMAIN})", member)
    return f"group:{address[1]}" if address else None


def _near_project(name: str) -> str | None:
    slug = _slug(name, 30, "-0123456789")
    return slug if slug and len(slug) > 5 else None


def _near_billing_account(name: str) -> str | None:
    digits = re.sub(r"[^0-9A-F]", "", name.upper().removeprefix("BILLINGACCOUNTS/"))
    return "-".join(digits[i : i + 6] for i in (0, 6, 12)) if len(digits) == 18 else None


def _email(address: Any, handler: Callable[[Any], str]) -> str:
    try:
        return handler(address)
    except ValidationError as error:
        reason = error.errors()[0].get("ctx", {}).get("reason", "This is not a text.")
        raise refuse(f"an e-mail address, such as alerts@example.in. {reason}") from None


_CERTIFICATES = "certificates in PEM (-----BEGIN CERTIFICATE-----)"


def _certificates(text: str) -> str:
    """One or more certificates of authorities, in PEM. A private key that was pasted is refused and not shown."""
    if "PRIVATE KEY" in text:
        raise refuse("certificates only: a private key must never leave its machine", secret=True)
    try:
        certificates = x509.load_pem_x509_certificates(text.encode())
    except ValueError:
        raise refuse(f"{_CERTIFICATES} that `openssl x509 -text` can read") from None
    for certificate in certificates:
        if not _is_authority(certificate):
            subject = certificate.subject.rfc4514_string()
            raise refuse(
                f"the certificate of an authority (CA:TRUE), which IAM Roles Anywhere asks: {subject} is not one"
            )
    return text


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


_STORE_ENDPOINT = "https://<host>[:<port>] of an S3 endpoint"


def _store_endpoint(text: str) -> str:
    url = urlsplit(text)
    if url.username or url.password:
        raise refuse(f"{_STORE_ENDPOINT}: keys are secrets of the stack, see docs/hybrid.md", secret=True)
    if url.scheme not in ("https", "http") or not url.hostname or url.path.strip("/") or url.query:
        raise refuse(_STORE_ENDPOINT)
    if url.scheme == "http" and url.hostname not in ("127.0.0.1", "localhost"):
        near = text.replace("http:", "https:", 1)
        raise refuse(f"{_STORE_ENDPOINT}; plain http on loopback only", near=near)
    return text.rstrip("/")


_BUILD = r"v[0-9]+\.[0-9]+\.[0-9]+-eksbuild\.[0-9]+"
_VERSION = 'a version in quotes, such as "1.35"'


def _quoted_version(given: object) -> object:
    """YAML reads an unquoted 1.30 as the number 1.3, so a number can't be trusted."""
    if isinstance(given, float):
        raise refuse(_VERSION, near=f'"{given}"')
    return given


DnsLabel = Annotated[
    str,
    _matching(
        r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?",
        "lower-case letters, digits and dashes, 40 at most",
        lambda name: _slug(name, 40),
    ),
]
DataClass = Literal["personal", "sensitive", "payment", "internal", "public"]
TagValue = Annotated[str, Rule(_tag_value, _TAG_VALUE)]
AwsRegion = Annotated[str, _region_of("aws")]
GoogleRegion = Annotated[str, _region_of("gcp")]
Certificates = Annotated[str, Rule(_certificates, _CERTIFICATES)]
StoreEndpoint = Annotated[str, Rule(_store_endpoint, _STORE_ENDPOINT)]
LogRetentionDays = Annotated[int, Rule(_log_retention, _LOG_DAYS, {"enum": list(LOG_RETENTION_DAYS)})]
SecurityGroupId = Annotated[str, _ec2_id("sg", "a security group")]
SubnetId = Annotated[str, _ec2_id("subnet", "a subnet")]
VpcId = Annotated[str, _ec2_id("vpc", "a VPC")]
GoogleNetworkName = Annotated[str, _google_path("networks", "a VPC network")]
GoogleSubnetName = Annotated[str, _google_path("subnetworks", "a subnet")]
Email = Annotated[EmailStr, WrapValidator(_email)]
KubernetesVersion = Annotated[
    str, BeforeValidator(_quoted_version), Field(json_schema_extra={"errorMessage": _VERSION})
]
PrincipalArn = Annotated[
    str,
    _matching(
        r"arn:aws:iam::[0-9]{12}:(role|user)/[A-Za-z0-9_+=,.@/-]+",
        "the ARN of an IAM role or user: arn:aws:iam::<account>:role/<name>",
    ),
]
# An IAM role or user, whole or by what it is called in the stack's own account.
Deployer = Annotated[
    str,
    _matching(
        r"(arn:aws:iam::[0-9]{12}:)?(role|user)/[A-Za-z0-9_+=,.@/-]+",
        "an IAM role or user: role/<name> or user/<name> of the stack's account, or its ARN",
        _near_deployer,
    ),
]
PullSecretArn = Annotated[
    str,
    _matching(
        r"arn:aws:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:ecr-pullthroughcache/[A-Za-z0-9_/+=.@-]+",
        "the ARN of a secret that ECR may read: its name begins with ecr-pullthroughcache/",
    ),
]
CapacityReservation = Annotated[
    str, _matching(r"cr-[0-9a-f]{8,17}", "the id of a capacity reservation: cr- and hexadecimal digits")
]
AddonVersion = Annotated[
    str,
    _matching(
        _BUILD,
        "a build of EKS, such as v1.22.4-eksbuild.3; `aws eks describe-addon-versions` lists them",
        lambda text: f"v{text}" if re.fullmatch(_BUILD, f"v{text}") else None,
    ),
]
RdsMachine = Annotated[
    str, _matching(r"db\.[a-z][a-z0-9-]*\.[a-z0-9-]+", "an instance class of RDS, such as db.t4g.small")
]
CloudSqlMachine = Annotated[
    str,
    _matching(
        r"db-custom-\d+-\d+",
        "a custom machine type of Cloud SQL's Enterprise edition: db-custom-<vCPUs>-<MiB>",
        lambda text: f"db-{text}" if re.fullmatch(r"custom-\d+-\d+", text) else None,
    ),
]
IamMember = Annotated[
    str,
    _matching(
        rf"(group|user):[^@\s:]+@{_DOMAIN}", "group:<name>@<domain> or user:<name>@<domain>", _near_member
    ),
]
GoogleDeployer = Annotated[
    str,
    _matching(
        rf"(group|user|serviceAccount):[^@\s:]+@{_DOMAIN}|principal(Set)?://iam\.googleapis\.com/\S+",
        "group:, user: or serviceAccount:<name>@<domain>, or principalSet://iam.googleapis.com/…",
        _near_google_deployer,
    ),
]
GoogleProject = Annotated[
    str,
    _matching(
        r"[a-z][a-z0-9-]{4,28}[a-z0-9]",
        "a project's id: 6 to 30 lower-case letters, digits and dashes",
        _near_project,
    ),
]
GoogleBillingAccount = Annotated[
    str,
    _matching(
        r"[0-9A-F]{6}(-[0-9A-F]{6}){2}",
        "a billing account's id, as `gcloud billing accounts list` shows it: 01A2B3-4C5D6E-7F8091",
        _near_billing_account,
    ),
]
Folder = Annotated[
    str,
    _matching(
        r"folders/[0-9]+",
        "a folder of the organisation: folders/<number>",
        lambda name: f"folders/{name}" if name.isdigit() else None,
    ),
]
GoogleReservation = Annotated[
    str,
    _matching(_GOOGLE_NAME, "the name of a reservation: lower-case letters, digits and dashes", _google_slug),
]
GoogleRangeName = Annotated[
    str,
    _matching(
        _GOOGLE_NAME, "the name of a secondary range of the subnet: lower-case letters, digits and dashes"
    ),
]
