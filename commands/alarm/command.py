"""`make alarm`: fires one alert of each kind on the running local cloud, and shows who got it.

EventBridge: recorded events against the rules' patterns (moto's), then their targets, and the policies of the topic and
its key (alert_delivery.py). Prometheus: each of the stack's alerts through the routing tree that the stack renders, and
the words of its message, by Alertmanager's own amtool; then the role that Alertmanager's pods have. On Google each of
them against the alert policy that has its expression, the PodMonitoring that sends its metrics, and the policy's
channels. Cloud Logging: recorded log entries against the alert policies' filters (log_filters.py), and their channels.

Real: what the stack made of all these. Played: that an expression is true, and that a packet moves. A subscriber by
mail must have confirmed, which nobody does here.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from moto.events.models import EventPattern
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from commands.console import console, step
from commands.stacks import settings_of
from infra.platform.managed_prometheus import API_VERSION as MANAGED
from infra.platform.managed_prometheus import of_cluster
from infra.platform.monitoring import metric_names
from localcloud import alert_delivery, cloud, log_filters
from localcloud.alert_delivery import Topic
from localcloud.engine import EngineError, Stack
from localcloud.permissions.iam_policies import statements
from localcloud.toolchain import install
from localcloud.toolchain.errors import ToolchainError

ERRORS = (ToolchainError, EngineError)
EVENTS = Path(__file__).parent / "data" / "aws_events.json"
ENTRIES = Path(__file__).parent / "data" / "google_log_entries.json"
CHART = "kube-prometheus-stack"
ON_LOGS, ON_METRICS = "conditionMatchedLog", "conditionPrometheusQueryLanguage"
NO_CHANNEL = "no channel has an address: gcp.audit.alertEmails is empty"
# Parts of one metric to Cloud Monitoring: a histogram that lacks one of them is not stored.
HISTOGRAM = ("_bucket", "_sum", "_count")
EVENTBRIDGE, PROMETHEUS, LOGGING = "EventBridge", "Prometheus", "Cloud Logging"
# As Alertmanager's default templates for SNS.
SUBJECT, BODY = '{{ template "sns.default.subject" . }}', '{{ template "sns.default.message" . }}'


class CannotFireError(LookupError):
    """The stack is not up, or makes no alerts; the message says what to do."""


@dataclass(frozen=True)
class Alert:
    """An alert that was fired: its kind, the rule, what it went through, who got it, or else why nobody did."""

    kind: str
    rule: str
    through: str
    people: Sequence[str] = ()
    why: str = ""
    words: str = ""


def alarm(
    stack: Annotated[str, typer.Option("--stack", "-s", help="Whose alerts: Pulumi.<stack>.yaml.")] = "local",
) -> None:
    """Fire one alert of each kind on the running local cloud, and show who got it."""
    settings_of(stack)  # refused before anything starts
    try:
        resources = _state(stack)
    except CannotFireError as error:
        console.print(f"[red]✗[/] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(1) from None
    with step("Alertmanager's amtool") as report:
        amtool = install.folder_of("amtool", report) / "amtool"
    fired = fire(resources, _client(_region(resources)), amtool)
    show(fired)
    if not fired or any(not alert.people for alert in fired):
        raise typer.Exit(1)


def fire(resources: Sequence[Mapping[str, Any]], aws: Callable[[str], Any], amtool: Path) -> list[Alert]:
    """Every alert of a stack, fired: `resources` are those of its state, `aws` makes a client of a service."""
    return [*eventbridge(resources, aws), *prometheus(resources, aws, amtool), *logging(resources)]


def show(fired: Sequence[Alert]) -> None:
    """Who got what, and the words of the first message of each kind."""
    table = Table("kind", "rule", "went through", "who got it", box=SIMPLE_HEAD)
    for alert in fired:
        who = escape(", ".join(alert.people)) or f"[red]nobody[/]: {escape(alert.why)}"
        table.add_row(alert.kind, alert.rule, escape(alert.through), who)
    console.print(table)
    for kind in dict.fromkeys(alert.kind for alert in fired):
        words = next((alert.words for alert in fired if alert.kind == kind and alert.words), "")
        if words:
            console.print(f"{kind} says: {words}", soft_wrap=True, markup=False)
    lost = sum(not alert.people for alert in fired)
    console.print(
        f"[red]{lost} of {len(fired)} alerts reach nobody[/]"
        if lost
        else f"[green]{len(fired)} alerts, each reached somebody[/]; an address gets mail once it has confirmed"
        if fired
        else "[red]the stack has no alert[/]"
    )


def eventbridge(resources: Sequence[Mapping[str, Any]], aws: Callable[[str], Any]) -> Iterator[Alert]:
    """Each rule of the stack whose target is a topic, with a recorded event that it is for."""
    targets = [one for one in _of(resources, "aws:cloudwatch/eventTarget:EventTarget") if _is_topic(one)]
    for target in targets:
        rule, arn = target["outputs"]["rule"], target["outputs"]["arn"]
        found = aws("events").describe_rule(Name=rule)
        pattern = EventPattern.load(found["EventPattern"])
        event = next((one for one in recorded_events(arn) if pattern.matches_event(one)), None)
        through = f"topic {_name(arn)}"
        if event is None:
            yield Alert(EVENTBRIDGE, rule, through, why="no recorded event matches its pattern")
            continue
        to = alert_delivery.topic(arn, aws)
        words = _transformed(target["outputs"].get("inputTransformer") or {}, event)
        lacks = alert_delivery.lacks_for_eventbridge(to)
        yield _delivered(EVENTBRIDGE, rule, through, to, lacks, words, aws)


def recorded_events(topic_arn: str) -> list[Any]:
    """Events as AWS documents them, in the account and region of a topic."""
    _, _, _, region, account, _ = topic_arn.split(":")
    told = EVENTS.read_text().replace("REGION", region).replace("ACCOUNT", account)
    return [one["event"] for one in json.loads(told).values()]


def prometheus(
    resources: Sequence[Mapping[str, Any]], aws: Callable[[str], Any], amtool: Path
) -> Iterator[Alert]:
    """Each alert of the stack's PrometheusRules, through the Alertmanager of its cluster, or through Cloud Monitoring
    where it is one of Google's and has none."""
    releases = {one["provider"]: one["outputs"] for one in _charts(resources)}
    for rules in _of(resources, "kubernetes:monitoring.coreos.com/v1:PrometheusRule"):
        values = releases.get(rules["provider"], {}).get("values") or {}
        alertmanager, google = values.get("alertmanager") or {}, "gcp:Cluster" in rules["provider"]
        kind = f"{PROMETHEUS} ({'Google' if google else 'AWS'})"
        for alert in _alerts(rules["outputs"]["spec"]):
            if google and "config" not in alertmanager:
                yield _through_cloud_monitoring(kind, alert, resources, rules["provider"])
            else:
                yield _through_alertmanager(kind, alert, alertmanager, resources, aws, amtool)


def logging(resources: Sequence[Mapping[str, Any]]) -> Iterator[Alert]:
    """Each log-based alert policy of the stack, with a recorded log entry that it is for."""
    entries = recorded_entries(*_gke(resources))
    for found, conditions in _policies(resources, ON_LOGS):
        filters = [one["filter"] for one in conditions]
        people = _people(found, resources)
        rule, through = found["displayName"], f"{len(people)} notification channels"
        if not any(log_filters.matches(filter, entry) for filter in filters for entry in entries):
            yield Alert(LOGGING, rule, through, why="no recorded log entry matches its filter")
            continue
        why = "" if people else NO_CHANNEL
        yield Alert(LOGGING, rule, through, people, why, found["documentation"]["content"])


def recorded_entries(cluster: str, location: str) -> list[Any]:
    """Log entries as Google documents or records them; those of a cluster are of this one."""
    told = ENTRIES.read_text().replace('"CLUSTER"', json.dumps(cluster))
    return [one["entry"] for one in json.loads(told.replace('"LOCATION"', json.dumps(location))).values()]


def _gke(resources: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """The name and the place of the stack's cluster on Google; empty where it has none."""
    of = [one["outputs"] for one in _of(resources, "gcp:container/cluster:Cluster")]
    return (of[0]["name"], of[0]["location"]) if of else ("", "")


def _through_cloud_monitoring(
    kind: str, alert: Mapping[str, Any], resources: Sequence[Mapping[str, Any]], cluster: str
) -> Alert:
    """An alert of a Google cluster, by the policy that evaluates the same expression."""
    rule = alert["alert"]
    of_rule = [
        (policy, one)
        for policy, conditions in _policies(resources, ON_METRICS)
        for one in conditions
        if one.get("alertRule") == rule
    ]
    if not of_rule:
        return Alert(kind, rule, "–", why="no alert policy has this rule")
    found, condition = of_rule[0]
    people = _people(found, resources)
    through = f"policy {found['displayName']}, {len(people)} notification channels"
    lacks = _policy_lacks(alert, condition, resources, cluster) or ("" if people else NO_CHANNEL)
    return Alert(kind, rule, through, () if lacks else people, lacks, found["documentation"]["content"])


def _policy_lacks(
    alert: Mapping[str, Any],
    condition: Mapping[str, Any],
    resources: Sequence[Mapping[str, Any]],
    cluster: str,
) -> str:
    """What keeps a policy from firing when the rule does; empty where nothing does."""
    if condition["query"] != of_cluster(alert["expr"], *_gke(resources)):
        return f"its policy evaluates another expression: {condition['query']}"
    kept = [
        rule["regex"]
        for one in _of(resources, f"kubernetes:{MANAGED}:PodMonitoring")
        if one["provider"] == cluster
        for endpoint in one["outputs"]["spec"]["endpoints"]
        for rule in endpoint.get("metricRelabeling") or ({"action": "keep", "regex": ".*"},)
        if rule["action"] == "keep"
    ]
    for metric in metric_names(alert["expr"]):
        base = metric.removesuffix("_bucket")
        parts = [metric] if base == metric else [f"{base}{part}" for part in HISTOGRAM]
        if not any(all(re.fullmatch(regex, part) for part in parts) for regex in kept):
            return f"no PodMonitoring sends {metric} to Managed Service for Prometheus"
    return ""


def _policies(
    resources: Sequence[Mapping[str, Any]], kind: str
) -> Iterator[tuple[Mapping[str, Any], list[Mapping[str, Any]]]]:
    """The alert policies that have conditions of a kind, with these."""
    for policy in _of(resources, "gcp:monitoring/alertPolicy:AlertPolicy"):
        conditions = [one[kind] for one in policy["outputs"]["conditions"] if one.get(kind)]
        if conditions:
            yield policy["outputs"], conditions


def _people(policy: Mapping[str, Any], resources: Sequence[Mapping[str, Any]]) -> list[str]:
    """Who reads the notification channels of an alert policy."""
    channels = {
        one["id"]: one["outputs"]
        for one in _of(resources, "gcp:monitoring/notificationChannel:NotificationChannel")
    }
    return [
        f"{channels[id]['type']}:{', '.join(channels[id]['labels'].values())}"
        for id in policy.get("notificationChannels") or ()
    ]


def _through_alertmanager(
    kind: str,
    alert: Mapping[str, Any],
    values: Mapping[str, Any],
    resources: Sequence[Mapping[str, Any]],
    aws: Callable[[str], Any],
    amtool: Path,
) -> Alert:
    rule = alert["alert"]
    if not values.get("enabled", True) or "config" not in values:
        return Alert(kind, rule, "–", why="there is no Alertmanager, or none that is told where to send")
    receiver = _receiver(amtool, values["config"], {"alertname": rule, **alert["labels"]})
    for topic in receiver.get("sns_configs") or ():
        to = alert_delivery.topic(topic["topic_arn"], aws)
        account = values["serviceAccount"]["name"]
        lacks = alert_delivery.lacks_for_role(to, _role_of(account, resources, aws))
        through = f"receiver {receiver['name']}, topic {_name(to.arn)}"
        return _delivered(kind, rule, through, to, lacks, _rendered(amtool, BODY, alert), aws)
    return Alert(kind, rule, f"receiver {receiver['name']}", why="it sends to no topic")


def _delivered(
    kind: str, rule: str, through: str, to: Topic, lacks: str, words: str, aws: Callable[[str], Any]
) -> Alert:
    """The alert, published to moto's topic if nothing keeps it from there."""
    if lacks:
        return Alert(kind, rule, through, why=lacks)
    if not to.subscribers:
        return Alert(kind, rule, through, why="nobody is subscribed: aws.audit.alertEmails is empty")
    aws("sns").publish(TopicArn=to.arn, Message=words)
    return Alert(kind, rule, through, to.subscribers, words=" ".join(words.split()))


def _receiver(amtool: Path, config: Mapping[str, Any], labels: Mapping[str, str]) -> Mapping[str, Any]:
    """Where Alertmanager routes an alert with these labels. What is not in the values is the chart's, which routes
    nothing."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(config, file)
        file.flush()
        told = [f"{name}={value}" for name, value in labels.items()]
        name = _run(amtool, "config", "routes", "test", f"--config.file={file.name}", *told).strip()
    return next(one for one in config["receivers"] if one["name"] == name)


def _rendered(amtool: Path, template: str, alert: Mapping[str, Any]) -> str:
    """A template of Alertmanager's own about an alert that fires; values of its query are not known here."""
    labels, notes = {"alertname": alert["alert"], **alert["labels"]}, dict(alert["annotations"])
    data = {
        "status": "firing",
        "alerts": [{"status": "firing", "labels": labels, "annotations": notes}],
        "groupLabels": {"alertname": alert["alert"]},
        "commonLabels": labels,
        "commonAnnotations": notes,
    }
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "data.json").write_text(json.dumps(data))
        (Path(folder) / "none.tmpl").touch()  # the templates of ours, of which there are none
        return _run(
            amtool,
            "template",
            "render",
            f"--template.glob={folder}/*.tmpl",
            f"--template.text={template}",
            f"--template.data={folder}/data.json",
        ).strip()


def _run(program: Path, *args: str) -> str:
    done = subprocess.run([program, *args], capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotFireError(f"{program.name} {' '.join(args[:3])} refused: {done.stderr or done.stdout}")
    return done.stdout


def _role_of(
    account: str, resources: Sequence[Mapping[str, Any]], aws: Callable[[str], Any]
) -> list[Mapping[str, Any]]:
    """What the pods of a service account may do: the statements of the role that Pod Identity gives them."""
    roles = [
        one["outputs"]["roleArn"].rpartition("/")[2]
        for one in _of(resources, "aws:eks/podIdentityAssociation:PodIdentityAssociation")
        if (one["outputs"]["namespace"], one["outputs"]["serviceAccount"]) == ("monitoring", account)
    ]
    documents = [
        aws("iam").get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        for role in roles
        for policy in aws("iam").list_role_policies(RoleName=role)["PolicyNames"]
    ]
    return [statement for document in documents for statement in statements(document)]


def _transformed(transformer: Mapping[str, Any], event: Mapping[str, Any]) -> str:
    """The text that a target makes of an event: its template, with the facts at its paths (`$.detail.severity`)."""
    if not transformer:
        return json.dumps(event)
    words = json.loads(transformer["inputTemplate"])
    for name, path in (transformer.get("inputPaths") or {}).items():
        fact: Any = event
        for key in path.removeprefix("$.").split("."):
            fact = fact[key]
        words = words.replace(f"<{name}>", str(fact))
    return words


def _alerts(spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for group in spec["groups"]:
        yield from (rule for rule in group["rules"] if "alert" in rule)


def _charts(resources: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    found = _of(resources, "kubernetes:helm.sh/v3:Release")
    return [one for one in found if one["urn"].endswith(f"::{CHART}")]


def _of(resources: Sequence[Mapping[str, Any]], type_: str) -> list[Mapping[str, Any]]:
    return [one for one in resources if one["type"] == type_]


def _is_topic(target: Mapping[str, Any]) -> bool:
    return target["outputs"]["arn"].startswith("arn:aws:sns:")


def _name(arn: str) -> str:
    return arn.rpartition(":")[2]


def _state(stack: str) -> list[dict[str, Any]]:
    """The resources of a stack that is up.

    Raises:
        CannotFireError: it is not.
    """
    endpoint = cloud.aws_endpoint()
    found = Stack(stack, cloud.environment(endpoint)).resources() if endpoint else []
    if not any(one.get("custom") for one in found):
        raise CannotFireError(f"{stack} is not up: `make up STACK={stack}` first")
    return found


def _region(resources: Sequence[Mapping[str, Any]]) -> str:
    providers = _of(resources, "pulumi:providers:aws")
    return providers[0]["inputs"]["region"] if providers else ""


def _client(region: str) -> Callable[[str], Any]:
    import boto3

    access = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    return lambda service: boto3.client(
        service, region_name=region, endpoint_url=cloud.aws_endpoint(), **access
    )
