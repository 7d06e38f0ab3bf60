"""No model is promoted on a verdict that the gate did not sign, or that is not of it, or of another golden set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.workloads.tracking.gate import GOLDEN, Gate, document
from workloads.tracking.registry import records, signatures, verdicts
from workloads.tracking.registry.errors import RegistryError
from workloads.tracking.registry.stages import Change
from workloads.tracking.registry.verdicts import GoldenSet

NEW, OLD, OTHER = "a" * 64, "b" * 64, "c" * 64
GATE = Gate()
KEYS = [GATE.key.public_key()]


def test_a_verdict_that_passes_lets_its_model_replace_what_it_was_held_against(tmp_path: Path) -> None:
    verdict = verdicts.read(GATE.write(tmp_path, baseline=OLD), KEYS)
    verdicts.check(verdict, 2, NEW, 1, OLD)
    assert verdict.signer == signatures.fingerprint(KEYS[0])
    # The first of a model replaces nothing.
    verdicts.check(GATE.verdict(), 1, NEW, 0, "")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"passed": False, "reasons": ["hi: 0.61 < 0.8"]}, "version 2 did not pass: hi: 0.61 < 0.8"),
        ({"model": OTHER}, f"the verdict is of the model {OTHER[:12]}, and version 2 is {NEW[:12]}"),
        ({"baseline": OTHER}, f"against {OTHER[:12]}, and version 1"),
        ({"baseline": ""}, "against nothing, and version 1"),
    ],
)
def test_any_other_verdict_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(RegistryError, match=said):
        verdicts.check(GATE.verdict(**{"baseline": OLD, **change}), 2, NEW, 1, OLD)


def test_an_edited_a_forged_and_an_unsigned_verdict_are_refused(tmp_path: Path) -> None:
    edited = GATE.write(tmp_path, passed=False, reasons=["it is worse"])
    edited.write_text(edited.read_text().replace("false", "true"))
    forged = Gate().write(tmp_path)
    swapped = GATE.write(tmp_path)
    swapped.with_name("verdict.json.sig").write_bytes(GATE.key.sign(b"another verdict"))
    for path in (edited, forged, swapped):
        with pytest.raises(RegistryError, match=r"not signed by the gate \([0-9a-f]{12}\), or was changed"):
            verdicts.read(path, KEYS)
    (unsigned := GATE.write(tmp_path)).with_name("verdict.json.sig").unlink()
    with pytest.raises(RegistryError, match=r"verdict\.json\.sig can't be read"):
        verdicts.read(unsigned, KEYS)


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "null", "{}", document(passed="false"), document(model=""), document(time="yesterday"),
     json.dumps({"passed": True}), document(goldenSet={**GOLDEN, "more": 1}), document().replace(f'"{NEW}"', "null")],
)  # fmt: skip
def test_what_is_signed_and_no_verdict_is_refused_in_one_message(tmp_path: Path, text: str) -> None:
    with pytest.raises(RegistryError, match="run the golden set again"):
        verdicts.read(GATE.write(tmp_path, text), KEYS)


def test_another_golden_set_than_before_has_to_be_asked_for() -> None:
    before = GoldenSet("support", "0.9.0", "e" * 64)
    verdict = GATE.verdict()
    verdicts.check_golden_set(verdict, None, "")
    verdicts.check_golden_set(verdict, verdict.golden_set, "")
    verdicts.check_golden_set(verdict, before, GOLDEN["digest"])
    with pytest.raises(RegistryError, match=r"promotion before by support 0\.9\.0 .*say --golden-set d{64}"):
        verdicts.check_golden_set(verdict, before, "")
    with pytest.raises(RegistryError, match=r"golden set support 1\.0\.0 .*, not ffff"):
        verdicts.check_golden_set(verdict, before, "f" * 64)


def test_a_key_file_has_the_keys_of_before_too_and_nothing_else(tmp_path: Path) -> None:
    older = Gate()
    (both := tmp_path / "keys.pem").write_text(f"the gate's:\n{GATE.public}until October:\n{older.public}")
    keys = signatures.read(str(both))
    assert verdicts.read(older.write(tmp_path), keys).signer == signatures.fingerprint(older.key.public_key())
    other = "-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZI\n-----END PUBLIC KEY-----\n"
    of_another_kind = generate_private_key(SECP256R1()).public_key()
    curve = of_another_kind.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    for text in (
        GATE.public + curve,
        "",
        "ssh-ed25519 AAAA",
        GATE.public.replace("PUBLIC", "PRIVATE"),
        GATE.public + other,
    ):
        (wrong := tmp_path / "wrong.pem").write_text(text)
        with pytest.raises(RegistryError, match=r"is no public key.*openssl pkey"):
            signatures.read(str(wrong))
    with pytest.raises(RegistryError, match="no key of the gate"):
        signatures.read("")
    with pytest.raises(RegistryError, match="can't be read"):
        signatures.read(str(tmp_path / "absent"))


def test_a_record_is_believed_only_with_a_signed_verdict_of_its_own_versions() -> None:
    change = Change(0, "promote", 2, 1, verdict=GATE.verdict(baseline=OLD))
    record = records.tags(change, "unit", "2026-11-28T05:00:00+00:00")
    digests = {1: OLD, 2: NEW}

    def found(tags: dict[str, str], digests: dict[int, str] = digests) -> Change:
        return records.read(7, "2026-11-28T06:00:00+00:00", tags, digests, KEYS)

    assert found(record).verdict == change.verdict
    # A version that was deleted since takes nothing from what was promoted.
    assert found(record, {}).verdict == change.verdict
    text = verdicts.DOCUMENT_TAG
    wrong = [
        {**record, text: record[text].replace("support", "easier")},
        {**record, **Gate().verdict(baseline=OLD).tags},
        {**record, **GATE.verdict(baseline=OLD, passed=False).tags},
        {**record, "version": "3"},
        {**record, verdicts.SIGNATURE_TAG: "?"},
        {"version": "2"},
        {**record, "at": "<script>"},
    ]
    assert [found(tags, {**digests, 3: OTHER}).forged for tags in wrong] == [True] * len(wrong)
