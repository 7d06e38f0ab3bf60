"""What a materialisation asks of the lake: which files there are, and the rows of a day."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from programs.changes import changes
from programs.definitions import load
from programs.errors import FeaturesError
from programs.options import Options

options = Options.read()
definitions = load(Path(sys.argv[1]), timedelta(days=options.max_ttl_days))
(view,) = [view for view in definitions.views if view.name == "loan_outcome"]
view.ttl = timedelta(days=1)
assert len(changes(view, datetime(2026, 10, 1, 23, tzinfo=UTC), {}).rows) == 1
try:
    changes(view, datetime(2026, 10, 2, 23, tzinfo=UTC), {})
except FeaturesError as error:
    print(error)
else:
    raise AssertionError(view.name)
