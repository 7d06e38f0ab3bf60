"""Runs ranks of the trainer for the tests, in the training environment: imports it once, and forks for each rank.

An import of torch and transformers takes ten seconds of processor time. Reads a request a line, answers a line.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[4] / "workloads" / "training"))


def start(request: dict[str, Any]) -> list[int]:
    """Forks the ranks of a request; their process ids."""
    pids = []
    for rank in range(request["ranks"]):
        pid = os.fork()
        if pid == 0:
            become(request, rank)
        pids.append(pid)
    return pids


def become(request: dict[str, Any], rank: int) -> None:
    """Is one rank from here on."""
    ranks = {
        "RANK": rank,
        "LOCAL_RANK": rank,
        "WORLD_SIZE": request["ranks"],
        "LOCAL_WORLD_SIZE": request["ranks"],
    }
    meeting = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": request["port"],
        "TORCHELASTIC_RUN_ID": request["port"],
    }
    os.environ.update({name: str(value) for name, value in {**ranks, **meeting, **request["env"]}.items()})
    output = os.open(f"{request['output']}-{rank}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    # What a program prints is its answer; warnings are none.
    os.dup2(os.open(request["errors"], os.O_WRONLY | os.O_CREAT) if "errors" in request else output, 2)
    if request.get("file_bytes"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["file_bytes"],) * 2)
    # An environment of this rank may name another one.
    tempfile.tempdir = None
    code = 1
    try:
        code = run(request)
    except BaseException:  # noqa: BLE001  a fork must not go on as its parent
        import traceback

        traceback.print_exc()
    sys.stdout.flush()
    os._exit(code)


def run(request: dict[str, Any]) -> int:
    """The trainer, or the text of a program; the exit code."""
    if "script" not in request:
        return main(request["arguments"])
    sys.argv = ["-c", *request["arguments"]]
    exec(request["script"], {"__name__": "__main__"})
    return 0


def serve() -> None:
    """Answers requests until the input ends."""
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            answer: Any = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in request["wait"]]
        else:
            answer = start(request)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    import transformers.models.llama.modeling_llama  # noqa: F401  what the model loads
    from trainer.__main__ import main

    print(json.dumps("ready"), flush=True)
    serve()
