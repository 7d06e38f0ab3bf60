# pyright: reportMissingImports=false
"""Rows of a made-up lender: amounts, ages, missing incomes, banks, truth values, questions in three languages."""

from __future__ import annotations

import numpy
import pandas

QUESTIONS = {
    "hi": ["मेरा खाता क्यों बंद है, कृपया मुझे अभी बताइए", "मुझे पाँच लाख का घर का ऋण चाहिए, ब्याज कितना है"],
    "ta": ["என் கணக்கு ஏன் மூடப்பட்டுள்ளது தயவுசெய்து சொல்லுங்கள்", "எனக்கு வீட்டுக் கடன் வேண்டும், வட்டி எவ்வளவு"],
    "en": [
        "why has my account been closed, please tell me now",
        "i want a home loan of 5 lakh, what is the rate",
    ],
}


def rows(
    count: int, seed: int, *, amount: float = 0.0, bank: float = 0.0, tamil: float = 0.2, wrong: float = 0.1
) -> pandas.DataFrame:
    """So many rows. `amount`: standard deviations that the logarithm of amounts is moved by; `bank`: the share of rows
    that one bank takes from another; `tamil`: the share of questions in Tamil; `wrong`: that of wrong predictions."""
    draw = numpy.random.default_rng(seed)
    income = draw.lognormal(10, 0.5, count)
    income[draw.random(count) < 0.1] = numpy.nan
    shares = numpy.array([0.4 - bank, 0.3 + bank, 0.2, 0.07, 0.03])
    language = draw.choice(list(QUESTIONS), count, p=[0.5, tamil, 0.5 - tamil])
    which = draw.integers(2, size=count)
    label = draw.random(count) < 0.3
    return pandas.DataFrame(
        {
            "amount": draw.lognormal(6 + amount, 1, count),
            "age": draw.integers(18, 80, count),
            "income": income,
            "bank": draw.choice(["sbi", "hdfc", "pnb", "axis", "uco"], count, p=shares),
            "known": draw.random(count) < 0.9,
            "question": [QUESTIONS[each][at] for each, at in zip(language, which, strict=True)],
            "defaulted": label,
            "predicted": label ^ (draw.random(count) < wrong),
        }
    )
