# pyright: reportMissingImports=false
"""Runs the application on a Ray of this machine: by the Python that Ray is installed in. Prints JSON.

Arguments: a port, and a Serve config as the component writes it. Reads request bodies from stdin, one a line.
"""

import json
import sys
import urllib.error
import urllib.request

import ray
import yaml
from ray import serve
from ray.serve._private import api
from ray.serve.schema import ServeDeploySchema

SECONDS = 600
# Serve gives its proxy a minute to start, and has no setting for it.
api.HTTP_PROXY_TIMEOUT = SECONDS


def post(port: int, body: bytes) -> tuple[int, str]:
    """The status and the text of an answer."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def main() -> None:
    """Hold the config to Ray's schema, start what it names, and ask."""
    port, config = int(sys.argv[1]), yaml.safe_load(sys.argv[2])
    (application,) = ServeDeploySchema(**config).applications
    ray.init(num_cpus=2, include_dashboard=False)
    module, _, function = application.import_path.partition(":")
    build = getattr(__import__(module), function)
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    serve.run(build(application.args), name=application.name, route_prefix=application.route_prefix)
    print(json.dumps([post(port, line.strip()) for line in sys.stdin.buffer]), flush=True)
    serve.shutdown()
    ray.shutdown()


if __name__ == "__main__":
    main()
