"""SARIF 2.1.0, for code scanning.

GitHub refuses a whole file when one result has no physical location, keeps the first 5,000 results of a run, takes
20 tags a rule, and shows suppressed results as open: so every result has a line, the worst come first, and what is
exempt is left out (the evidence has it).
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from policies.framework.record import ControlRun, Record, ReportedFinding
from policies.reports.positions import Positions

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
MOST_RESULTS = 5000
# GitHub's scale: critical from 9.0, high from 7.0, medium from 4.0.
SECURITY_SEVERITY = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "2.0"}


def sarif(record: Record, positions: Positions) -> dict[str, Any]:
    """The log of one run of the pack."""
    found = record.open[:MOST_RESULTS]
    of = {finding.control for finding in found}
    asked = [control for control in record.controls if control.id in of]
    index = {control.id: number for number, control in enumerate(asked)}
    seen: Counter[str] = Counter()
    driver = {
        "name": record.pack,
        "version": record.pack_version,
        "semanticVersion": record.pack_version,
        "rules": [_rule(control) for control in asked],
    }
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"{record.pack}/{record.project}/{record.stack}/"},
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, index[finding.control], positions, seen) for finding in found],
        "properties": {"left out": len(record.open) - len(found)},
    }
    if record.not_judged:
        level = "error" if any(finding.stops for finding in record.of("encrypted")) else "warning"
        notice = {"level": level, "message": {"text": record.not_judged}}
        run["invocations"] = [{"executionSuccessful": True, "toolExecutionNotifications": [notice]}]
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(control: ControlRun) -> dict[str, Any]:
    law = f"{control.basis}: {control.law}"
    return {
        "id": control.id,
        "name": "".join(word.capitalize() for word in control.title.replace("-", " ").split()),
        "shortDescription": {"text": control.title},
        "fullDescription": {"text": f"{control.title}. {law}"},
        "help": {
            "text": f"{control.remedy}. Basis: {law}",
            "markdown": f"**Fix**: {control.remedy}\n\n**Basis**: {law}",
        },
        "defaultConfiguration": {
            "level": "error" if control.level in ("mandatory", "remediate") else "warning"
        },
        "properties": {
            "tags": ["security", "india", control.basis],
            "security-severity": SECURITY_SEVERITY[control.severity],
        },
    }


def _result(finding: ReportedFinding, rule: int, positions: Positions, seen: Counter[str]) -> dict[str, Any]:
    line = positions.of(finding)
    seen[finding.fingerprint] += 1
    place = {
        "physicalLocation": {"artifactLocation": {"uri": line.file}, "region": {"startLine": line.line}},
        "logicalLocations": [{"fullyQualifiedName": finding.urn or "the stack", "kind": "resource"}],
    }
    return {
        "ruleId": finding.control,
        "ruleIndex": rule,
        "level": "error" if finding.stops else "warning",
        "message": {"text": finding.message},
        "locations": [place],
        # A second finding at one place is another one.
        "partialFingerprints": {
            f"{finding.control}/v1": f"{finding.fingerprint}:{seen[finding.fingerprint]}"
        },
    }
