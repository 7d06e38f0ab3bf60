"""The smallest classifier that ONNX Runtime runs: scores = rows · weights + bias, written without the onnx package.

Field numbers: onnx/onnx.proto of ONNX 1.19 (ModelProto, GraphProto, NodeProto, TensorProto, ValueInfoProto).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

FLOAT, IR_VERSION, OPSET = 1, 8, 13


def linear(weights: Sequence[Sequence[float]], bias: Sequence[float]) -> bytes:
    """A model of one Gemm: `rows` of any number, as wide as `weights` is long, to `scores`, as wide as `bias`."""
    wide, classes = len(weights), len(bias)
    flat = [value for row in weights for value in row]
    node = _texts(1, "rows", "weights", "bias") + _texts(2, "scores") + _texts(4, "Gemm")
    graph = (
        _field(1, node)
        + _texts(2, "linear")
        + _field(5, _tensor("weights", [wide, classes], flat))
        + _field(5, _tensor("bias", [classes], bias))
        + _field(11, _value("rows", wide))
        + _field(12, _value("scores", classes))
    )
    return _number(1, IR_VERSION) + _field(7, graph) + _field(8, _texts(1, "") + _number(2, OPSET))


def _tensor(name: str, dims: Sequence[int], values: Sequence[float]) -> bytes:
    raw = struct.pack(f"<{len(values)}f", *values)
    return b"".join(_number(1, dim) for dim in dims) + _number(2, FLOAT) + _texts(8, name) + _field(9, raw)


def _value(name: str, wide: int) -> bytes:
    shape = _field(1, _texts(2, "batch")) + _field(1, _number(1, wide))
    return _texts(1, name) + _field(2, _field(1, _number(1, FLOAT) + _field(2, shape)))


def _texts(number: int, *texts: str) -> bytes:
    return b"".join(_field(number, text.encode()) for text in texts)


def _field(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    low = value & 0x7F
    return bytes([low]) if value < 0x80 else bytes([low | 0x80]) + _varint(value >> 7)
