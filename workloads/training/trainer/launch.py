"""Runs torchrun in this process, and ends with a code that Kubernetes can read.

    python -m trainer.launch <flags of torchrun> -- --recipe FILE --checkpoint-uri URI

torchrun ends with 1 whatever its workers ended with. Here 75 (EX_TEMPFAIL) means: interrupted and saved, start me
again; 64 (EX_USAGE): no restart can help. A Job's pod failure policy ignores the first, and fails the job at once for
the second.
"""

import os
import signal
import sys
import tempfile
from pathlib import Path

STOPPED = 75
REFUSED = 64
# Names the folder in which each rank of this node notes the code that it ends with.
CODES = "TRAINER_CODES"


def launch(arguments: list[str]) -> int:
    """The exit code of a torchrun of the trainer: 0, 75, 64, or 1 for whatever else ended a rank."""
    try:
        scratch = tempfile.TemporaryDirectory()
    except OSError as error:
        print(
            f"error: no folder for temporary files can be written ({error}): mount a volume, and name it in TMPDIR",
            file=sys.stderr,
        )
        return REFUSED
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.elastic.rendezvous import RendezvousError
    from torch.distributed.run import main

    with scratch as folder:
        os.environ[CODES] = folder
        try:
            main(command(arguments))
        except SignalException:
            return STOPPED
        except ChildFailedError as error:
            return code({failure.exitcode for failure in error.failures.values()})
        except RendezvousError:
            # The node that all met at has left first: what this node's ranks ended with is what counts.
            return code(noted(Path(folder)))
    return 0


def note(ended: int) -> None:
    """Write down what this rank ends with, for the `launch` that started it."""
    if folder := os.environ.get(CODES):
        (Path(folder) / os.environ["LOCAL_RANK"]).write_text(str(ended))


def noted(folder: Path) -> set[int]:
    """What the ranks of this node ended with; 1 where none has said."""
    return {int(file.read_text()) for file in folder.iterdir()} or {1}


def command(arguments: list[str]) -> list[str]:
    """Torchrun's arguments: its flags, the module, and what comes after `--`, which is the module's."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    module = __spec__.name.rpartition(".")[0] if __spec__ else "trainer"
    return [*arguments[:at], "--module", module, *arguments[at + 1 :]]


def code(codes: set[int]) -> int:
    """What the exit codes of the ranks mean together. The first rank to leave makes torchrun end the others."""
    for meant in (STOPPED, REFUSED):
        if meant in codes and codes <= {meant, -signal.SIGTERM}:
            return meant
    return 1


if __name__ == "__main__":
    sys.exit(launch(sys.argv[1:]))
