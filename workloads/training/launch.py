"""Runs torchrun in this process and ends with a code that Kubernetes can read.

torchrun ends with 1 whatever its workers said. Here 75 (EX_TEMPFAIL) says: asked to stop, start me again. A Job's pod
failure policy then does not count the pod as failed.
"""

import signal
import sys

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import main

STOPPED = 75


def launch(arguments: list[str]) -> int:
    """Exit code of a torchrun with `arguments`: 0 trained, 75 stopped on request; a crash is raised as it came."""
    try:
        main(arguments)
    except SignalException:
        return STOPPED
    except ChildFailedError as error:
        codes = {failure.exitcode for failure in error.failures.values()}
        # The first worker to leave makes torchrun end the others, whose progress is in the same checkpoint.
        if STOPPED in codes and codes <= {STOPPED, -signal.SIGTERM}:
            return STOPPED
        raise
    return 0


if __name__ == "__main__":
    sys.exit(launch(sys.argv[1:]))
