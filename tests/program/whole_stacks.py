"""The whole program on mocks, run for a stack's configuration once a session: what it registers is only looked at."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pulumi
import yaml

import program
from localcloud.directories import PROJECT

# Addresses of S3 in Mumbai, as its gateway tells them.
S3_RANGE = "3.5.208.0/22"
# What AWS answers and the program looks at.
ANSWERED: Mapping[str, Any] = {
    "aws:eks/cluster:Cluster": {
        "endpoint": "https://127.0.0.1:1",
        "certificateAuthority": {"data": "Y2E="},
        "vpcConfig": {"clusterSecurityGroupId": "sg-cluster"},
    },
    "aws:ec2/launchTemplate:LaunchTemplate": {"latestVersion": 1},
    "aws:ec2/vpcEndpoint:VpcEndpoint": {"cidrBlocks": [S3_RANGE]},
    "aws:rds/instance:Instance": {"address": "db.example.in"},
    "gcp:sql/databaseInstance:DatabaseInstance": {
        "pscServiceAttachmentLink": "projects/g/regions/asia-south1/serviceAttachments/a",
        "serverCaCerts": [{"cert": "PEM"}],
    },
    "gcp:compute/address:Address": {"address": "10.64.0.9", "selfLink": "https://compute/addresses/a"},
}

_RUN: dict[str, Any] = {}


def config_of(stack: str) -> dict[str, Any]:
    """The configuration of one of our own stacks, a new one each time."""
    return yaml.safe_load((PROJECT / f"Pulumi.{stack}.yaml").read_text())["config"]


def run(deploy: Callable[..., Any], config: Mapping[str, Any], secrets: Sequence[str] = ()) -> Any:
    """What the program registers under a configuration; it runs once for each."""
    key = json.dumps([config, list(secrets)], sort_keys=True)
    if key not in _RUN:
        _RUN[key] = run_anew(deploy, config, secrets)
    return _RUN[key]


def run_anew(
    deploy: Callable[..., Any], config: Mapping[str, Any], secrets: Sequence[str] = (), stack: str = "unit"
) -> Any:
    """The same, for what a run says on its way, or by the name of a stack."""
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}
    before = dict(pulumi.runtime.config.CONFIG.get())
    pulumi.runtime.set_all_config(texts, list(secrets))
    try:
        return deploy(program.run, outputs=ANSWERED, stack=stack)
    finally:
        pulumi.runtime.set_all_config(before)
