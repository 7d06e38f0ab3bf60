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

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from commands.alarm.alert import Alert, CannotFireError, of_type
from commands.alarm.cloud_monitoring import logging
from commands.alarm.eventbridge import eventbridge
from commands.alarm.prometheus import prometheus
from commands.console import console, step
from commands.stacks import settings_of
from localcloud import cloud
from localcloud.engine import EngineError, Stack
from localcloud.toolchain import install
from localcloud.toolchain.errors import ToolchainError

ERRORS = (ToolchainError, EngineError)


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
    providers = of_type(resources, "pulumi:providers:aws")
    return providers[0]["inputs"]["region"] if providers else ""


def _client(region: str) -> Callable[[str], Any]:
    import boto3

    access = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    return lambda service: boto3.client(
        service, region_name=region, endpoint_url=cloud.aws_endpoint(), **access
    )
