"""The process of `forks.Forks`: reads a request a line, forks, and answers with what the fork ended with."""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any

# What a module prints when it is imported is no answer.
_ANSWERS = os.dup(1)
os.dup2(2, 1)


def become(request: dict[str, Any]) -> int:
    """Is that program from here on; its exit code."""
    os.environ.update(request["env"])
    for stream, path in zip((1, 2), request["paths"], strict=True):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
    if "module" in request:
        return importlib.import_module(request["module"]).main(request["arguments"])
    sys.argv = ["-c", *request["arguments"]]
    exec(request["script"], {"__name__": "__main__"})
    return 0


def serve() -> None:
    """Answers requests until the input ends."""
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                code = become(request)
            except BaseException:  # noqa: BLE001  a fork must not go on as its parent
                import traceback

                traceback.print_exc()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        answer(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def answer(what: Any) -> None:
    """A line for who asked."""
    os.write(_ANSWERS, f"{json.dumps(what)}\n".encode())


if __name__ == "__main__":
    for name in sys.argv[1:]:
        importlib.import_module(name)
    answer("ready")
    serve()
