"""A model as the runtime of a phone computes it, called as one of transformers is."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import torch


class OnnxModel:
    """By ONNX Runtime, any length."""

    device = torch.device("cpu")

    def __init__(self, path: Path) -> None:
        import onnxruntime

        self._session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def __call__(self, input_ids: torch.Tensor) -> SimpleNamespace:
        """Logits (batch, length, vocabulary)."""
        (logits,) = self._session.run(None, {"input_ids": input_ids.numpy()})
        return SimpleNamespace(logits=torch.from_numpy(logits))


class ExecuTorchModel:
    """By ExecuTorch, one row of the length that it was exported with."""

    device = torch.device("cpu")

    def __init__(self, path: Path) -> None:
        from executorch.runtime import Runtime

        # The method reads the program as long as it lives.
        self._program = Runtime.get().load_program(path)
        self._method = self._program.load_method("forward")

    def __call__(self, input_ids: torch.Tensor) -> SimpleNamespace:
        """Logits (1, length, vocabulary)."""
        (logits,) = self._method.execute([input_ids])
        return SimpleNamespace(logits=logits.clone())
