"""The digest of the files that an endpoint serves: by it, and not by a name, the model registry knows a model."""

from __future__ import annotations

import hashlib
import json
import os
from urllib.request import Request, urlopen

import fsspec

from workloads.evaluation.programs.job import SERVED, Endpoint
from workloads.training.trainer.publication import file_digest, listed, refusals
from workloads.training.trainer.recipe import RecipeError


def measured(endpoint: Endpoint) -> Endpoint:
    """The endpoint with the digest of its `weights` as its revision. RecipeError where they can't be read."""
    if endpoint.weights is None or endpoint.weights == SERVED:
        return endpoint
    return endpoint.model_copy(update={"revision": digest(endpoint.weights)})


def measured_as_served(endpoint: Endpoint) -> Endpoint:
    """The same of what is in production, whose folder may be gone: it stays without a revision then."""
    try:
        if endpoint.weights != SERVED:
            return measured(endpoint)
        folder = _served(endpoint)
        return endpoint.model_copy(update={"revision": digest(folder)}) if "://" in folder else endpoint
    except (OSError, ValueError, RecipeError) as error:
        print(f"event=production-not-measured: {error}", flush=True)
        return endpoint


def digest(folder: str) -> str:
    """SHA-256 over the folder's files: a line each of digest and name, by name, as `sha256sum` writes it."""
    with refusals(folder):
        files, root = fsspec.core.url_to_fs(folder.rstrip("/"))
        root = root.rstrip("/")
        paths = {path[len(root) + 1 :]: path for path in listed(files, root)}
        if not paths:
            raise RecipeError(f"weights {folder} are not there: give the folder that the candidate serves")
        lines = (f"{file_digest(files, path)}  {name}\n" for name, path in sorted(paths.items()))
        return hashlib.sha256("".join(lines).encode()).hexdigest()


def _served(endpoint: Endpoint) -> str:
    """The folder that the engine has of the model; a name of a hub, or nothing, of another.

    `root` of a model: vllm 0.32.0, entrypoints/openai/models/serving.py, is what --model was.
    """
    key = os.environ.get(endpoint.key_variable)
    asked = Request(f"{endpoint.url}/models", headers={"Authorization": f"Bearer {key}"} if key else {})
    with urlopen(asked, timeout=endpoint.timeout_seconds) as answer:
        models = json.load(answer).get("data", [])
    return next((str(each.get("root") or "") for each in models if each.get("id") == endpoint.model), "")
