"""Registry: public images kept in ECR of the region, so that nodes pull them without leaving it.

Sources, read 2026-11-24: Amazon ECR user guide, "Sync an upstream registry", "IAM permissions required to sync an
upstream registry", "Repository creation templates", "Interface VPC endpoints"; CreatePullThroughCacheRule's list of
upstreams in botocore. nvcr.io is not among them: its images are copied by hand (`make images` says how).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import pulumi
import pulumi_aws as aws
from pydantic.alias_generators import to_camel

from infra.aws import iam
from infra.aws.iam import Account
from infra.settings.aws import Registries
from infra.settings.errors import Problem, SettingsError
from infra.settings.names import shortened

# Where the EFA plugin's chart pulls from, and AWS's own registry of EKS add-on images in each region ("Amazon container
# image registries for EKS add-ons"). Add-ons that EKS installs are pulled from there already.
EKS_ADDONS = "602401143452.dkr.ecr.us-west-2.amazonaws.com"
ADDON_REGISTRIES: Mapping[str, str] = MappingProxyType(
    {
        "ap-south-1": "602401143452.dkr.ecr.ap-south-1.amazonaws.com",
        "ap-south-2": "900889452093.dkr.ecr.ap-south-2.amazonaws.com",
    }
)


@dataclass(frozen=True)
class Upstream:
    """A registry as ECR knows it: `url` (None: ECR can't mirror it), and the last part of its repositories' prefix.

    ECR asks for credentials where the registry has a `secret`, the setting of `Registries` that names it.
    """

    url: str | None
    prefix: str
    secret: str | None = None

    def pulled_through(self, asked: Registries) -> bool:
        """Whether ECR fetches its images itself."""
        return bool(self.url and (self.secret is None or getattr(asked, self.secret)))


UPSTREAMS: Mapping[str, Upstream] = MappingProxyType(
    {
        "registry.k8s.io": Upstream("registry.k8s.io", "k8s"),
        "quay.io": Upstream("quay.io", "quay"),
        "public.ecr.aws": Upstream("public.ecr.aws", "public"),
        "ghcr.io": Upstream("ghcr.io", "github", "github_secret"),
        "docker.io": Upstream("registry-1.docker.io", "docker", "docker_hub_secret"),
        "nvcr.io": Upstream(None, "nvidia"),
    }
)
LONGEST_PREFIX = 30 - len("/github")  # ECR takes 30 characters
# By number and not by age: an image that runs for a year is as needed as a new one. One for several machines is many.
KEPT_IMAGES = 100


def mirrored(asked: Registries) -> dict[str, Upstream]:
    """The upstreams that have a mirror, by name."""
    return {
        name: upstream
        for name, upstream in UPSTREAMS.items()
        if asked.mirror and (upstream.pulled_through(asked) or name in asked.copied)
    }


def prefix(stack: str) -> str:
    """What the names of a stack's repositories begin with: rules are the account's, and stacks may share one."""
    return shortened(f"mirror-{re.sub(r'[^a-z0-9]+', '-', stack.lower()).strip('-')}", LONGEST_PREFIX)


def address(region: str, stack: str, upstream: Upstream) -> str:
    """Where images of an upstream are in ECR, after the account's id."""
    return f".dkr.ecr.{region}.amazonaws.com/{prefix(stack)}/{upstream.prefix}"


@dataclass(frozen=True)
class RegistryArgs:
    """`key_arn` encrypts the images; `node_roles` are the names of the roles that pull them."""

    account: Account
    owner: str
    stack: str
    asked: Registries
    key_arn: pulumi.Input[str]
    node_roles: Mapping[str, pulumi.Input[str]]


class Registry(pulumi.ComponentResource):
    """Pull-through cache rules, how the repositories that they make are kept, and the nodes' right to use them.

    `mirrors` are the addresses to pull from instead, by upstream; charts wait for `ready`. The registry's own policy is
    left alone: an account has one for all its stacks, and within an account the roles' policies are enough.
    """

    mirrors: Mapping[str, pulumi.Input[str]]
    ready: Sequence[pulumi.Resource]

    def __init__(self, name: str, args: RegistryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("india-ai-infra:aws:Registry", name, None, opts)
        self._args = args
        self._child = pulumi.ResourceOptions(parent=self)
        region, found = args.account.region, mirrored(args.asked)
        addresses = {
            upstream: pulumi.Output.concat(args.account.id, address(region, args.stack, made))
            for upstream, made in found.items()
        }
        self.mirrors = {EKS_ADDONS: ADDON_REGISTRIES[region], **addresses}
        self.ready = [*self._rules(name, found), *self._pulls(name)] if found else []
        self.register_outputs({"mirrors": self.mirrors})

    def _rules(self, name: str, found: Mapping[str, Upstream]) -> list[pulumi.Resource]:
        args, template = self._args, self._template(name)
        rules = [
            aws.ecr.PullThroughCacheRule(
                f"{name}-{upstream.prefix}",
                ecr_repository_prefix=f"{prefix(args.stack)}/{upstream.prefix}",
                upstream_registry_url=upstream.url,
                credential_arn=self._secret(upstream.secret) if upstream.secret else None,
                opts=pulumi.ResourceOptions(parent=self, depends_on=[template]),
            )
            for upstream in found.values()
            if upstream.pulled_through(args.asked)
        ]
        return [template, *rules]

    def _secret(self, setting: str) -> str:
        """The secret that a setting names. It must be of this account: ECR reads no other, and says so only at a pull.

        The account is asked for at once, so that a refusal reads as one of any other setting.
        """
        arn = getattr(self._args.asked, setting)
        account = aws.get_caller_identity(opts=pulumi.InvokeOptions(parent=self)).account_id
        if arn.split(":")[4] == account:
            return arn
        where = f"aws.registries.{to_camel(setting)}"
        raise SettingsError([Problem(where, arn, f"a secret of account {account}: ECR reads its own only")])

    def _template(self, name: str) -> aws.ecr.RepositoryCreationTemplate:
        """The template of repositories that a first pull or a copy by hand makes: encrypted, with immutable tags."""
        args = self._args
        return aws.ecr.RepositoryCreationTemplate(
            name,
            prefix=prefix(args.stack),
            description=f"Public images of stack {args.stack}",
            applied_fors=["PULL_THROUGH_CACHE", "CREATE_ON_PUSH"],
            custom_role_arn=self._creator(name),
            encryption_configurations=[{"encryption_type": "KMS", "kms_key": args.key_arn}],
            image_tag_mutability="IMMUTABLE",
            lifecycle_policy=json.dumps({"rules": [_keep(KEPT_IMAGES)]}),
            resource_tags={"owner": args.owner, "stack": args.stack},
            opts=self._child,
        )

    def _creator(self, name: str) -> pulumi.Output[str]:
        """The role that ECR takes to make repositories with a key and tags; its ARN waits for its policy."""
        args = self._args
        role = aws.iam.Role(
            f"{name}-creator",
            description=f"ECR makes repositories of stack {args.stack}",
            assume_role_policy=iam.trust(iam.service("ecr.amazonaws.com")),
            opts=self._child,
        )
        create = ("ecr:CreateRepository", "ecr:ReplicateImage", "ecr:TagResource")
        use = ("kms:CreateGrant", "kms:RetireGrant", "kms:DescribeKey")
        policy = aws.iam.RolePolicy(
            f"{name}-creator",
            role=role.id,
            policy=iam.document(
                iam.statement("MakeRepositories", create, self._repositories),
                iam.statement("UnderTheKey", use, pulumi.Output.from_input(args.key_arn)),
            ),
            opts=self._child,
        )
        return pulumi.Output.all(role.arn, policy.id).apply(lambda both: both[0])

    def _pulls(self, name: str) -> list[pulumi.Resource]:
        """A node's first pull of an image imports it, and makes its repository."""
        first_pull = iam.document(
            iam.statement(
                "FirstPull", ("ecr:BatchImportUpstreamImage", "ecr:CreateRepository"), self._repositories
            )
        )
        return [
            aws.iam.RolePolicy(f"{name}-{which}", role=role, policy=first_pull, opts=self._child)
            for which, role in self._args.node_roles.items()
        ]

    @property
    def _repositories(self) -> pulumi.Output[str]:
        return self._args.account.arn("ecr", f"repository/{prefix(self._args.stack)}/*")


def _keep(images: int) -> Mapping[str, object]:
    return {
        "rulePriority": 1,
        "description": f"The newest {images} images of a repository",
        "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": images},
        "action": {"type": "expire"},
    }
