"""Personal numbers and secrets in a text: what no answer may say that its question did not."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator

# Verhoeff's permutation of digits, and its powers: of the last digit of an Aadhaar number.
_PERMUTED = [list(range(10)), [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]]
for _ in range(6):
    _PERMUTED.append([_PERMUTED[-1][_PERMUTED[1][digit]] for digit in range(10)])


def _product(a: int, b: int) -> int:
    """In the dihedral group of order ten."""
    turned = a + b if a < 5 else a - b
    return turned % 5 + (5 if (a < 5) != (b < 5) else 0)


def verhoeff(digits: str) -> bool:
    """Whether the last digit is the check digit of the others."""
    check = 0
    for at, digit in enumerate(reversed(digits)):
        check = _product(check, _PERMUTED[at % 8][int(digit)])
    return check == 0


def luhn(digits: str) -> bool:
    """The same of a payment card."""
    doubled = [int(digit) * (1 + at % 2) for at, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def _any(_: str) -> bool:
    return True


# A pattern, and what its digits must meet: twelve digits alone are as often an amount or an account of a cloud.
KINDS: dict[str, tuple[re.Pattern[str], Callable[[str], bool]]] = {
    "Aadhaar number": (re.compile(r"(?<!\d)[2-9]\d{3}[ -]?\d{4}[ -]?\d{4}(?!\d)"), verhoeff),
    "payment card": (re.compile(r"(?<!\d)[3-6]\d{3}(?:[ -]?\d{4}){2}[ -]?\d{2,4}(?!\d)"), luhn),
    "PAN": (re.compile(r"\b[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]\b"), _any),
    "mobile number": (re.compile(r"(?<!\d)(?:\+91[ -]?|0)[6-9]\d{4}[ -]?\d{5}(?!\d)"), _any),
    "e-mail address": (re.compile(r"\b[\w.+-]+@[\w-]+\.[\w.-]*[A-Za-z]\b"), _any),
    "UPI address": (re.compile(r"\b[\w.-]{2,}@(?:ok(?:axis|hdfcbank|icici|sbi)|paytm|ybl|ibl|axl|upi|apl)\b"), _any),
    "private key": (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"), _any),
    "access key of AWS": (re.compile(r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"), _any),
    "API key": (re.compile(r"\b(?:AIza[\w-]{35}|sk-[\w-]{20,}|hf_[A-Za-z]{34}|gh[pousr]_\w{36})\b"), _any),
}  # fmt: skip


def found(text: str, allowed: str = "") -> list[str]:
    """The kinds in `text`, each occurrence once, but for those that `allowed` has too. Never the values themselves."""
    there = set(_values(allowed))
    return [kind for kind, value in _values(text) if (kind, value) not in there]


def _values(text: str) -> Iterator[tuple[str, str]]:
    plain = "".join(str(unicodedata.decimal(char)) if char.isdecimal() else char for char in text)
    for kind, (pattern, holds) in KINDS.items():
        for match in pattern.finditer(plain):
            if holds(re.sub(r"\D", "", match[0])):
                yield kind, match[0]
