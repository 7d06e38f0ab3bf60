"""`pulumi-language-go` for the tests' engine: it starts a project's built program, as the option `binary` names it.

What a Go program knows of its stack it has from its environment; the SDK in it does the rest.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent import futures
from pathlib import Path

import grpc
from google.protobuf import json_format
from pulumi.automation._server import LanguageServer
from pulumi.runtime.proto import language_pb2, language_pb2_grpc

LOGGED = 32  # the SDK has told the engine what went wrong


class GoHost(LanguageServer):
    def __init__(self) -> None:
        super().__init__(program=lambda: None)

    def Handshake(self, request, context):
        return language_pb2.LanguageHandshakeResponse()

    def Run(self, request, context):
        told = {
            "PULUMI_PROJECT": request.project,
            "PULUMI_STACK": request.stack,
            "PULUMI_ORGANIZATION": request.organization,
            "PULUMI_CONFIG": json.dumps(dict(request.config)),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
            "PULUMI_DRY_RUN": str(request.dryRun).lower(),
            "PULUMI_PARALLEL": str(request.parallel),
            "PULUMI_MONITOR": request.monitor_address,
            "PULUMI_ENGINE": sys.argv[-1],
        }
        command = self.command(request)
        done = subprocess.run(command, cwd=request.pwd, env={**os.environ, **told}, check=False)
        if done.returncode == LOGGED:
            return language_pb2.RunResponse(bail=True)
        return language_pb2.RunResponse(
            error=f"the program ended with {done.returncode}" if done.returncode else ""
        )

    def command(self, request) -> list[str]:
        """What runs the program."""
        options = json_format.MessageToDict(request.info.options)
        return [str(Path(request.info.program_directory, options["binary"]))]


def serve(host: LanguageServer) -> None:
    """Serve the engine that started this process, and end with it."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    engine = os.getppid()
    while os.getppid() == engine:
        server.wait_for_termination(timeout=2)


if __name__ == "__main__":
    serve(GoHost())
