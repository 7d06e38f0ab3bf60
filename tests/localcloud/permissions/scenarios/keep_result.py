"""What the measurement of a fabric keeps: its result."""

import sys

from evidence import keep

print(keep({"test": "all_reduce", "passed": True}, sys.argv[1]))
