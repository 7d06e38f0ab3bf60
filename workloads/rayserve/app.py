"""An ONNX classifier as an application of Ray Serve: `serve run app:build model=s3://…/intent`.

Requests that come together are one batch of the model. To make it yours, change what comes in and goes out.
"""

from __future__ import annotations

import fsspec
import numpy as np
import onnxruntime
from ray import serve
from starlette.requests import Request
from starlette.responses import JSONResponse

BATCH, WAIT_SECONDS = 64, 0.005


def rows_in(body: object) -> np.ndarray:
    """The rows of a request, as a matrix; raises ValueError with what is needed."""
    try:
        rows = np.asarray(body["rows"], dtype=np.float32)  # type: ignore[index]
    except (KeyError, TypeError, ValueError):
        rows = np.empty(0)
    if rows.ndim != 2 or not rows.size or not np.isfinite(rows).all():
        raise ValueError('the body is {"rows": [[number, …], …]}, with as many numbers in each row')
    return rows


@serve.deployment
class Classifier:
    """The scores of rows of features."""

    def __init__(self, model: str) -> None:
        """Read `model.onnx` of that folder (a path, s3:// or gs://) once; it runs on the one CPU of a replica."""
        with fsspec.open(f"{model}/model.onnx") as file:
            weights = file.read()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
        (self.input,) = self.session.get_inputs()
        self.width = self.input.shape[1]
        if not isinstance(self.width, int):
            # Rows of several widths in one batch would fail all of its requests.
            raise ValueError(f"{model}/model.onnx takes rows of any width: export it with a fixed one")

    async def __call__(self, request: Request) -> JSONResponse:
        """`POST {"rows": [[…]]}`: as many scores."""
        try:
            rows = rows_in(await request.json())
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400)
        if rows.shape[1] != self.width:
            why = f"the model takes rows of {self.width} numbers, not {rows.shape[1]}"
            return JSONResponse({"error": why}, 400)
        return JSONResponse((await self.scores(rows)).tolist())

    @serve.batch(max_batch_size=BATCH, batch_wait_timeout_s=WAIT_SECONDS)
    async def scores(self, requests: list[np.ndarray]) -> list[np.ndarray]:
        """The scores of several requests, by one run of the model."""
        (scores, *_) = self.session.run(None, {self.input.name: np.concatenate(requests)})
        ends = np.cumsum([len(rows) for rows in requests])[:-1]
        return np.split(scores, ends)


def build(arguments: dict[str, str]) -> serve.Application:
    """The application of `args: {model: …}` in a Serve config."""
    return Classifier.bind(arguments["model"])
