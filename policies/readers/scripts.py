"""Variables that a script, a file of variables, a unit or a Dockerfile sets, and for which of its commands."""

from __future__ import annotations

import re

# What may be long is bounded or ends at its first quote, so that no line costs more than its length.
_VALUE = r"(\"[^\"]*\"|'[^']*'|\$\([^)]{0,200}\)|[^\s;&|\"']*)"
_ASSIGNED = re.compile(r"(?<![\w.$-])([A-Za-z_]\w{0,200})=" + _VALUE)
# `export A=b`, `Environment="A=b"`, `ENV A b`, `setx A b`, `$env:A = "b"`, `echo "A=b" >> .env`
_EXPORT = re.compile(
    r"(?:export|declare\s+-x|readonly|typeset\s+-x|local|Environment=|ENV|setenv|setx|echo(?:\s+-e)?|printf)"
    r"(?=[\s\"'])|Environment=|\$env:",
    re.IGNORECASE,
)
_PAIR = re.compile(r"(?:ENV|setenv|setx|set\s+-g?x)\s+([A-Za-z_]\w{0,200})\s+" + _VALUE + r"\s*(?:/M)?$")
_POWERSHELL = re.compile(r"\$env:([A-Za-z_]\w{0,200})\s*=\s*" + _VALUE, re.IGNORECASE)
_CONTAINER = re.compile(r"(?<![\w-])(?:docker|podman|nerdctl|ctr|finch)\b.{0,200}?\b(?:run|create)\b")
_FLAG = re.compile(r"(?<!\S)(?:-e|--env)(?:\s+|=)([\"']?)([A-Za-z_]\w{0,200})(?:=" + _VALUE + r")?\1(?=\s|$)")
_LIST_FLAG = re.compile(
    r"--(?:set|update)-(?:env-vars|secrets|build-env-vars)(?:\s+|=)(\"[^\"]*\"|'[^']*'|\S+)"
)
_PARTS = re.compile(r"\"[^\"]*\"|'[^']*'|&&|;|[^\"';&]+|.")
_COMMENT = re.compile(r"^\s*(?:#|//|;|REM\s)", re.IGNORECASE)
_MOST_LINES, _MOST_LENGTH = 50_000, 20_000

Assigned = list[tuple[str, str]]


def commands(text: str) -> tuple[Assigned, list[tuple[Assigned, bool]]]:
    """What the script sets for all that it runs, and for each command what only that one gets.

    The flag says whether the command takes what the script exported as well: one in a container of its own does not.
    """
    exported: Assigned = []
    single: list[tuple[Assigned, bool]] = []
    for line in _lines(text):
        if _CONTAINER.search(line):
            found = [(name, _bare(value) or "$") for _, name, value in _FLAG.findall(line)]
            single.append((found, False))
        elif "-env-vars" in line or "-secrets" in line:
            single.append(([pair for flag in _LIST_FLAG.findall(line) for pair in _listed(flag)], False))
        elif found := _exported(line):
            exported += found
        elif found := _before_a_command(line):
            single.append((found, True))
    return exported, [one for one in single if one[0]]


def _lines(text: str) -> list[str]:
    """Statements of a text, those that a backslash or a backtick continues as one, without comments."""
    joined = re.sub(r"[\\`^]\r?\n", " ", text)
    lines = [line[:_MOST_LENGTH] for line in joined.splitlines()[:_MOST_LINES] if not _COMMENT.match(line)]
    return [part.strip() for line in lines for part in _statements(line)]


def _statements(line: str) -> list[str]:
    """What `&&` and `;` outside quotes divide."""
    if "&&" not in line and ";" not in line:
        return [line]
    made = [""]
    for part in _PARTS.findall(line):
        if part in ("&&", ";"):
            made.append("")
        else:
            made[-1] += part
    return made


def _exported(line: str) -> Assigned:
    if pair := _PAIR.match(line):
        return [(pair[1], _bare(pair[2]))]
    if found := _POWERSHELL.findall(line):
        return [(name, _bare(value)) for name, value in found]
    if head := _EXPORT.match(line):
        rest = (
            line[head.end() :].strip().strip("\"'")
            if line[head.end() :].strip()[:1] in "\"'"
            else line[head.end() :]
        )
        if line[: head.end()].lower().startswith(("echo", "printf")) and ">" not in line:
            return []
        return [(name, _bare(value)) for name, value in _ASSIGNED.findall(rest)]
    found = _ASSIGNED.match(line)
    rest = _COMMENT.sub("", line[found.end() :]).strip() if found else ""
    return [(found[1], _bare(found[2]))] if found and (not rest or rest.startswith("#")) else []


def _before_a_command(line: str) -> Assigned:
    """`A=b C=d program`: what only this command gets."""
    found, at = [], 0
    line = re.sub(r"^(?:sudo(?:\s+-E)?|env)\s+", "", line)
    while match := _ASSIGNED.match(line, at):
        found.append((match[1], _bare(match[2])))
        at = match.end()
        while at < len(line) and line[at] in " \t":
            at += 1
    return found


def _listed(flag: str) -> Assigned:
    """`A=b,C=secret:latest`, as gcloud takes them."""
    pairs = (part.partition("=") for part in flag.strip("\"'").split(","))
    return [(name, value) for name, _, value in pairs if value]


def _bare(value: str) -> str:
    return value.strip("\"'")
