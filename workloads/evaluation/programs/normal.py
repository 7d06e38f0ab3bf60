"""Texts and numbers as people take them to be the same, in the scripts of India."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal, InvalidOperation

# Words of the Indian system, as they are written in Hindi, Tamil, Bengali and English.
_POWERS = {
    10**3: ("thousand", "hazar", "हज़ार", "हजार", "ஆயிரம்", "হাজার"),
    10**5: ("lakhs", "lakh", "lacs", "lac", "लाख", "லட்சம்", "இலட்சம்", "লাখ", "লক্ষ"),
    10**6: ("million",),
    10**7: ("crores", "crore", "करोड़", "கோடி", "কোটি"),
}
_POWER = {unicodedata.normalize("NFKC", word): power for power, words in _POWERS.items() for word in words}
# The longest word first, for `lakh` is the beginning of `lakhs`.
_WORDS = "|".join(sorted(map(re.escape, _POWER), key=len, reverse=True))
_NUMBER = re.compile(
    rf"(?<!\w)(?<!\d\.)([-−]?)(\d[\d,]*(?:\.\d+)?)(?:\s*({_WORDS})(?![\w\u0900-\u0DFF]))?", re.IGNORECASE
)
# Western and Indian: groups of three, or of two before a last one of three.
_GROUPS = re.compile(r"\d{1,3}(,\d{3})+|\d{1,2}(,\d{2})*,\d{3}|\d+")
_ZERO_WIDTH = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff"))


def normal(text: str) -> str:
    """Letters, marks and digits alone, in form NFKC, without case, digits as 0 to 9; a space for others.

    Vowel signs of Indian scripts are marks: without them other words would be the same.
    """
    folded = _ascii_digits(unicodedata.normalize("NFKC", text).translate(_ZERO_WIDTH)).casefold()
    # Python's \w is denied to most marks.
    kept = (char if char.isalnum() or unicodedata.category(char)[0] == "M" else " " for char in folded)
    return " ".join("".join(kept).split())


def number(text: str) -> Decimal | None:
    """The last number of a text: १२,५०,०००, 12.5 lakh and ১২.৫ লাখ are one. None without a number."""
    found = list(_NUMBER.finditer(_ascii_digits(unicodedata.normalize("NFKC", text).translate(_ZERO_WIDTH))))
    return _value(found[-1]) if found else None


def _value(match: re.Match[str]) -> Decimal | None:
    sign, digits, word = match.groups()
    whole, point, rest = digits.rstrip(",").partition(".")
    if not _GROUPS.fullmatch(whole):
        return None
    try:
        value = Decimal(whole.replace(",", "") + point + rest)
    except InvalidOperation:
        return None
    scale = next((power for known, power in _POWER.items() if word and known == word.casefold()), 1)
    return (-value if sign else value) * scale


def _ascii_digits(text: str) -> str:
    return "".join(str(unicodedata.decimal(char)) if char.isdecimal() else char for char in text)
