"""Writes a day of features of one account into the folder FEATURES_LAKE."""

import os
from datetime import date

from programs.generate import Plan, generate

generate(os.environ["FEATURES_LAKE"], Plan(date(2026, 10, 1), 1, 1, 0))
