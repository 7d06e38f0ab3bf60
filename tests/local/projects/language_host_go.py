"""`pulumi-language-go` for the tests' engine: it starts a project's built program, as the option `binary` names it.

What a Go program knows of its stack it has from its environment; the SDK in it does the rest.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from google.protobuf import json_format
from pulumi.runtime.proto import language_pb2

from localcloud.language_host import LanguageHost, serve

LOGGED = 32  # the SDK has told the engine what went wrong


class GoHost(LanguageHost):
    def Run(self, request, context):
        options = json_format.MessageToDict(request.info.options)
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
        program = Path(request.info.program_directory, options["binary"])
        done = subprocess.run([program], cwd=request.pwd, env={**os.environ, **told}, check=False)
        if done.returncode == LOGGED:
            return language_pb2.RunResponse(bail=True)
        return language_pb2.RunResponse(
            error=f"the program ended with {done.returncode}" if done.returncode else ""
        )


if __name__ == "__main__":
    serve(GoHost())
