"""An alert's way through Alertmanager: the routing tree and the words of the message, by its own amtool, and the role
of its pods."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from commands.alarm.alert import Alert, CannotFireError, delivered, of_type, short_name
from localcloud import alert_delivery
from localcloud.permissions.iam_policies import statements

# As Alertmanager's default template for SNS.
BODY = '{{ template "sns.default.message" . }}'


def through_alertmanager(
    kind: str,
    alert: Mapping[str, Any],
    values: Mapping[str, Any],
    resources: Sequence[Mapping[str, Any]],
    aws: Callable[[str], Any],
    amtool: Path,
) -> Alert:
    """An alert of a cluster on AWS, to the topic of the receiver that it is routed to."""
    rule = alert["alert"]
    if not values.get("enabled", True) or "config" not in values:
        return Alert(kind, rule, "–", why="there is no Alertmanager, or none that is told where to send")
    receiver = _receiver(amtool, values["config"], {"alertname": rule, **alert["labels"]})
    for topic in receiver.get("sns_configs") or ():
        to = alert_delivery.topic(topic["topic_arn"], aws)
        account = values["serviceAccount"]["name"]
        lacks = alert_delivery.lacks_for_role(to, _role_of(account, resources, aws))
        through = f"receiver {receiver['name']}, topic {short_name(to.arn)}"
        return delivered(kind, rule, through, to, lacks, _rendered(amtool, BODY, alert), aws)
    return Alert(kind, rule, f"receiver {receiver['name']}", why="it sends to no topic")


def _receiver(amtool: Path, config: Mapping[str, Any], labels: Mapping[str, str]) -> Mapping[str, Any]:
    """Where Alertmanager routes an alert with these labels. What is not in the values is the chart's, which routes
    nothing."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(config, file)
        file.flush()
        told = [f"{name}={value}" for name, value in labels.items()]
        name = run_amtool(amtool, "config", "routes", "test", f"--config.file={file.name}", *told).strip()
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
        return run_amtool(
            amtool,
            "template",
            "render",
            f"--template.glob={folder}/*.tmpl",
            f"--template.text={template}",
            f"--template.data={folder}/data.json",
        ).strip()


def run_amtool(program: Path, *args: str) -> str:
    """What amtool prints.

    Raises:
        CannotFireError: it refuses, in its own words.
    """
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
        for one in of_type(resources, "aws:eks/podIdentityAssociation:PodIdentityAssociation")
        if (one["outputs"]["namespace"], one["outputs"]["serviceAccount"]) == ("monitoring", account)
    ]
    documents = [
        aws("iam").get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        for role in roles
        for policy in aws("iam").list_role_policies(RoleName=role)["PolicyNames"]
    ]
    return [statement for document in documents for statement in statements(document)]
