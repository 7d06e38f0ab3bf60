"""Dollars to rupees."""

from __future__ import annotations

from infra.settings.money import Currency


def rupees(usd: float, currency: Currency, *, with_gst: bool = False) -> float:
    """What `usd` dollars cost in rupees at the stack's rate; with the goods and services tax if asked."""
    tax = 1 + currency.gst_percent / 100 if with_gst else 1
    return usd * currency.usd_inr * tax


def format_price(rupees: float) -> str:
    """A price an hour or a million: with paise below ₹1,000."""
    return format_inr(rupees) if rupees >= 1000 else f"₹{rupees:.2f}"


def format_inr(rupees: float) -> str:
    """Whole rupees with Indian grouping: ₹12,34,567."""
    digits = f"{abs(rupees):.0f}"
    head, tail = digits[:-3], digits[-3:]
    pairs = [head[max(0, end - 2) : end] for end in range(len(head), 0, -2)]
    return f"{'-' if rupees < 0 else ''}₹{','.join([*reversed(pairs), tail])}"
