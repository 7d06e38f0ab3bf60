"""Lake: a team's data in one region, under keys of its own, on either cloud."""

import pulumi

from india_ai_infra.args import LakeArgs
from india_ai_infra.checked import lake_settings
from india_ai_infra.providers import check_region
from infra import contracts
from infra.aws.iam import Account
from infra.aws.keys import Keys, KeysArgs
from infra.aws.lake import Lake as AwsLake
from infra.aws.lake import LakeArgs as AwsLakeArgs
from infra.contracts.governance import DataGovernance
from infra.gcp.bucket import DUAL_REGION
from infra.gcp.iam import Project
from infra.gcp.keys import Keys as GoogleKeys
from infra.gcp.keys import KeysArgs as GoogleKeysArgs
from infra.gcp.lake import Lake as GoogleLake
from infra.gcp.lake import LakeArgs as GoogleLakeArgs
from infra.settings.aws import Aws
from infra.settings.gcp import Gcp


class Lake(pulumi.ComponentResource):
    """Buckets raw, curated, features, models and checkpoints, and audit for logs about them: private, encrypted under
    customer keys, versioned, and erased when their time is over. On AWS the trail called `<component>-<stack>`, which
    you make, may write to audit, and access-logs has the reads.

    Raises ArgumentsError, before anything is registered, with all that is wrong in `args`.
    """

    buckets: pulumi.Output[dict[str, str]]
    """Names of the buckets, by their role."""
    uris: pulumi.Output[dict[str, str]]
    """Where the buckets are (s3://… or gs://…), by their role."""
    key: pulumi.Output[str]
    """The key that encrypts the data: an ARN on AWS, a path on Google."""

    def __init__(self, name: str, args: LakeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        asked = lake_settings(name, args)
        super().__init__("india-ai-infra:index:Lake", name, None, opts)
        governance = DataGovernance(asked.data_class, asked.owner, asked.purpose, asked.retention_days)
        # As workloads take it; for Python programs alone.
        self.lake = (
            _on_aws(self, name, asked.aws, governance)
            if asked.aws
            else _on_google(self, name, asked.gcp, governance)
        )
        self.key = pulumi.Output.from_input(self.lake["raw"].key or "")
        self.buckets = pulumi.Output.all(**{role: each.name for role, each in self.lake.buckets.items()})
        self.uris = pulumi.Output.all(**{role: each.uri for role, each in self.lake.buckets.items()})
        self.register_outputs({"buckets": self.buckets, "uris": self.uris, "key": self.key})


def _on_aws(
    self: pulumi.ComponentResource, name: str, cloud: Aws, governance: DataGovernance
) -> contracts.Lake:
    check_region(f"Lake {name}", cloud.region, self)
    child = pulumi.ResourceOptions(parent=self)
    account = Account.current(cloud.region, pulumi.InvokeOptions(parent=self))
    called = f"{name}-{pulumi.get_stack()}"
    keys = Keys(
        f"{name}-keys",
        KeysArgs(account, governance, called, called, protect=cloud.protect_data, uses=("lake", "logs")),
        child,
    )
    args = AwsLakeArgs(
        account, governance, keys.lake, keys.logs, trail_name=called, protect=cloud.protect_data
    )
    return AwsLake(name, args, child).lake


def _on_google(
    self: pulumi.ComponentResource, name: str, cloud: Gcp | None, governance: DataGovernance
) -> contracts.Lake:
    assert cloud, "settings have a cloud"
    child = pulumi.ResourceOptions(parent=self)
    project = Project.current(cloud.project, cloud.region, pulumi.InvokeOptions(parent=self))
    called, both = f"{name}-{pulumi.get_stack()}", cloud.lake.dual_region
    location = DUAL_REGION.lower() if both else None
    keys = GoogleKeys(
        f"{name}-keys",
        GoogleKeysArgs(project, governance, called, cloud.protect_data, location, uses=("lake", "logs")),
        child,
    )
    args = GoogleLakeArgs(project, governance, keys.lake, keys.logs, both, cloud.protect_data)
    return GoogleLake(name, args, child).lake
