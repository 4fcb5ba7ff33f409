"""Networks as files: ordinary ONNX, functions attached, the same bytes for the same network."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnx_ir as ir

from mcc.ir.diagnostics import error
from mcc.ir.network.operators import attach_functions


def to_bytes(network: ir.Model) -> bytes:
    """Serialize `network` with the meaning of its `mcc` operators; the bytes are reproducible."""
    proto = ir.to_proto(attach_functions(network.clone()))
    return proto.SerializeToString(deterministic=True)


def from_bytes(data: bytes) -> ir.Model:
    """Read what `to_bytes` wrote."""
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(data)
    except Exception as problem:
        raise error("network-damaged", f"this is no ONNX model: {problem}") from problem
    return ir.from_proto(proto)


def save(network: ir.Model, path: str | Path) -> None:
    """Write `network` to a file that Netron and ONNX Runtime open as it is."""
    Path(path).write_bytes(to_bytes(network))


def load(path: str | Path) -> ir.Model:
    """Read a network from a file."""
    try:
        data = Path(path).read_bytes()
    except OSError as problem:
        raise error("file-missing", f"cannot read `{path}`: {problem.strerror}") from problem
    return from_bytes(data)
