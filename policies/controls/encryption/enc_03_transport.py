"""Transport: ENC-03 nothing that holds or serves data speaks in the clear."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pulumi_policy import EnforcementLevel, Severity

from policies.framework.control import Control, Finding
from policies.framework.expectations import Expectation, check_expectations, is_named, is_on, one_of
from policies.framework.provenance import resolved_by_own_parts
from policies.framework.resources import Resource, Settings, Stack, StackResource
from policies.framework.unknowns import Unknown, dig, each
from policies.law import ENCRYPTION
from policies.readers.iam_documents import Statement, statements
from policies.readers.s3_buckets import BUCKET_POLICIES, BUCKETS, is_amazons

_CLEAR = "connections in the clear are let in"
_VIEWERS = one_of("https-only", "redirect-to-https")
_GOOGLE_TLS = one_of("SERVER_AUTHENTICATION", "TRANSIT_ENCRYPTION_MODE_SERVER_AUTHENTICATION")


def _on(path: str, *, absent: bool = False) -> Expectation:
    return Expectation(path, is_on, _CLEAR, "true", absent)


def _words(path: str, *words: str, absent: bool = False) -> Expectation:
    return Expectation(path, one_of(*words), _CLEAR, " or ".join(words), absent)


CACHE = "aws:elasticache/cluster:Cluster"
_SEARCH = (_on("domainEndpointOptions.enforceHttps"), _on("nodeToNodeEncryption.enabled"))
ENDPOINTS: dict[str, tuple[Expectation, ...]] = {
    "aws:opensearch/domain:Domain": _SEARCH,
    "aws:elasticsearch/domain:Domain": _SEARCH,
    "aws:elasticache/replicationGroup:ReplicationGroup": (
        _on("transitEncryptionEnabled"),
        _words("transitEncryptionMode", "required", absent=True),
    ),
    CACHE: (_on("transitEncryptionEnabled"),),
    "aws:memorydb/cluster:Cluster": (_on("tlsEnabled", absent=True),),
    "aws:dax/cluster:Cluster": (_words("clusterEndpointEncryptionType", "TLS"),),
    "aws:msk/cluster:Cluster": (
        _words("encryptionInfo?.encryptionInTransit?.clientBroker", "TLS", absent=True),
        _on("encryptionInfo?.encryptionInTransit?.inCluster", absent=True),
    ),
    "aws:cloudfront/distribution:Distribution": (
        Expectation("defaultCacheBehavior.viewerProtocolPolicy", _VIEWERS, _CLEAR, "https-only"),
        Expectation("orderedCacheBehaviors?.viewerProtocolPolicy", _VIEWERS, _CLEAR, "https-only"),
    ),
    "aws:elb/loadBalancer:LoadBalancer": (
        Expectation(
            "listeners.lbProtocol",
            lambda value: isinstance(value, str) and value.lower() in ("https", "ssl"),
            _CLEAR,
            "https or ssl",
        ),
    ),
    "aws:sns/topicSubscription:TopicSubscription": (
        Expectation(
            "protocol", lambda value: is_named(value) and value.lower() != "http", _CLEAR, "https, not http"
        ),
    ),
    "gcp:sql/databaseInstance:DatabaseInstance": (
        _words("settings.ipConfiguration.sslMode", "ENCRYPTED_ONLY", "TRUSTED_CLIENT_CERTIFICATE_REQUIRED"),
    ),
    "gcp:alloydb/instance:Instance": (_words("clientConnectionConfig.sslConfig.sslMode", "ENCRYPTED_ONLY"),),
    "gcp:redis/instance:Instance": (
        Expectation("transitEncryptionMode", _GOOGLE_TLS, _CLEAR, "SERVER_AUTHENTICATION"),
    ),
    "gcp:redis/cluster:Cluster": (
        Expectation(
            "transitEncryptionMode", _GOOGLE_TLS, _CLEAR, "TRANSIT_ENCRYPTION_MODE_SERVER_AUTHENTICATION"
        ),
    ),
    "gcp:memorystore/instance:Instance": (
        Expectation("transitEncryptionMode", _GOOGLE_TLS, _CLEAR, "SERVER_AUTHENTICATION"),
    ),
}


@dataclass(frozen=True)
class Forced:
    """The parameter that makes a family of engines refuse what is not TLS. `default` says whether it is on when nothing
    sets it, in every version."""

    families: tuple[str, ...]
    parameter: str
    values: tuple[str, ...]
    default: bool = False


# Engines whose default parameter groups refuse what is not TLS, and since which version. RDS user guide: "Updating
# applications to connect to PostgreSQL DB instances using new SSL/TLS certificates" (rds.force_ssl is 1 from 15),
# "Requiring SSL/TLS for all connections to a MySQL DB instance" (require_secure_transport is OFF for 8.4 and lower, ON
# for 9.7), the same for MariaDB (ON from 11.8). Aurora user guide, "Securing Aurora PostgreSQL data with SSL/TLS" (1
# from 17). Read November 2026. Of SQL Server and Aurora MySQL no guide says that they do.
TLS_BY_DEFAULT: dict[str, tuple[int, ...]] = {
    "postgres": (15,),
    "aurora-postgresql": (17,),
    "mysql": (9, 7),
    "mariadb": (11, 8),
}
_POSTGRES = Forced(("postgres", "sqlserver"), "rds.force_ssl", ("1", "true"))
_MYSQL = Forced(("mysql", "mariadb"), "require_secure_transport", ("1", "on"))
PARAMETER_GROUPS: dict[str, tuple[Forced, ...]] = {
    "aws:rds/parameterGroup:ParameterGroup": (_POSTGRES, _MYSQL),
    "aws:rds/clusterParameterGroup:ClusterParameterGroup": (
        Forced(("postgres", "aurora-postgresql"), "rds.force_ssl", ("1", "true")),
        Forced(("mysql", "aurora-mysql"), "require_secure_transport", ("1", "on")),
    ),
    "aws:redshift/parameterGroup:ParameterGroup": (Forced(("redshift",), "require_ssl", ("1", "true")),),
    "aws:docdb/clusterParameterGroup:ClusterParameterGroup": (
        Forced(("docdb",), "tls", ("enabled", "fips-140-3", "tls1.2+", "tls1.3+"), default=True),
    ),
}
# Databases that take their rule from such a group: the property that names it, and the engines it matters for.
USERS = {
    "aws:rds/instance:Instance": ("parameterGroupName", ("postgres", "mysql", "mariadb", "sqlserver")),
    "aws:rds/cluster:Cluster": ("dbClusterParameterGroupName", ("aurora", "postgres", "mysql")),
    "aws:redshift/cluster:Cluster": ("clusterParameterGroupName", ()),
}
_FAMILY = re.compile(r"(?P<engine>[a-z]+(-[a-z]+)?)(?P<version>\d{1,4}(\.\d{1,4}){0,1})[.\w-]{0,40}")
LISTENERS = ("aws:lb/listener:Listener", "aws:alb/listener:Listener")
_ENCRYPTED_LISTENERS = ("HTTPS", "TLS")
_PASSED_THROUGH = ("TCP", "UDP", "TCP_UDP", "QUIC", "TCP_QUIC", "GENEVE")  # what is inside is not theirs
INGRESS = "kubernetes:networking.k8s.io/v1:Ingress"
_CERTIFICATES = (
    "alb.ingress.kubernetes.io/certificate-arn",
    "ingress.gcp.kubernetes.io/pre-shared-cert",
    "networking.gke.io/managed-certificates",
)
BUCKET_POLICY = BUCKET_POLICIES[0]
_IN_THE_CLEAR = [{"Bool": {"aws:SecureTransport": value}} for value in ("false", False, ["false"], [False])]
_PROXIES = (
    "gcp:compute/targetHttpProxy:TargetHttpProxy",
    "gcp:compute/regionTargetHttpProxy:RegionTargetHttpProxy",
)


def in_transit(resource: Resource, _settings: Settings) -> Iterator[Finding | Unknown]:
    """ENC-03: endpoints, listeners, ingresses, parameter groups and bucket policies refuse what is not TLS."""
    if resource.type == CACHE and resource.props.get("replicationGroupId") is not None:
        return  # its group says it for all members
    yield from check_expectations(resource.props, ENDPOINTS.get(resource.type, ()))
    if resource.type in PARAMETER_GROUPS:
        yield from _parameter_group(resource)
    if resource.type in USERS:
        yield from _user_of_a_group(resource)
    if resource.type in LISTENERS:
        yield from _listener(resource.props)
    if resource.type == INGRESS:
        yield from _ingress(resource.props)
    if resource.type == BUCKET_POLICY:
        yield from _bucket_policy(resource.props.get("policy"))


def in_the_stack(stack: Stack, _settings: Settings) -> Iterator[tuple[str, Finding]]:
    """ENC-03: each bucket of Amazon's has a policy to refuse plain HTTP, and each plain HTTP proxy redirects."""
    # How a store of another maker is reached, its own endpoint says.
    for bucket in filter(is_amazons, stack.of(*BUCKETS)):
        # The property is an output too: unknown in a preview, and empty where there is no policy.
        inline = statements(bucket.props.get("policy"), "policy")
        if not _refuses_http(inline) and not stack.attached(bucket, "bucket", BUCKET_POLICY):
            what = "no policy belongs to this bucket, so it answers plain HTTP"
            expected = "a BucketPolicy that denies everything where aws:SecureTransport is false"
            yield bucket.urn, Finding(what, "the stack", None, expected)
    for proxy in stack.of(*_PROXIES):
        maps = [stack.get(source.urn) for source in proxy.sources("urlMap")]
        if not any(found and _redirects(found) for found in maps):
            what = "the proxy serves plain HTTP"
            yield (
                proxy.urn,
                Finding(
                    what,
                    "urlMap",
                    proxy.props.get("urlMap"),
                    "a map with defaultUrlRedirect.httpsRedirect, or HTTPS",
                ),
            )


def resolved(unknown: Unknown, resource: StackResource, stack: Stack) -> bool:
    """A policy's text waits for the update; a parameter group of this stack is judged on its own."""
    if resource.type == BUCKET_POLICY:
        return resolved_by_own_parts(unknown, resource, stack)
    if resource.type not in USERS or unknown.path[:1] != (USERS[resource.type][0],):
        return False
    sources = resource.sources(USERS[resource.type][0])
    return bool(sources) and all(source.resource_type in PARAMETER_GROUPS for source in sources)


def _parameter_group(resource: Resource) -> Iterator[Finding | Unknown]:
    family, parameters = resource.props.get("family"), resource.props.get("parameters")
    unknown = [value for value in (family, parameters) if isinstance(value, Unknown)]
    if unknown:
        yield from unknown
        return
    if not isinstance(family, str):
        yield Finding("the family of the group can't be read", "family", family, "a family of engines")
        return
    for forced in PARAMETER_GROUPS[resource.type]:
        if family.startswith(forced.families):
            yield from _forced(parameters, family, forced)


def _forced(parameters: Any, family: str, forced: Forced) -> Iterator[Finding | Unknown]:
    expected = f"{forced.parameter} = {forced.values[0]}"
    named = False
    for index, parameter in enumerate(each(parameters)):
        name, value = dig(parameter, "name"), dig(parameter, "value")
        if isinstance(name, Unknown):
            yield name
        if name != forced.parameter:
            continue
        named = True
        if isinstance(value, Unknown):
            yield value
        elif not isinstance(value, str) or value.lower() not in forced.values:
            yield Finding(
                "the database lets clients connect without TLS", f"parameters[{index}].value", value, expected
            )
    if not named and not (forced.default or _by_default(family)):
        yield Finding("nothing makes the database insist on TLS", "parameters", parameters, expected)


def _user_of_a_group(resource: Resource) -> Iterator[Finding | Unknown]:
    """A database without a group of its own takes the engine's default, which lets plain connections in unless its
    version is one of `TLS_BY_DEFAULT`. A version that is not said may be an older one."""
    name, engines = USERS[resource.type]
    engine = resource.props.get("engine")
    if isinstance(engine, Unknown):
        yield engine
        return
    if engines and isinstance(engine, str) and not engine.startswith(engines):
        return  # Oracle and Db2 are told by other means
    family = _default_family(resource.props, name)
    if isinstance(family, Unknown):
        yield family
        return
    if family is not None and _by_default(family):
        return
    what = "the database has no parameter group of its own to insist on TLS"
    yield from check_expectations(
        resource.props,
        [
            Expectation(
                name,
                lambda value: is_named(value) and not value.startswith("default."),
                what,
                "a group that forces TLS",
            )
        ],
    )


def _default_family(props: dict[str, Any], name: str) -> str | Unknown | None:
    """The family of the engine's default group that a database takes; None where it names a group of its own."""
    group, engine, version = props.get(name), props.get("engine"), props.get("engineVersion")
    if group is None and engine in TLS_BY_DEFAULT:
        return version if isinstance(version, Unknown) else f"{engine}{version}"
    if isinstance(group, str) and group.startswith("default."):
        return group.removeprefix("default.")
    return None


def _by_default(family: str) -> bool:
    """Whether the default group of a family (an engine and its version: `mysql8.4`) refuses what is not TLS."""
    found = _FAMILY.fullmatch(family)
    if found is None or found["engine"] not in TLS_BY_DEFAULT:
        return False
    return tuple(map(int, found["version"].split("."))) >= TLS_BY_DEFAULT[found["engine"]]


def _listener(props: dict[str, Any]) -> Iterator[Finding | Unknown]:
    protocol = props.get("protocol")
    if isinstance(protocol, Unknown):
        yield protocol
        return
    if isinstance(protocol, str) and protocol in (*_ENCRYPTED_LISTENERS, *_PASSED_THROUGH):
        return
    if protocol is None and props.get("port") is None:
        return  # a gateway load balancer's, which passes packets on
    actions = each(props.get("defaultActions"))
    if protocol == "HTTP" and actions:
        targets = [dig(action, "redirect", "protocol") for action in actions]
        if unknown := next((value for value in (*actions, *targets) if isinstance(value, Unknown)), None):
            yield unknown
            return
        if all(target == "HTTPS" for target in targets):
            return
    yield Finding(_CLEAR, "protocol", protocol, "HTTPS or TLS, or HTTP that only redirects to HTTPS")


def _ingress(props: dict[str, Any]) -> Iterator[Finding | Unknown]:
    annotations = dig(props, "metadata", "annotations")
    certificates = [dig(annotations, name) for name in _CERTIFICATES]
    if any(is_named(value) for value in certificates):
        return
    tls = dig(props, "spec", "tls")
    if isinstance(tls, Unknown):
        yield tls
    elif not (isinstance(tls, list) and tls):
        yield from (value for value in dict.fromkeys(certificates) if isinstance(value, Unknown))
        yield Finding("the ingress serves plain HTTP", "spec.tls", tls, "a TLS block, or a certificate")


def _bucket_policy(policy: Any) -> Iterator[Finding | Unknown]:
    found = list(statements(policy, "policy"))
    if _refuses_http(found):
        return
    unread = [one for one in found if not isinstance(one, Statement)]
    expected = "a Deny of s3:* to * where aws:SecureTransport is false"
    yield from unread or [Finding("the bucket answers plain HTTP", "policy", policy, expected)]


def _refuses_http(policy: Iterable[Statement | Finding | Unknown]) -> bool:
    return any(isinstance(one, Statement) and _denies_http(one.body) for one in policy)


def _denies_http(statement: dict[str, Any]) -> bool:
    """A Deny to everybody of everything on all objects, and under no further condition."""
    principal = statement.get("Principal")
    named = principal.values() if isinstance(principal, dict) else [principal]
    return (
        statement.get("Effect") == "Deny"
        and any("*" in each(value) for value in named)
        and any(action in ("*", "s3:*") for action in each(statement.get("Action")))
        and any(_all_objects(resource) for resource in each(statement.get("Resource")))
        and statement.get("Condition") in _IN_THE_CLEAR
    )


def _all_objects(resource: Any) -> bool:
    return resource == "*" or (
        isinstance(resource, str) and resource.endswith("/*") and resource.count("/") == 1
    )


def _redirects(url_map: StackResource) -> bool:
    return is_on(dig(url_map.props, "defaultUrlRedirect", "httpsRedirect"))


ENC_03 = Control(
    id="DPDP-ENC-03",
    title="TLS only",
    law=ENCRYPTION,
    severity=Severity.HIGH,
    level=EnforcementLevel.MANDATORY,
    types=(*ENDPOINTS, *PARAMETER_GROUPS, *USERS, *LISTENERS, INGRESS, BUCKET_POLICY),
    remedy="refuse what is not TLS, at the endpoint itself",
    check=in_transit,
    stack_check=in_the_stack,
    resolves=resolved,
)
CONTROLS = (ENC_03,)
