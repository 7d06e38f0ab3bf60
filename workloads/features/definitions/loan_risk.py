"""Loan risk from transactions like UPI's: what an account did, as far as a model for loans may look.

generate.py beside the programs writes such data, of nobody. Snapshots are of midnight in India, 18:30 UTC.
"""

import os
from datetime import timedelta

from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType
from feast.types import Float64, Int64, String

LAKE = os.environ["FEATURES_LAKE"].rstrip("/")


def files_of(view: str) -> FileSource:
    """A folder of the lake, partitioned by day; of two rows of one moment the one that was written last is right."""
    return FileSource(
        name=f"{view}_files",
        path=f"{LAKE}/{view}",
        timestamp_field="event_timestamp",
        created_timestamp_column="created_timestamp",
    )


account = Entity(
    name="account",
    join_keys=["account_id"],
    value_type=ValueType.STRING,
    description="An account, by a pseudonym: never a number, a name or a VPA.",
)
KEY = Field(name="account_id", dtype=String)


def _aggregates(days: int) -> FeatureView:
    name = f"transactions_{days}d"
    return FeatureView(
        name=name,
        entities=[account],
        # A day is a snapshot: after two of them none came, and what is there is of another week.
        ttl=timedelta(days=2),
        schema=[
            KEY,
            Field(name=f"count_{days}d", dtype=Int64),
            Field(name=f"amount_{days}d", dtype=Float64),
            Field(name=f"largest_{days}d", dtype=Float64),
        ],
        source=files_of(name),
    )


transactions_7d = _aggregates(7)
transactions_30d = _aggregates(30)

last_transaction = FeatureView(
    name="last_transaction",
    entities=[account],
    ttl=timedelta(days=30),
    schema=[KEY, Field(name="last_amount", dtype=Float64), Field(name="last_category", dtype=String)],
    source=files_of("last_transaction"),
)

merchant_categories = FeatureView(
    name="merchant_categories",
    entities=[account],
    ttl=timedelta(days=7),
    schema=[
        KEY,
        Field(name="top_category", dtype=String),
        Field(name="groceries_share", dtype=Float64),
        Field(name="gaming_share", dtype=Float64),
    ],
    source=files_of("merchant_categories"),
)

loan_outcome = FeatureView(
    name="loan_outcome",
    entities=[account],
    online=False,
    schema=[KEY, Field(name="defaulted", dtype=Int64)],
    source=files_of("loan_outcome"),
    description="The label: whether a loan of that moment was not repaid. For training alone.",
)

loan_risk = FeatureService(
    name="loan_risk", features=[transactions_7d, transactions_30d, last_transaction, merchant_categories]
)
