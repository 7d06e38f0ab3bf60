"""Alerts: what is watched, and who hears of it, as the state has both. `make alarm` shows that a message gets there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from commands.page.document import Cell, Mood, Section, Table, columns, listed, row
from commands.page.state import State
from infra.pricing.resources import plain

RULES, CHART = "kubernetes:monitoring.coreos.com/v1:PrometheusRule", "kube-prometheus-stack"
POLICY, CHANNEL = (
    "gcp:monitoring/alertPolicy:AlertPolicy",
    "gcp:monitoring/notificationChannel:NotificationChannel",
)
TARGET, RULE = "aws:cloudwatch/eventTarget:EventTarget", "aws:cloudwatch/eventRule:EventRule"
SUBSCRIPTION = "aws:sns/topicSubscription:TopicSubscription"
AWS_BUDGET, GCP_BUDGET = "aws:budgets/budget:Budget", "gcp:billing/budget:Budget"
# A matcher of Alertmanager: `severity =~ "info|none"`.
MATCHER = re.compile(r'\s*(\w+)\s*(=~|!~|!=|=)\s*"?([^"]*)"?\s*')
# A part of a message that is known when it fires: Prometheus' `{{ $labels.gpu }}`, Google's `${….label.gpu}`.
FILLED = re.compile(r"\{\{ ?\$(?:labels\.)?(\w+) ?\}\}|\$\{[\w.]*?(\w+)\}")
MOODS: Mapping[str, Mood] = {"critical": "bad", "warning": "warn"}
Tree = Mapping[str, Any]


@dataclass(frozen=True)
class Alert:
    """A rule, what evaluates it, how bad it is, what it says, when it fires, and who hears of it."""

    by: str
    rule: str
    severity: str
    says: str
    when: str
    people: tuple[str, ...]


def alerts(state: State) -> list[Alert]:
    """Every alert of the stack, those first that nobody hears."""
    found = [*_prometheus(state), *_google(state), *_events(state), *_budgets(state)]
    return sorted(found, key=lambda one: bool(one.people))


def section(state: State) -> Section:
    """The alerts, and a warning where some reach nobody."""
    found = alerts(state)
    deaf = sum(not one.people for one in found)
    words = [
        Cell(f"{deaf} of {len(found)} alerts reach nobody: put addresses into `audit.alertEmails`.", "bad")
    ]
    good = [Cell("Mail is sent once an address has confirmed; `make alarm` fires one of each kind.")]
    rows = [
        row(
            one.rule,
            Cell(one.severity, MOODS.get(one.severity, "")),
            FILLED.sub(lambda part: f"<{part[1] or part[2]}>", one.says),
            Cell(listed(one.people, none="nobody"), "" if one.people else "bad"),
            one.by,
            one.when,
        )
        for one in found
    ]
    names = columns("alert", "severity", "says", "who hears", "watched by", "fires when")
    table = Table("Rules, and who hears of them", names, rows)
    if not found:
        return Section("alerts", "Alerts", [Cell("This stack has no alert.", "warn")], [])
    return Section("alerts", "Alerts", words if deaf else good, [table])


def _prometheus(state: State) -> Iterator[Alert]:
    """Of clusters whose Alertmanager is told where to send; on Google Cloud Monitoring evaluates the same rules."""
    charts = {
        one["provider"]: plain(one["inputs"], "values", "alertmanager") or {}
        for one in state.of("kubernetes:helm.sh/v3:Release")
        if one["urn"].endswith(f"::{CHART}")
    }
    for rules in state.of(RULES):
        told = charts.get(rules["provider"]) or {}
        if told.get("enabled") is False:
            continue
        for rule in (rule for group in rules["inputs"]["spec"]["groups"] for rule in group["rules"]):
            if "alert" in rule:
                labels = {"alertname": rule["alert"], **(rule.get("labels") or {})}
                says = str(plain(rule, "annotations", "summary") or "")
                when = f"{rule['expr']} for {rule['for']}" if rule.get("for") else rule["expr"]
                people = _of_topics(state, _topics(told.get("config") or {}, labels))
                yield Alert("Prometheus", rule["alert"], labels.get("severity", ""), says, when, people)


def _topics(config: Tree, labels: Mapping[str, str]) -> list[str]:
    """The topics of the receiver that Alertmanager's routes lead to: of the first child that matches, or its parent."""
    route = config.get("route") or {}
    matched = next(
        (one for one in route.get("routes") or () if _matches(one.get("matchers") or (), labels)), route
    )
    receivers = {one["name"]: one for one in config.get("receivers") or ()}
    receiver = receivers.get(str(matched.get("receiver") or route.get("receiver")), {})
    return [str(one.get("topic_arn")) for one in receiver.get("sns_configs") or ()]


def _matches(matchers: Sequence[str], labels: Mapping[str, str]) -> bool:
    return all(
        found and _holds(labels.get(found[1], ""), found[2], found[3])
        for found in map(MATCHER.fullmatch, matchers)
    )


def _holds(value: str, operator: str, given: str) -> bool:
    same = bool(re.fullmatch(given, value)) if "~" in operator else value == given
    return same is not operator.startswith("!")


def _of_topics(state: State, topics: Sequence[str]) -> tuple[str, ...]:
    """Who is subscribed to topics of SNS."""
    subscribed = (one["inputs"] for one in state.of(SUBSCRIPTION))
    return tuple(f"{one['endpoint']}" for one in subscribed if one.get("topic") in topics)


def _google(state: State) -> Iterator[Alert]:
    for policy in (one["inputs"] for one in state.of(POLICY)):
        people = _of_channels(state, policy.get("notificationChannels") or ())
        condition = next(iter(policy.get("conditions") or ()), {})
        query = condition.get("conditionPrometheusQueryLanguage") or {}
        by = "Cloud Monitoring" if query else "Cloud Logging"
        when = query.get("query") or plain(condition, "conditionMatchedLog", "filter") or ""
        says = str(plain(policy, "documentation", "content") or "")
        name = str(policy.get("displayName")).partition(": ")[2] or str(policy.get("displayName"))
        yield Alert(by, name, str(policy.get("severity") or "").lower(), says, str(when), people)


def _of_channels(state: State, ids: Sequence[str]) -> tuple[str, ...]:
    channels = {one.get("id"): one["inputs"].get("labels") or {} for one in state.of(CHANNEL)}
    return tuple(str(value) for id in ids for value in channels.get(id, {}).values())


def _events(state: State) -> Iterator[Alert]:
    """Rules of EventBridge whose target is a topic; those of a queue are for programs."""
    rules = {one["inputs"].get("name"): one["inputs"] for one in state.of(RULE)}
    for target in (one["inputs"] for one in state.of(TARGET)):
        if ":sns:" in str(target.get("arn")):
            rule = rules.get(target.get("rule"), {})
            says, when = str(rule.get("description") or ""), str(rule.get("eventPattern") or "")
            people = _of_topics(state, [target["arn"]])
            yield Alert("EventBridge", str(target.get("rule")), "", says, when, people)


def _budgets(state: State) -> Iterator[Alert]:
    for budget in (one["inputs"] for one in state.of(AWS_BUDGET)):
        told = budget.get("notifications") or ()
        people = dict.fromkeys(mail for one in told for mail in one.get("subscriberEmailAddresses") or ())
        shares = (f"{one.get('notificationType', '').lower()} {one.get('threshold'):g} %" for one in told)
        limit = f"of {budget.get('limitAmount')} {budget.get('limitUnit')} a month"
        yield Alert("AWS Budgets", str(budget.get("name")), "", limit, listed(shares), tuple(people))
    for budget in (one["inputs"] for one in state.of(GCP_BUDGET)):
        told = plain(budget, "allUpdatesRule", "monitoringNotificationChannels") or ()
        shares = (f"{100 * float(one['thresholdPercent']):g} %" for one in budget.get("thresholdRules") or ())
        amount = plain(budget, "amount", "specifiedAmount") or {}
        limit = f"of {amount.get('units')} {amount.get('currencyCode')} a month"
        people = _of_channels(state, told)
        yield Alert("Google budget", str(budget.get("displayName")), "", limit, listed(shares), people)
