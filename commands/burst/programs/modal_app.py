"""A model server on Modal, as burst.json beside it says: `modal deploy modal_app.py`.

For data that are not personal alone: Modal keeps inputs and outputs over 2 MiB in us-east, whatever the regions.
Clients send a proxy token (Modal-Key and Modal-Secret), without which Modal answers 401.
"""

import json
import os
import subprocess
from pathlib import Path

import modal

SETTINGS = Path(__file__).with_name("burst.json")
BURST = json.loads(SETTINGS.read_text())

image = (
    # The image has Python, which Modal needs, and would start the server by itself.
    modal.Image.from_registry(BURST["image"])
    .entrypoint([])
    .env(BURST["environment"])
    .add_local_file(SETTINGS, "/root/burst.json")
)
app = modal.App(BURST["name"])


@app.server(
    image=image,
    gpu=BURST["gpu"],
    port=BURST["port"],
    compute_region=BURST["computeRegion"],
    routing_region=BURST["routingRegion"],
    min_containers=0,
    max_containers=BURST["maxContainers"],
    startup_timeout=BURST["startupSeconds"],
    exit_grace_period=BURST["graceSeconds"],
)
class Server:
    """The server's process, from start to end of its container."""

    @modal.enter()
    def start(self):
        """Start it; Modal waits for its port."""
        words = ["bash", "-c", f"exec {BURST['command']}"]
        self.process = subprocess.Popen(words, env={**os.environ, "SERVER_KEY": ""})

    @modal.exit()
    def stop(self):
        """End it once its answers are out."""
        self.process.terminate()
        self.process.wait()
