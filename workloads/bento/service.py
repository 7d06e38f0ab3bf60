"""An ONNX classifier as a service of BentoML: `MODEL=s3://…/intent bentoml serve service:Classifier`.

To make it yours, change what comes in and goes out.
"""

import os

import bentoml
import fsspec
import numpy as np
import onnxruntime

# A folder with model.onnx: a path, s3:// or gs://.
MODEL = os.environ["MODEL"]
THREADS = int(os.environ.get("OMP_NUM_THREADS", "1"))


@bentoml.service(traffic={"timeout": 30, "max_concurrency": 64}, workers=1)
class Classifier:
    """The scores of rows of features."""

    def __init__(self) -> None:
        """Read the model once, from the lake."""
        with fsspec.open(f"{MODEL}/model.onnx") as file:
            weights = file.read()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        self.session = onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
        (self.input,) = self.session.get_inputs()

    # Not `batchable`: BentoML joins the rows of several requests, and one of another width fails them all (1.4.40).
    @bentoml.api
    def predict(self, rows: list[list[float]]) -> list[list[float]]:
        """The scores of each row."""
        width = self.input.shape[1]
        if not rows or {len(row) for row in rows} != {width}:
            raise bentoml.exceptions.InvalidArgument(f"rows: one or more, each of {width} numbers")
        return self.session.run(None, {self.input.name: np.asarray(rows, np.float32)})[0].tolist()
