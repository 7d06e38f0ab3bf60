"""An alert that was fired, and its way from a topic to those who subscribed to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from localcloud.alert_delivery import Topic


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


def delivered(
    kind: str, rule: str, through: str, to: Topic, lacks: str, words: str, aws: Callable[[str], Any]
) -> Alert:
    """The alert, published to moto's topic if nothing keeps it from there."""
    if lacks:
        return Alert(kind, rule, through, why=lacks)
    if not to.subscribers:
        return Alert(kind, rule, through, why="nobody is subscribed: aws.audit.alertEmails is empty")
    aws("sns").publish(TopicArn=to.arn, Message=words)
    return Alert(kind, rule, through, to.subscribers, words=" ".join(words.split()))


def of_type(resources: Sequence[Mapping[str, Any]], type_: str) -> list[Mapping[str, Any]]:
    """The resources of a type, of those of a state."""
    return [one for one in resources if one["type"] == type_]


def short_name(arn: str) -> str:
    """The last part of a topic's ARN."""
    return arn.rpartition(":")[2]
