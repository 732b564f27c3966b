"""ONNX files of a few operations, written byte by byte: the format is protobuf's (onnx.proto), no package is needed."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

FLOAT = 1  # TensorProto.DataType


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def _field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _attribute(name: str, value: str | int | Sequence[int]) -> bytes:
    if isinstance(value, str):
        body = _field(4, value) + _field(20, 3)
    elif isinstance(value, int):
        body = _field(3, value) + _field(20, 2)
    else:
        body = b"".join(_field(8, item) for item in value) + _field(20, 7)
    return _field(5, _field(1, name) + body)


def _node(kind: str, inputs: Sequence[str], output: str, **attributes: str | int | Sequence[int]) -> bytes:
    names = b"".join(_field(1, name) for name in inputs) + _field(2, output) + _field(4, kind)
    return _field(1, names + b"".join(_attribute(name, value) for name, value in attributes.items()))


def _value(number: int, name: str, shape: Sequence[int | str]) -> bytes:
    dims = b"".join(_field(1, _field(1 if isinstance(size, int) else 2, size)) for size in shape)
    return _field(number, _field(1, name) + _field(2, _field(1, _field(1, FLOAT) + _field(2, dims))))


def _write(path: Path, nodes: bytes, out: Sequence[int | str], constants: bytes = b"") -> Path:
    given = _value(11, "x", [1, 3, "height", "width"])
    graph = nodes + _field(2, "graph") + constants + given + _value(12, "y", out)
    path.write_bytes(_field(1, 8) + _field(8, _field(1, "") + _field(2, 13)) + _field(7, graph))
    return path


def enlarging(path: Path, factor: int = 2) -> Path:
    """Repeats every pixel."""
    scales = struct.pack("<4f", 1, 1, factor, factor)
    constants = _field(5, _field(1, 4) + _field(2, FLOAT) + _field(8, "scales") + _field(9, scales))
    how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return _write(path, _node("Resize", ["x", "", "scales"], "y", **how), [1, 3, "h", "w"], constants)


def brightness(path: Path) -> Path:
    """The mean of the channels: as a matting model, it finds a bright object before a dark background."""
    return _write(path, _node("ReduceMean", ["x"], "y", axes=[1], keepdims=1), [1, 1, "height", "width"])
