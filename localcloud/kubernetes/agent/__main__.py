"""The agent of one cluster's nodes: `python -m localcloud.kubernetes.agent CLUSTER`. Started by `clusters.start`."""

import asyncio
import logging
import os
import sys
import threading
from pathlib import Path
from typing import Any

from localcloud import cloud
from localcloud.kubernetes import clusters
from localcloud.kubernetes.agent.google_stores import GoogleStores
from localcloud.kubernetes.agent.kubelet import Kubelet
from localcloud.kubernetes.agent.node_agent import VITAL, Cloud, NodeAgent, Stores
from localcloud.kubernetes.agent.stores import ASSOCIATION
from localcloud.kubernetes.agent.stores import Stores as AwsStores


def main(name: str) -> None:
    """Run the agent of the cluster called `name`, for ever."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    threading.excepthook = _on_failure
    access = clusters.named(name)
    if access is None:
        raise SystemExit(f"no cluster {name}")
    # Under this link, so that whoever ends the cluster's processes finds them.
    folder = clusters.folder(name)
    interpreter = [str(folder / "bin" / clusters.AGENT), "-I", "-S"]
    agent = NodeAgent(
        access.api(), folder, interpreter, access.endpoint, _stores(name, access.region, folder)
    )
    server = clusters.kubelet(name)
    kubelet = Kubelet(agent.find, server.kwok_port, server.rule)
    threading.Thread(
        target=asyncio.run, args=(kubelet.serve(server.port, folder / "pki"),), name=VITAL, daemon=True
    ).start()
    agent.run()


def _on_failure(failed: threading.ExceptHookArgs) -> None:
    """End the agent, and with it every program, where it could not go on: `make up` then finds it dead."""
    threading.__excepthook__(failed)
    if failed.thread and failed.thread.name == VITAL:
        os._exit(1)


def _stores(cluster: str, region: str, folder: Path) -> dict[Cloud, Stores]:
    stores: dict[Cloud, Stores] = {"google": GoogleStores(cluster, folder / "objects", _inputs)}
    if aws := cloud.aws_endpoint():
        stores["aws"] = AwsStores(
            cluster, region, aws, lambda: list(cloud.store().items(ASSOCIATION).values())
        )
    return stores


def _inputs(kind: str) -> dict[str, dict[str, Any]]:
    return {key: record["inputs"] for key, record in cloud.store().items(kind).items()}


main(sys.argv[1])
