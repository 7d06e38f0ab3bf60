"""A Ray cluster of three nodes on this machine, one of which is drained to be taken back while a job trains.

Run by test_ray.py in the environment of requirements-ray.txt: `python ray_preemption.py RECIPE CHECKPOINTS`. The log of
the job goes to standard output.
"""

import os
import subprocess
import sys

from ray.cluster_utils import Cluster

recipe, checkpoints = sys.argv[1:]
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
job = subprocess.Popen(
    [
        *(sys.executable, "-m", "ray_entry", "--workers", "2", "--progress-seconds", "0"),
        *("--recipe", recipe, "--checkpoint-uri", checkpoints),
    ],
    env={**os.environ, "RAY_ADDRESS": cluster.address},
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
)
assert job.stdout
drained = False
for line in job.stdout:
    print(line, end="", flush=True)
    if not drained and "step=3/" in line:
        drained = True
        cluster.add_node(num_cpus=1)
        reason = ["--reason", "DRAIN_NODE_REASON_PREEMPTION", "--reason-message", "spot"]
        going = ["--node-id", nodes[0].node_id, "--deadline-remaining-seconds", "60"]
        ray = [sys.executable, "-m", "ray.scripts.scripts"]
        subprocess.run([*ray, "drain-node", "--address", cluster.address, *reason, *going], check=True)
code = job.wait()
cluster.shutdown()
sys.exit(code)
