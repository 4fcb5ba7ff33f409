"""Operators that torch translates to ONNX in some of their forms, rewritten to those forms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch.export import ExportedProgram

from mcc.frontend.quiet import quiet

_TRANSLATED = {(0, 255), (-128, 127), (0, 127)}
"""Ranges of fake quantization that torch translates itself."""


def decompose(program: ExportedProgram) -> ExportedProgram:
    """Rewrite the operators of `DECOMPOSITIONS`, and return the program itself if it has none."""
    graphs = [part for part in program.graph_module.modules() if hasattr(part, "graph")]
    targets = {node.target for part in graphs for node in cast(Any, part).graph.nodes}
    if not targets.intersection(DECOMPOSITIONS):
        return program
    with quiet():
        return cast(Any, program).run_decompositions(DECOMPOSITIONS)


def attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    **options: Any,
) -> torch.Tensor:
    """Give attention the four axes that its translation insists on.

    query: (..., heads, rows, cols), or fewer axes
    """
    same = query.shape[:-3] == key.shape[:-3] == value.shape[:-3]
    broad = attn_mask is not None and attn_mask.ndim > 3 and query.ndim > 4
    if query.ndim == 4 or broad or not same or not query.ndim == key.ndim == value.ndim:
        return NotImplemented
    mask = None if attn_mask is None else _four_axes(attn_mask)
    four = (_four_axes(query), _four_axes(key), _four_axes(value))
    operator: Any = torch.ops.aten.scaled_dot_product_attention.default
    result = operator(*four, mask, dropout_p, is_causal, **options)
    return result.reshape(*query.shape[:-1], value.shape[-1])


def _four_axes(x: torch.Tensor) -> torch.Tensor:
    x = x if x.ndim > 2 else x[None]
    return x.reshape(-1, *x.shape[-3:])


def fake_quantize_tensor(
    x: torch.Tensor,
    scale: float | torch.Tensor,
    zero_point: int | torch.Tensor,
    low: int,
    high: int,
) -> torch.Tensor:
    """Write fake quantization with one scale as what it computes."""
    scale = scale if isinstance(scale, torch.Tensor) else torch.full((), scale)
    zero_point = zero_point.reshape(()) if isinstance(zero_point, torch.Tensor) else zero_point
    return _fake_quantize(x, scale.reshape(()), zero_point, low, high, None)


def fake_quantize_channel(
    x: torch.Tensor, scale: torch.Tensor, zero_point: torch.Tensor, axis: int, low: int, high: int
) -> torch.Tensor:
    """Write fake quantization with a scale for each index of an axis as what it computes."""
    return _fake_quantize(x, scale, zero_point, low, high, axis % x.ndim)


def _fake_quantize(
    x: torch.Tensor,
    scale: torch.Tensor,
    zero_point: int | torch.Tensor,
    low: int,
    high: int,
    axis: int | None,
) -> torch.Tensor:
    """Compute the codes bit by bit as torch does, and let DequantizeLinear tell their scale.

    Torch multiplies by the inverse of the scale, where QuantizeLinear divides: near a tie the two
    differ by one code. Limits that are whole numbers may as well come before the rounding.
    """
    whole = isinstance(zero_point, int) or not zero_point.is_floating_point()
    if (low, high) in _TRANSLATED or not whole or not x.dtype is scale.dtype is torch.float32:
        return NotImplemented
    column = [-1 if place == axis else 1 for place in range(x.ndim)] if axis is not None else []
    zero: Any = zero_point if isinstance(zero_point, int) else zero_point.reshape(column).float()
    steps = x * scale.reciprocal().reshape(column)
    steps = cast(Any, steps).clamp(low - zero, high - zero)
    form = torch.int8 if low < 0 else torch.uint8
    if low < torch.iinfo(form).min or high > torch.iinfo(form).max:
        return steps.round() * scale.reshape(column)
    zeros = torch.full((), zero, dtype=form) if isinstance(zero, int) else zero_point
    zeros = cast(torch.Tensor, zeros).to(form)
    attributes = {} if axis is None else {"axis": axis}
    codes = _onnx("QuantizeLinear", [steps, torch.ones_like(scale), zeros], attributes, form)
    return _onnx("DequantizeLinear", [codes, scale, zeros], attributes, torch.float32)


def _onnx(
    name: str, inputs: list[torch.Tensor], attributes: dict[str, int], dtype: torch.dtype
) -> torch.Tensor:
    symbolic = cast(Any, torch.onnx).ops.symbolic
    return symbolic(name, inputs, attributes, dtype=dtype, shape=inputs[0].shape)


def projected_lstm(x: torch.Tensor, states: Sequence[torch.Tensor], *options: Any) -> Any:
    """Unroll an LSTM with a projection, which the translation takes for one without."""
    hidden, cell = states
    if hidden.shape[-1] == cell.shape[-1]:
        return NotImplemented
    return cast(Any, torch)._decomp.decomposition_table[_ATEN.lstm.input](x, states, *options)


def extreme(operator: Any) -> Callable[..., Any]:
    """Return what names the axes of an extreme over all of them."""

    def over_all(x: torch.Tensor, dim: Sequence[int] = (), keepdim: bool = False) -> torch.Tensor:
        return NotImplemented if dim or not x.ndim else operator(x, list(range(x.ndim)), keepdim)

    return over_all


def random_slope(
    x: torch.Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, *_: Any
) -> torch.Tensor:
    """Write the slope that a randomized ReLU has in evaluation mode."""
    slope = (lower + upper) / 2
    return NotImplemented if training else torch.nn.functional.leaky_relu(x, slope)


_ATEN: Any = torch.ops.aten

DECOMPOSITIONS: dict[Any, Callable[..., Any]] = {
    _ATEN.amax.default: extreme(_ATEN.amax.default),
    _ATEN.amin.default: extreme(_ATEN.amin.default),
    _ATEN.lstm.input: projected_lstm,
    _ATEN.rrelu.default: random_slope,
    _ATEN.scaled_dot_product_attention.default: attention,
    _ATEN.fake_quantize_per_tensor_affine.default: fake_quantize_tensor,
    _ATEN.fake_quantize_per_tensor_affine.tensor_qparams: fake_quantize_tensor,
    _ATEN.fake_quantize_per_channel_affine.default: fake_quantize_channel,
}
"""What to compute in place of an operator; `NotImplemented` keeps it as it is."""
