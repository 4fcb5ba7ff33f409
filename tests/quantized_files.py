"""Networks as the quantizer of ONNX Runtime leaves them, in either of its formats."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import onnx
import onnx_ir as ir
from onnxruntime import quantization  # pyright: ignore[reportMissingTypeStubs]
from onnxruntime.quantization.shape_inference import (  # pyright: ignore[reportMissingTypeStubs]
    quant_pre_process,  # pyright: ignore[reportUnknownVariableType]
)

from mcc.ir.network import Feeds, Network

_static = cast("Any", quantization)


def quantized_file(
    network: Network,
    samples: Sequence[Feeds],
    *,
    signed: bool = False,
    per_channel: bool = True,
    operators: bool = False,
) -> onnx.ModelProto:
    """Quantize `network`, which is standard ONNX, on `samples`: weights to int8.

    Codes are decoded in front of every operator and coded behind it; or, where `operators` is set,
    operators compute on them.
    """
    formats = _static.QuantFormat
    with tempfile.TemporaryDirectory() as folder:
        plain, folded, coded = (
            Path(folder) / f"{name}.onnx" for name in ("plain", "folded", "coded")
        )
        plain.write_bytes(ir.to_proto(network).SerializeToString())
        quant_pre_process(plain, folded, skip_symbolic_shape=True)
        _static.quantize_static(
            folded,
            coded,
            _Reader(samples),
            quant_format=formats.QOperator if operators else formats.QDQ,
            per_channel=per_channel,
            activation_type=_static.QuantType.QInt8 if signed else _static.QuantType.QUInt8,
            weight_type=_static.QuantType.QInt8,
        )
        return onnx.ModelProto.FromString(coded.read_bytes())


class _Reader(_static.CalibrationDataReader):
    """Hands out one sample after another."""

    def __init__(self, samples: Sequence[Feeds]) -> None:
        self._left = iter(samples)

    def get_next(self) -> Feeds | None:
        return next(self._left, None)
