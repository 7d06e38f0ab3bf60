"""`make preflight STACK=prod`: before the first `pulumi up` on a real account, everything that would stop it half-way.

The stack is previewed on the local cloud, and the accounts of your own logins are asked about what it needs. Nothing
is made or changed. The exit code is 1 when something is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from commands.console import console, step
from commands.cost import command as cost
from commands.preflight import account, budget, google, google_apis, named, named_google, needs, releases
from commands.preflight.account import Aws, Finding
from commands.preflight.needs import Placed
from commands.stacks import settings_of
from infra.catalog.resolved import resolver
from infra.pricing.resources import Resource, ResourceGraph
from localcloud.engine import EngineError
from localcloud.toolchain import install
from localcloud.toolchain.errors import ToolchainError

ERRORS = (ToolchainError, EngineError)
MARKS: Mapping[str, str] = {
    "ok": "[green]ok[/]",
    "tight": "[yellow]look[/]",
    "missing": "[red]missing[/]",
    "unknown": "[yellow]not known[/]",
}


class NoLoginError(Exception):
    """There are no credentials, or AWS refuses them; the message says what to do."""


def preflight(
    stack: Annotated[
        str, typer.Option("--stack", "-s", help="Which Pulumi.<stack>.yaml to check for.")
    ] = "prod",
) -> None:
    """Check a real account, with your own login, for what a stack needs: quotas, zones, rights, leftovers."""
    resolve = resolver()
    settings = settings_of(stack, resolve)
    aws, caller, apis = of_session(), "", None
    unasked = False
    try:
        caller = caller_of(aws) if settings.aws else ""
    except NoLoginError as error:
        unasked = _unasked(error)
    try:
        apis = google_apis.of_login(settings.gcp.project) if settings.gcp else None
    except google_apis.NoGoogleLoginError as error:
        unasked = _unasked(error)
    if not caller and not apis:
        raise typer.Exit(1)
    with step("Tools of the local cloud") as report:
        install.ensure(report)
    registered = ResourceGraph(map(Resource.of_state, cost.registered(stack)), settings.usage)
    findings: list[Finding] = []
    if caller and settings.aws:
        pools = [resolve(settings.aws.region, pool) for pool in settings.aws.cluster.pools]
        with step("Asking the AWS account"):
            findings += check(registered, needs.placed(settings.aws, pools), caller, aws)
            findings += named.check(settings, aws) + releases.check(settings.aws, aws)
            findings += budget.check(settings, aws)
        show(stack, f"the account of {caller}", findings)
    if apis and settings.gcp:
        with step("Asking the Google project"):
            of_google = google.check(registered, settings.gcp.project, settings.gcp.region, apis)
            of_google += named_google.check(settings, apis)
            of_google += budget.check_google(settings, apis)
        show(stack, f"the project {settings.gcp.project}", of_google)
        findings += of_google
    if unasked or any(finding.verdict == "missing" for finding in findings):
        raise typer.Exit(1)


def _unasked(error: Exception) -> bool:
    """Say that a cloud could not be asked; the others are."""
    console.print(f"[red]✗[/] {escape(str(error))}", soft_wrap=True)
    return True


def of_session() -> Aws:
    """Clients of the user's own login, as the AWS CLI finds it, kept."""
    import boto3
    from botocore.config import Config

    session = boto3.Session()
    config = Config(retries={"mode": "standard", "max_attempts": 5}, connect_timeout=10, read_timeout=30)
    made: dict[tuple[str, str], Any] = {}

    def client(service: str, region: str) -> Any:
        if (service, region) not in made:
            made[service, region] = session.client(service, region_name=region, config=config)
        return made[service, region]

    return client


def caller_of(aws: Aws) -> str:
    """The ARN of the login.

    Raises:
        NoLoginError: none was found, or AWS refuses it.
    """
    try:
        return aws("sts", account.IAM_REGION).get_caller_identity()["Arn"]
    except account.UNSAID as error:
        raise NoLoginError(
            f"no AWS login to ask ({error}): set AWS_PROFILE, or log in with `aws sso login`, and run it again; "
            "nothing was checked"
        ) from None


def check(stack: ResourceGraph, pools: Sequence[Placed], caller: str, aws: Aws) -> list[Finding]:
    """Every check of the AWS part of a stack, in the order in which a first `up` would fail."""
    places = needs.regions(stack)
    if not places:
        return []
    wanted, unlisted = needs.actions(one.type for one in stack.by_urn.values())
    findings = [account.region_enabled(place, aws) for place in places]
    findings += account.rights(caller, wanted, aws)
    if unlisted:
        note = "commands/preflight/actions.yaml lacks them"
        findings.append(
            Finding("rights", ", ".join(unlisted), "known actions", note, "unknown", f"add a row: {note}")
        )
    findings += [account.quota(need, needs.tags(stack), aws) for need in needs.needs(stack)]
    findings += [account.offered(pool, aws) for pool in pools]
    findings += [account.service_role(role, aws) for role in needs.service_roles(stack)]
    found = (account.detector(stack, place, aws) for place in places)
    return findings + [finding for finding in found if finding]


def show(stack: str, where: str, findings: Sequence[Finding]) -> None:
    """A row for each finding, and a line for each thing to do."""
    table = Table("check", "what", "needed", "there", "", box=SIMPLE_HEAD)
    table.title, table.title_justify = f"{stack} on {where}", "left"
    for finding in findings:
        cells = (finding.kind, finding.what, finding.needed, finding.actual)
        table.add_row(*map(escape, cells), MARKS[finding.verdict])
    console.print(table)
    order = ["missing", "tight", "unknown"]
    todo = sorted((found for found in findings if found.fix), key=lambda found: order.index(found.verdict))
    if not todo:
        console.print("[green]Nothing is missing.[/]")
        return
    console.print("[bold]To do[/]")
    for finding in todo:
        console.print(
            f"  {MARKS[finding.verdict]} {escape(f'{finding.what}: {finding.fix}')}", soft_wrap=True
        )
