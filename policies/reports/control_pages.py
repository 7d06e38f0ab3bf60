"""A page for each control in docs/policies, and their index; `python -m policies.cli generate` writes them.

The words are the metadata and the docstrings beside the code, so that a page can't say what the pack does not do; a
test holds the pages against the controls.
"""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml
from pulumi_policy import EnforcementLevel

from policies.framework.control import ANY_TYPE, Control, nothing_resolves
from policies.framework.run_state import RunState
from policies.law import Law, provisions
from policies.pack import CONTROLS, GOV_04, UNRESOLVED
from policies.readers.tables import DATA

_NOT_EXEMPT = {
    "COST-01": "Not: raise the budget, with whoever pays.",
    "DPDP-GOV-03": "Not: mend the file.",
    "DPDP-GOV-04": "Under the id of the control that needed the value: its page has the entry.",
}
PAGES = tuple(sorted((*CONTROLS, GOV_04), key=lambda control: control.id))
FOLDER = Path(__file__).parents[2] / "docs/policies"
INDEX, LAW = "README.md", "provisions.md"
BASIS = {
    "statutory": "law that binds",
    "conditional": "law that binds once the Government notifies something",
    "posture": "a rule of this house, which no provision asks of everybody",
}


def pages() -> dict[str, str]:
    """Every file of the folder, by its name."""
    return {INDEX: _index(), LAW: _provisions(), **{_file(control): _page(control) for control in PAGES}}


@functools.cache
def why() -> dict[str, str]:
    """A sentence for each control, by its id."""
    return yaml.safe_load((DATA / "why.yaml").read_text())


def write(folder: Path = FOLDER) -> None:
    """Write the pages and remove those of controls that have gone."""
    made = pages()
    folder.mkdir(parents=True, exist_ok=True)
    for old in set(folder.glob("*.md")) - {folder / name for name in made}:
        old.unlink()
    for name, text in made.items():
        (folder / name).write_text(text)


def _file(control: Control) -> str:
    return f"{control.id.lower()}.md"


def _index() -> str:
    rows = [
        f"| [{one.id}]({_file(one)}) | {one.title} | {_basis(one.law)} | {_word(one.severity)} | {_word(one.level)} |"
        for one in PAGES
    ]
    head = "# The controls\n\nWritten by `python -m policies.cli generate` from the controls themselves.\n"
    table = "\n| Control | Asks | Basis | Severity | Level |\n|---|---|---|---|---|\n"
    return f"{head}{table}" + "\n".join(rows) + "\n"


def _basis(law: Law) -> str:
    bound = ", ".join(f"`{entity}`" for entity in law.regulated)
    return f"{law.basis}; statutory for {bound}" if bound and law.basis != "statutory" else law.basis


def _provisions() -> str:
    """The table of the law, as a page."""
    rows = [
        f"| {row.cited} | {row.requires} | {row.binds} | {row.when()} | {row.of.name.strip()} ({row.of.reference}). "
        f"{row.of.source}; read {row.of.read} |"
        for row in provisions().values()
    ]
    head = (
        "# The law, a row each\n\nWritten by `python -m policies.cli generate` from `policies/data/provisions.yaml`: "
        "every provision that this pack names. Read from public copies and reports; engineering facts, not legal "
        "advice.\n"
    )
    table = "\n| Provision | What it says | Whom it binds | Since | Source |\n|---|---|---|---|---|\n"
    return f"{head}{table}" + "\n".join(rows) + "\n"


def _law(control: Control) -> Iterator[str]:
    """What the findings of a control rest on: its own law, then those of some of them."""
    yield from _one_law(control.law)
    for law in control.laws[1:]:
        yield f"Some findings rest on another basis, and say so: {next(one := _one_law(law))}"
        yield from one


def _one_law(law: Law) -> Iterator[str]:
    yield f"**{law.basis}** ({BASIS[law.basis]}): {_sentence(law.says)}"
    if law.binding:
        yield _rows(law.binding)
    if law.beside:
        yield f"Near it, and asking for something else or less:\n\n{_rows(law.beside)}"
    for entity, ids in law.regulated.items():
        yield f"**Statutory** for whom the setting `regulatedAs` names `{entity}`:\n\n{_rows(ids)}"


def _rows(ids: Iterable[str]) -> str:
    rows = [provisions()[one] for one in ids]
    return "\n".join(f"- {row.cited} ({row.when()}): {row.requires}" for row in rows)


def _page(control: Control) -> str:
    parts = [
        f"# {control.id}: {control.title}",
        f"Severity {_word(control.severity)}; level {_word(control.level)}, unless a policy config says another.",
        f"## Why\n\n{why()[control.id]}",
        "## The law\n\n" + "\n\n".join(_law(control)) + f"\n\nSources: [the law, a row each]({LAW}).",
        "## What is checked\n\n" + "\n\n".join(_checked(control)),
        f"## How to fix it\n\n{_sentence(control.remedy)}",
        f"## Its level and settings\n\n{_configured(control)}",
        *_mended(control),
        f"## How to exempt\n\n{_exempted(control)}",
    ]
    return "\n\n".join(parts) + "\n"


def _exempted(control: Control) -> str:
    """The section on exempting one finding of a control until a day."""
    if control.id in _NOT_EXEMPT:
        return _NOT_EXEMPT[control.id]
    entry = (
        f"- control: {control.id}",
        '  urn: "urn:pulumi:STACK::PROJECT::TYPE::NAME"   # a glob, as narrow as it can be',
        "  reason: why this one may be, in a sentence that an auditor reads",
        "  owner: who answers for it",
        "  approver: who agreed, somebody else",
        "  ticket: where that stands",
        "  expires: 2027-03-31   # the last day; a year at most",
    )
    block = "\n".join(f"    {line}" for line in entry)
    return f"In `dpdp-exemptions.yaml` beside the program ([more](../policies.md#exemptions)):\n\n{block}"


def _checked(control: Control) -> Iterator[str]:
    for check, when in ((control.check, "Each resource"), (control.stack_check, "The whole stack")):
        if check:
            yield f"{when}: {_told(check)}"
    if control.check and control.types != ANY_TYPE:
        yield "Of these types, or of types that begin so:\n\n" + "\n".join(
            f"- `{one}`" for one in control.types
        )
    if control.check and control.types == ANY_TYPE:
        yield "Of every type, also of one that nobody listed."
    if control is GOV_04:
        yield "What every control needed to know and this preview could not; at its end, for the stack may settle it."
        return
    yield "A value that a preview can't know is reported as unresolved, and never passes" + (
        "."
        if control.resolves is nothing_resolves
        else ", unless resources of this stack make it: then they are judged, and the update judges the known value."
    )


def _told(check: Callable[..., Any]) -> str:
    """A check's docstring, without the id that it begins with."""
    text = " ".join((inspect.getdoc(check) or "").split())
    head, colon, rest = text.partition(": ")
    return _sentence(rest if colon and "-" in head else text)


def _configured(control: Control) -> str:
    names = [policy.name for policy in control.policies(RunState())] or [UNRESOLVED]
    settings = {
        name: schema.get("default") for name, schema in control.settings.items() if "default" in schema
    }
    level = _word(control.level)
    example = {names[0]: {"enforcementLevel": level, **settings} if settings else level}
    policies = " and ".join(f"`{name}`" for name in names)
    what = "".join(
        f"\n- `{name}`: {schema.get('description', 'see the code')}"
        for name, schema in {**control.settings, **control.settings_of_law}.items()
    )
    return (
        f"{policies}, in the file that `--policy-pack-config` names:\n\n"
        f"    {json.dumps(example)}\n{what and chr(10) + what.lstrip(chr(10)) + chr(10)}"
    ).rstrip()


def _mended(control: Control) -> Iterator[str]:
    if control.remediate:
        yield (
            f"## What it can fill in\n\n{_told(control.remediate)}\n\nOnly where its level is `remediate`, and only "
            "what is missing: what is written stays as it is, and so does what a preview can't know. The check then "
            "judges what came of it, as at the level mandatory:\n\n"
            f"    {json.dumps({control.policy_name: 'remediate'})}"
        )


def _sentence(text: str) -> str:
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _word(value: Any) -> str:
    return value.value if isinstance(value, EnforcementLevel) else str(getattr(value, "value", value)).lower()
