"""An audit of a state: the same findings as a preview's, secrets unread, and every wrong file named."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from policies import cli
from policies.configuration import profiles
from policies.configuration.schema import PolicyConfigError, parse
from policies.framework.record import Record, read
from policies.pack import CONTROLS
from policies.runner.offline import UNKNOWN
from policies.runner.states import SECRET as SECRET_SIGNATURE
from policies.runner.states import SIGNATURE, StateFileError, analyzed_resources, resources_of

SECRET = {SIGNATURE: SECRET_SIGNATURE, "ciphertext": "v1:abc"}
PROVIDER = "urn:pulumi:prod::shop::pulumi:providers:aws::here"
QUEUE = "urn:pulumi:prod::shop::aws:sqs/queue:Queue::orders"


def resource(urn: str, inputs: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "urn": urn,
        "type": urn.split("::")[2],
        "custom": True,
        "inputs": inputs,
        "outputs": inputs,
        **more,
    }


def state(queue: dict[str, Any], region: Any = "ap-south-1") -> dict[str, Any]:
    provider = resource(PROVIDER, {"region": region}, id="0b1c")
    tags = {
        "dpdp:data-class": "internal",
        "dpdp:owner": "x",
        "dpdp:purpose": "x",
        "dpdp:retention-days": "365",
    }
    given = {"tags": tags, "kmsMasterKeyId": "arn:aws:kms:ap-south-1:111122223333:key/k", **queue}
    orders = resource(
        QUEUE, given, provider=f"{PROVIDER}::0b1c", sourcePosition="project:///shop/index.ts#12"
    )
    return {"version": 3, "deployment": {"resources": [provider, orders]}}


def run(folder: Path, said: Any, *words: str) -> tuple[int, str, Record | None]:
    file = folder / "stack.json"
    file.write_text(said if isinstance(said, str) else json.dumps(said))
    result = CliRunner().invoke(
        cli.app, ["audit", str(file), "--out", str(folder / "out"), "--project", str(folder), *words]
    )
    assert not result.exception or isinstance(result.exception, SystemExit)
    kept = folder / "out" / "findings.json"
    return result.exit_code, " ".join(result.output.split()), read(kept) if kept.exists() else None


def open_of(record: Record | None) -> list[tuple[str, str, str]]:
    assert record
    return [(told.control, told.outcome, told.where) for told in record.open if told.stops]


def test_a_state_at_home_has_no_violation(tmp_path: Path) -> None:
    code, said, record = run(tmp_path, state({}))
    assert (code, open_of(record)) == (0, [])
    assert "prod: 2 resources" in said
    assert record and record.project == "shop"


def test_a_state_abroad_has_the_findings_of_a_preview(tmp_path: Path) -> None:
    code, said, record = run(tmp_path, state({"region": "eu-west-1"}, region="us-east-1"))
    assert code == 1
    assert open_of(record) == [("DPDP-RES-01", "fail", "region"), ("DPDP-RES-02", "fail", "region")]
    assert "eu-west-1" in said
    sarif = json.loads((tmp_path / "out" / "findings.sarif").read_text())
    (first, _) = sarif["runs"][0]["results"]
    place = first["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "shop/index.ts"}, "region": {"startLine": 12}}


def test_a_secret_is_not_known_and_never_a_pass(tmp_path: Path) -> None:
    code, said, record = run(tmp_path, state({}, region=SECRET))
    assert code == 1 and "Not judged: 1 resource whose values are secret" in said
    assert record and [(one.control, one.outcome) for one in record.findings if one.stops] == [
        ("DPDP-RES-02", "encrypted")
    ]


def kubernetes_secrets(*values: Any) -> dict[str, Any]:
    """A state with a Secret of each value."""
    urn = "urn:pulumi:prod::shop::kubernetes:core/v1:Secret::secret-{}"
    made = [
        resource(
            urn.format(at), {"metadata": {"name": f"secret-{at}", "namespace": "a"}, "stringData": value}
        )
        for at, value in enumerate(values)
    ]
    return {"version": 3, "deployment": {"resources": made}}


def clear(value: Any) -> dict[str, Any]:
    """A secret, as `--show-secrets` has it."""
    return {SIGNATURE: SECRET_SIGNATURE, "plaintext": json.dumps(value)}


def test_what_a_plain_export_hides_is_said_once_and_is_neither_a_violation_nor_clean(tmp_path: Path) -> None:
    hidden = kubernetes_secrets(SECRET, SECRET, {"password": SECRET})
    code, said, record = run(tmp_path, hidden)
    assert code == 1, "mandatory controls need what they can't know, as in a preview"
    assert "0 violations" in said and said.count("ot judged") == 1
    assert "3 resources whose values are secret in this export; `pulumi stack export --show-secrets`" in said
    assert open_of(record) == []
    kept = json.loads((tmp_path / "out" / "evidence.json").read_text())
    assert record and kept["notJudged"] == record.not_judged
    unjudged = {one["id"] for one in kept["controls"] if one["status"] == "encrypted"}
    assert unjudged > {"DPDP-ACC-04", "DPDP-K8S-01"}
    assert kept["notJudged"] in (tmp_path / "out" / "evidence.html").read_text().replace("&#39;", "'")
    sarif = json.loads((tmp_path / "out" / "findings.sarif").read_text())["runs"][0]
    (notice,) = sarif["invocations"][0]["toolExecutionNotifications"]
    assert sarif["results"] == [] and notice == {"level": "error", "message": {"text": kept["notJudged"]}}
    suite = (tmp_path / "out" / "junit.xml").read_text()
    assert 'failures="0"' in suite and 'errors="0"' not in suite

    config = tmp_path / "config.json"
    config.write_text('{"dpdp-unresolved-values": "advisory"}')
    code, said, _ = run(tmp_path, hidden, "--config", str(config))
    assert code == 0 and "Not judged: 3 resources" in said
    config.write_text('{"dpdp-unresolved-values": "disabled"}')
    code, said, _ = run(tmp_path, hidden, "--config", str(config))
    assert code == 0 and "ot judged" not in said


def test_secrets_in_the_clear_are_judged_and_nothing_of_them_is_written(tmp_path: Path) -> None:
    values = {"password": "correct-horse-battery", "HOST": "xy12345.us-east-1.snowflakecomputing.com"}
    shown = kubernetes_secrets(clear(values), {"password": clear(values["password"])})
    # A property that is no Kubernetes Secret's, whose value a finding would show.
    abroad = state({"region": clear("us-east-1")})["deployment"]["resources"]
    shown["deployment"]["resources"] += abroad
    code, said, record = run(tmp_path, shown)
    assert code == 1 and "ot judged" not in said
    assert {control for control, *_ in open_of(record)} >= {"DPDP-K8S-01", "DPDP-RES-01"}
    files = [file.read_text() for file in (tmp_path / "out").iterdir()]
    assert len(files) == 6
    for text in (said, *files):
        assert not any(value in text for value in values.values())
        assert "= us-east-1" not in text and "= &#39;us-east-1" not in text


def test_a_state_is_read_from_a_pipe_so_that_no_file_has_the_secrets(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as out:
        json.dump(kubernetes_secrets({"password": clear("correct-horse-battery")}), out)
    result = CliRunner().invoke(cli.app, ["audit", f"/dev/fd/{reader}", "--out", str(tmp_path)])
    os.close(reader)
    assert result.exit_code == 0, result.output


def test_a_secret_in_the_clear_is_read(tmp_path: Path) -> None:
    clear = {SIGNATURE: SECRET_SIGNATURE, "plaintext": '"us-east-1"'}
    assert open_of(run(tmp_path, state({}, region=clear))[2]) == [("DPDP-RES-02", "fail", "region")]


def test_profiles_and_configs_change_levels(tmp_path: Path) -> None:
    abroad = state({"region": "eu-west-1"})
    assert run(tmp_path, abroad, "--profile", "dpdp-only")[0] == 0
    config = tmp_path / "config.json"
    config.write_text('{"dpdp-res-01-resource-location-in-india": "disabled"}')
    assert run(tmp_path, abroad, "--config", str(config))[0] == 0
    config.write_text('{"all": "disabled"}')
    assert run(tmp_path, abroad, "--config", str(config))[0] == 0
    code, said, _ = run(tmp_path, abroad, "--profile", "sebi")
    assert code == 1 and "there is no profile sebi" in said and "sebi-re" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "no policy config"),
        ("[]", "the whole is []: an object is wanted"),
        (
            '{"dpdp-res-01-resource-location-in-indio": "advisory"}',
            "the nearest is dpdp-res-01-resource-location-in-india",
        ),
        (
            '{"dpdp-unresolved-values": "loud"}',
            "dpdp-unresolved-values is 'loud': one of advisory, mandatory",
        ),
        ('{"dpdp-unresolved-values": "advisry"}', "the nearest is advisory"),
        ('{"dpdp-unresolved-values": true}', "is True: a level or an object with settings is wanted"),
        (
            '{"dpdp-res-01-resource-location-in-india": "remediate"}',
            "disabled is wanted; it has nothing to fill in",
        ),
        ('{"all": "remediate"}', "disabled is wanted; it has nothing to fill in"),
        ('{"dpdp-gov-03-exemptions-are-valid": {"maxDay": 3}}', "no setting maxDay; the nearest is maxDays"),
        ('{"all": {"maxDays": 3}}', "all has no setting maxDays"),
        (
            '{"dpdp-gov-03-exemptions-are-valid": {"maxDays": "3"}}',
            "maxDays is '3': a whole number is wanted",
        ),
        (
            '{"dpdp-log-03-logs-kept-for-a-year": {"minimumDays": 90}}',
            "minimumDays: 90 is less than the minimum of 180",
        ),
        (
            '{"dpdp-enc-01-storage-under-a-customer-key-stack": {"inForceFrom": "soon"}}',
            "inForceFrom: 'soon' is not a 'date'",
        ),
        (
            '{"dpdp-enc-01-storage-under-a-customer-key-stack": {"regulatedAs": ["sebi"]}}',
            "regulatedAs.0 is 'sebi': one of sebi-re is wanted; the nearest is sebi-re",
        ),
    ],
)
def test_a_wrong_config_is_named(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "config.json"
    file.write_text(text)
    with pytest.raises(PolicyConfigError, match=re.escape(said)):
        parse(file)
    code, told, record = run(tmp_path, state({}), "--config", str(file))
    assert code == 1 and record is None and said in told


def test_every_profile_is_a_config() -> None:
    for name in profiles.PROFILES:
        assert parse(profiles.file_of(name))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"deployment": null}', '{"deployment": {"resources": [{}]}}', "\x00"]
)
def test_what_is_no_state_is_named(tmp_path: Path, text: str) -> None:
    code, said, record = run(tmp_path, text)
    assert code == 1 and record is None
    assert "is no state of a stack" in said and "pulumi stack export" in said


def test_a_checkpoint_and_an_empty_state_are_read(tmp_path: Path) -> None:
    file = tmp_path / "it.json"
    whole = state({})["deployment"]["resources"]
    gone = resource("urn:pulumi:prod::shop::a:b:C::old", {}, delete=True)
    file.write_text(
        json.dumps({"version": 3, "checkpoint": {"stack": "prod", "latest": {"resources": [*whole, gone]}}})
    )
    assert resources_of(file) == whole
    assert run(tmp_path, {"version": 3, "deployment": {}})[0] == 0
    with pytest.raises(StateFileError):
        resources_of(tmp_path / "none.json")


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.just(SECRET),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from(["region", "tags", "policy", "name", "kmsKeyId"]), json_values),
    json_values,
)
def test_nothing_of_a_secret_is_shown(inputs: dict[str, Any], outputs: Any) -> None:
    (one,) = analyzed_resources([resource(QUEUE, inputs) | {"outputs": {"it": outputs}}])
    assert "ciphertext" not in json.dumps([one.inputs, one.outputs])
    assert json.dumps([inputs, outputs]).count("v1:abc") == json.dumps([one.inputs, one.outputs]).count(
        UNKNOWN
    )


def test_the_controls_are_asked(tmp_path: Path) -> None:
    record = run(tmp_path, state({}))[2]
    assert record and len(record.controls) == len(CONTROLS)
