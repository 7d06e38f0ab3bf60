"""`pulumi-language-nodejs` for the tests' engine: what Pulumi's SDK for Node.js has for that runs the program."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from google.protobuf import empty_pb2
from language_host_go import GoHost, serve
from pulumi.runtime.proto import language_pb2


class NodeHost(GoHost):
    def GetRequiredPackages(self, request, context):
        return language_pb2.GetRequiredPackagesResponse()

    def Cancel(self, request, context):
        return empty_pb2.Empty()

    def command(self, request) -> list[str]:
        runner = Path(request.info.program_directory, "node_modules", "@pulumi", "pulumi", "cmd", "run")
        flags = {
            "monitor": request.monitor_address,
            "engine": sys.argv[-1],
            "organization": request.organization,
            "project": request.project,
            "stack": request.stack,
            "pwd": request.pwd,
            "root-directory": request.info.root_directory,
            "parallel": str(request.parallel),
        }
        dry_run = ["--dry-run"] if request.dryRun else []
        return ["node", str(runner), *(f"--{name}={value}" for name, value in flags.items()), *dry_run, "."]


if __name__ == "__main__":
    os.environ["PULUMI_NODEJS_TYPESCRIPT"] = "true"
    serve(NodeHost())
