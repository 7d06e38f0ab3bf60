"""Writes rows of one number as Parquet into a folder: as many as a window needs to be judged."""

import sys
from pathlib import Path

import pandas

pandas.DataFrame({"amount": [float(number % 97) for number in range(1_000)]}).to_parquet(
    Path(sys.argv[1]) / "part-0.parquet"
)
