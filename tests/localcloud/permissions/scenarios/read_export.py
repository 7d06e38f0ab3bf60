"""What `registry register` does in the lake: reads a model whole for its digest, and says where none is."""

import sys

from registry import exports
from registry.errors import RegistryError

for folder in sys.argv[1:]:
    assert len(exports.digest(folder)) == 64
    try:
        exports.digest(f"{folder}-absent")
    except RegistryError as error:
        print(error)
    else:
        raise AssertionError(folder)
