"""A RunPod worker: hands each job to the model server beside it, in the same container.

A job is `{"input": {"path": "/v1/chat/completions", "body": {…}}}`, and its answer is the server's, whole. With
DATA_CENTERS set it answers nothing anywhere else: RunPod tells a worker where it is in RUNPOD_DC_ID.
"""

import json
import os
import time
import urllib.error
import urllib.request

SERVER = os.environ.get("SERVER", "http://127.0.0.1:8000")
HEALTH = os.environ.get("HEALTH", "/health")
READY_SECONDS = float(os.environ.get("READY_SECONDS", "1800"))
ANSWER_SECONDS = float(os.environ.get("ANSWER_SECONDS", "600"))
# What a client may ask for; the server's other paths load adapters and show its metrics.
PREFIX = "/v1/"


def misplaced(environment):
    """Why this worker may answer nothing; empty where it may."""
    allowed = [name for name in environment.get("DATA_CENTERS", "").split(",") if name]
    here = environment.get("RUNPOD_DC_ID", "")
    if not allowed or here in allowed:
        return ""
    return f"this worker is in {here or 'a data centre that nobody names'}, and may only answer in {', '.join(allowed)}"


def handler(job):
    """The server's answer to one job, or {"error": …}: RunPod then says that the job failed."""
    if why := misplaced(os.environ):
        return {"error": why}
    asked = job["input"]
    path, body = (asked.get("path"), asked.get("body")) if isinstance(asked, dict) else (None, None)
    if not (
        isinstance(path, str) and path.startswith(PREFIX) and ".." not in path and isinstance(body, dict)
    ):
        return {"error": f'the input is {{"path": "{PREFIX}…", "body": {{…}}}}'}
    if body.get("stream"):
        return {"error": "a job's answer comes whole: leave out stream"}
    request = urllib.request.Request(
        SERVER + path, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return {"error": f"{error.code}: {error.read().decode(errors='replace')}"}
    except OSError as error:
        return {"error": f"the model server does not answer ({error})", "refresh_worker": True}


def wait_until_ready():
    """Return when the server is ready, or raise TimeoutError: no job is taken before."""
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(SERVER + HEALTH, timeout=5):
                return
        except OSError:
            time.sleep(1)
    raise TimeoutError(f"{SERVER}{HEALTH} does not answer after {READY_SECONDS:.0f} s")


if __name__ == "__main__":
    import runpod

    if not misplaced(os.environ):
        wait_until_ready()
    runpod.serverless.start({"handler": handler})
