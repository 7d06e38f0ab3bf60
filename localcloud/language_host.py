"""`pulumi-language-python` for an engine that was built from its Go module and brings none.

The SDK's own inline-program server does the work; this serves it as the plugin the engine looks for, running the
project's folder in this process and a policy pack in a child.
"""

from __future__ import annotations

import asyncio
import os
import runpy
import signal
import subprocess
import sys
import threading
from concurrent import futures
from functools import partial
from importlib.metadata import distributions
from pathlib import Path
from queue import SimpleQueue

import grpc
from google.protobuf import empty_pb2, json_format
from pulumi.automation._server import LanguageServer
from pulumi.runtime.proto import language_pb2, language_pb2_grpc


class LanguageHost(LanguageServer):
    """Runs a project's `__main__.py` for `Run`, and a policy pack for `RunPlugin`."""

    def __init__(self) -> None:
        super().__init__(program=lambda: None)

    def Handshake(self, request, context):
        return language_pb2.LanguageHandshakeResponse()

    def Run(self, request, context):
        folder = request.info.program_directory or request.pwd
        os.chdir(request.pwd or folder)
        self.program = partial(_run_folder, Path(folder))
        return super().Run(request, context)

    def RunPlugin(self, request, context):
        """Run a policy pack and stream what it prints: its first line is the port it serves on."""
        folder = request.info.program_directory
        command = [_python(request.info), "-u", "-m", "pulumi.policy", *request.args]
        if not request.args or not Path(request.args[-1]).exists():
            command.append(folder)
        child = subprocess.Popen(
            command,
            cwd=request.pwd or folder,
            env=dict(entry.split("=", 1) for entry in request.env) or None,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        context.add_callback(child.terminate)
        yield from _stream(child)
        yield language_pb2.RunPluginResponse(exitcode=child.wait())

    def GetProgramDependencies(self, request, context):
        found = [
            language_pb2.DependencyInfo(name=d.metadata["Name"], version=d.version) for d in distributions()
        ]
        return language_pb2.GetProgramDependenciesResponse(dependencies=found)

    def InstallDependencies(self, request, context):
        yield language_pb2.InstallDependenciesResponse(stdout=b"`make setup` installs the dependencies\n")

    def RuntimeOptionsPrompts(self, request, context):
        return language_pb2.RuntimeOptionsResponse()

    def Cancel(self, request, context):
        return empty_pb2.Empty()


def _python(info: language_pb2.ProgramInfo) -> str:
    """The Python of the environment that a pack names, where that is made; else this one."""
    named = json_format.MessageToDict(info.options).get("virtualenv")
    own = Path(info.root_directory, named, "bin", "python") if named else None
    return str(own) if own and own.exists() else sys.executable


def _run_folder(folder: Path) -> None:
    # Its own modules first: a program of another branch must not meet those of this one.
    sys.path.insert(0, str(folder))
    runpy.run_path(str(folder / "__main__.py"), run_name="__main__")


def _stream(child: subprocess.Popen[bytes]):
    """Both streams of a child, as messages in the order they come."""
    lines: SimpleQueue[language_pb2.RunPluginResponse | None] = SimpleQueue()

    def pump(name: str, pipe) -> None:
        for line in pipe:
            lines.put(language_pb2.RunPluginResponse(**{name: line}))
        lines.put(None)

    for name, pipe in (("stdout", child.stdout), ("stderr", child.stderr)):
        threading.Thread(target=pump, args=(name, pipe), daemon=True).start()
    open_streams = 2
    while open_streams:
        line = lines.get()
        if line is None:
            open_streams -= 1
            continue
        yield line


def serve(host: LanguageHost) -> None:
    """Serve a language host to the engine that started this process, and end with it."""
    asyncio.set_event_loop(asyncio.new_event_loop())
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=16),
        options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)],
    )
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    for quiet in (signal.SIGINT, signal.SIGTERM):
        signal.signal(quiet, lambda *_: server.stop(grace=None))
    engine = os.getppid()
    while server.wait_for_termination(timeout=2):  # True while nothing ended it
        if os.getppid() != engine:  # a killed engine leaves no plugin behind
            server.stop(grace=None)


if __name__ == "__main__":
    serve(LanguageHost())
