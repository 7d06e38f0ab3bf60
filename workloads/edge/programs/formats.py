"""Writes a model as a file of ONNX or of ExecuTorch, in 32, 8 or 4 bits."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path
from typing import Any

import torch

from workloads.compression.programs.layers import check_group, linears


class Logits(torch.nn.Module):
    """A causal model from tokens to logits and nothing else: neither format has words for more."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Logits (batch, length, vocabulary)."""
        return self.model(input_ids=input_ids, use_cache=False).logits


def onnx(model: Any, path: Path, bits: int, group_size: int, length: int) -> None:
    """Batches and lengths are free, the length up to `length`."""
    # Of an example of one row the exporter would make a model of one row alone.
    example = torch.zeros(2, length, dtype=torch.long)
    free = {"input_ids": {0: torch.export.Dim("batch"), 1: torch.export.Dim("length", min=2, max=length)}}
    names = {"input_names": ["input_ids"], "output_names": ["logits"]}
    program = torch.onnx.export(
        Logits(model), (example,), dynamo=True, dynamic_shapes=free, verbose=False, **names
    )
    assert program
    if bits == 32:
        program.save(str(path))
        return
    with tempfile.TemporaryDirectory() as folder:
        program.save(str(whole := Path(folder) / "whole.onnx"))
        quantised_onnx(whole, path, bits, group_size)


def quantised_onnx(whole: Path, path: Path, bits: int, group_size: int) -> None:
    """A file of ONNX in 8 or 4 bits, of one in 32."""
    import onnx as onnx_library
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    if bits == 8:
        quantize_dynamic(str(whole), str(path), weight_type=QuantType.QInt8)
        return
    packed = MatMulNBitsQuantizer(
        onnx_library.load(str(whole)), block_size=group_size, is_symmetric=True, bits=bits
    )
    packed.process()
    packed.model.save_model_to_file(str(path), False)


def executorch(model: Any, path: Path, bits: int, group_size: int, length: int) -> None:
    """One row of exactly `length` tokens, by XNNPACK. In 8 and 4 bits activations are eight bits as they come."""
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower
    from torchao.quantization import Int8DynamicActivationIntxWeightConfig, quantize_
    from torchao.quantization.granularity import PerAxis, PerGroup

    if bits != 32:
        for name, layer in linears(model).items():
            check_group(group_size, name, layer.in_features)
        # XNNPACK has groups of four bits alone; of eight it has a scale a row.
        kind, parts = (torch.int4, PerGroup(group_size)) if bits == 4 else (torch.int8, PerAxis(0))
        model = copy.deepcopy(model)
        quantize_(model, Int8DynamicActivationIntxWeightConfig(weight_dtype=kind, weight_granularity=parts))
    example = (torch.zeros(1, length, dtype=torch.long),)
    exported = torch.export.export(Logits(model), example, strict=False)
    lowered = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()])
    path.write_bytes(lowered.to_executorch().buffer)
