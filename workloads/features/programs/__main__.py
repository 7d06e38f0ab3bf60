"""The programs of features: `python -m programs generate | register | materialise | serve | parity`.

Prints one JSON object. Exit codes: 0 done, 1 the lake and Redis differ, 64 something asked for is not as it must be.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, date, datetime
from typing import Any

from .errors import BusyError, FeaturesError
from .options import Options

WRONG = 64


def main(arguments: list[str]) -> int:
    """Runs one of them; the exit code."""
    asked = _parser().parse_args(arguments)
    options = None
    try:
        options = Options.read()
        return asked.run(options, asked)
    except FeaturesError as error:
        print(f"features: {error}", file=sys.stderr)
        if options and asked.command == "materialise" and not isinstance(error, BusyError):
            _note(options, str(error))
        return WRONG


def _generate(options: Options, asked: argparse.Namespace) -> int:
    from .generate import Plan, generate

    rows = generate(options.lake, Plan(asked.first, asked.days, asked.accounts, asked.seed))
    return _print({"rows": rows, "lake": options.lake})


def _register(options: Options, asked: argparse.Namespace) -> int:
    from .materialise import register

    return _print({"project": options.project, "registered": [each.name for each in register(options).all]})


def _materialise(options: Options, asked: argparse.Namespace) -> int:
    from .materialise import materialise

    return _print(materialise(options, asked.end or datetime.now(UTC)).json)


def _serve(options: Options, asked: argparse.Namespace) -> int:
    import uvicorn
    from prometheus_client import start_http_server

    from .server import application
    from .store import open_store

    start_http_server(asked.metrics_port, asked.host)
    # The registry's tables are there, or nothing is materialised: a server makes none.
    app = application(open_store(options, tables="verify"), options.stale_seconds)
    where = {"uds": asked.socket} if asked.socket else {"host": asked.host, "port": asked.port}
    uvicorn.run(app, access_log=False, log_level="warning", timeout_graceful_shutdown=20, **where)
    return 0


def _parity(options: Options, asked: argparse.Namespace) -> int:
    import pandas as pd

    from .parity import compare_at, compare_now

    entities = pd.DataFrame([json.loads(each) for each in asked.entity])
    found = compare_at(options, entities, asked.moment) if asked.moment else compare_now(options, entities)
    _print(found.json)
    for each in found.first:
        print(
            f"features: {each.feature} of {each.entity} at {each.moment}: the lake says {each.offline!r}, Redis "
            f"{each.online!r}",
            file=sys.stderr,
        )
    return 1 if found.different else 0


def _note(options: Options, problem: str) -> None:
    from redis.exceptions import RedisError

    from .materialise import note_failure

    try:
        note_failure(options, problem)
    except RedisError as error:
        print(f"features: and Redis could not be told: {error}", file=sys.stderr)


def _print(result: dict[str, Any]) -> int:
    print(json.dumps(result), flush=True)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="features", description=__doc__)
    programs = parser.add_subparsers(dest="command", required=True)
    generated = programs.add_parser("generate", help="write data of nobody into the lake, from a seed")
    generated.add_argument("--first", type=date.fromisoformat, required=True, help="the first day")
    generated.add_argument("--days", type=int, default=30)
    generated.add_argument("--accounts", type=int, default=1000)
    generated.add_argument("--seed", type=int, default=0)
    generated.set_defaults(run=_generate)
    programs.add_parser("register", help="apply the definitions to the registry").set_defaults(run=_register)
    made = programs.add_parser("materialise", help="write what changed in the lake to Redis")
    made.add_argument("--end", type=datetime.fromisoformat, help="up to this moment; now, unless given")
    made.set_defaults(run=_materialise)
    served = programs.add_parser("serve", help="answer POST /get-online-features")
    served.add_argument("--host", default="0.0.0.0")
    served.add_argument("--port", type=int, default=6566)
    served.add_argument("--socket", help="a Unix socket instead of the port")
    served.add_argument("--metrics-port", type=int, default=9464)
    served.set_defaults(run=_serve)
    compared = programs.add_parser("parity", help="compare what the lake and Redis answer")
    compared.add_argument(
        "--entity", action="append", required=True, help='such as {"account_id": "acc-0000001"}'
    )
    compared.add_argument(
        "--moment", action="append", type=datetime.fromisoformat, help="several; now if none"
    )
    compared.set_defaults(run=_parity)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
