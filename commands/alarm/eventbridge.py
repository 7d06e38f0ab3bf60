"""Alerts of EventBridge: recorded events against the rules' patterns, by moto's own matcher, then their targets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from moto.events.models import EventPattern

from commands.alarm.alert import Alert, delivered, of_type, short_name
from localcloud import alert_delivery

EVENTBRIDGE = "EventBridge"
EVENTS = Path(__file__).parent / "data" / "aws_events.json"


def eventbridge(resources: Sequence[Mapping[str, Any]], aws: Callable[[str], Any]) -> Iterator[Alert]:
    """Each rule of the stack whose target is a topic, with a recorded event that it is for."""
    targets = [one for one in of_type(resources, "aws:cloudwatch/eventTarget:EventTarget") if _is_topic(one)]
    for target in targets:
        rule, arn = target["outputs"]["rule"], target["outputs"]["arn"]
        found = aws("events").describe_rule(Name=rule)
        pattern = EventPattern.load(found["EventPattern"])
        event = next((one for one in recorded_events(arn) if pattern.matches_event(one)), None)
        through = f"topic {short_name(arn)}"
        if event is None:
            yield Alert(EVENTBRIDGE, rule, through, why="no recorded event matches its pattern")
            continue
        to = alert_delivery.topic(arn, aws)
        words = _transformed(target["outputs"].get("inputTransformer") or {}, event)
        lacks = alert_delivery.lacks_for_eventbridge(to)
        yield delivered(EVENTBRIDGE, rule, through, to, lacks, words, aws)


def recorded_events(topic_arn: str) -> list[Any]:
    """Events as AWS documents them, in the account and region of a topic."""
    _, _, _, region, account, _ = topic_arn.split(":")
    told = EVENTS.read_text().replace("REGION", region).replace("ACCOUNT", account)
    return [one["event"] for one in json.loads(told).values()]


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


def _is_topic(target: Mapping[str, Any]) -> bool:
    return target["outputs"]["arn"].startswith("arn:aws:sns:")
