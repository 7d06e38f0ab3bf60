"""JUnit's XML, for GitLab, Jenkins and whoever else shows tests: a case for each control, failed by what stops.

A control that must judge a value and can't read it is an error: the test could not be carried out.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from policies.framework.record import ControlRun, Record, ReportedFinding
from policies.reports.positions import Positions

# What XML 1.0 can't hold, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(record: Record, positions: Positions) -> str:
    """One suite. Advice does not fail a case, and is in its output."""
    cases = [
        _case(control, [one for one in record.open if one.control == control.id], record, positions)
        for control in record.controls
    ]
    suite = ElementTree.Element(
        "testsuite",
        name=f"{record.pack} {record.stack}",
        timestamp=record.made.strftime("%Y-%m-%dT%H:%M:%S"),
        tests=str(len(cases)),
        failures=str(sum(case.find("failure") is not None for case in cases)),
        skipped=str(sum(case.find("skipped") is not None for case in cases)),
        errors=str(sum(case.find("error") is not None for case in cases)),
    )
    suite.extend(cases)
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _case(
    control: ControlRun, found: list[ReportedFinding], record: Record, positions: Positions
) -> ElementTree.Element:
    case = ElementTree.Element("testcase", classname=control.id, name=control.title)
    stops = [one for one in found if one.stops]
    if control.level == "disabled":
        ElementTree.SubElement(case, "skipped", message="off in this profile")
    if stops:
        failure = ElementTree.SubElement(
            case, "failure", message=f"{len(stops)} findings", type=control.severity
        )
        failure.text = _NOT_XML.sub("�", "\n".join(_line(one, positions) for one in stops))
    elif any(one.stops for one in record.of("encrypted") if one.control == control.id):
        ElementTree.SubElement(case, "error", message=record.not_judged, type="encrypted")
    if advice := [one for one in found if not one.stops]:
        output = ElementTree.SubElement(case, "system-out")
        output.text = _NOT_XML.sub("�", "\n".join(_line(one, positions) for one in advice))
    return case


def _line(finding: ReportedFinding, positions: Positions) -> str:
    line = positions.of(finding)
    return f"{line.file}:{line.line}: {finding.urn or 'the stack'}: {finding.message}"
