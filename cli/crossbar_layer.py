"""A linear layer of torch whose products are those of programmed cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast, final

import numpy as np
import torch
from torch import nn

from mcc.cli.crossbar_operands import as_numbers, as_weights
from mcc.cli.crossbar_tensors import as_device, as_tensor, cells_of, wide
from mcc.cli.crossbar_torch import Cells, Law, encode, tile_sums
from mcc.ir.diagnostics import error
from mcc.ir.tensors import is_dense
from mcc.runtime.crossbar import RealCrossbar
from mcc.runtime.crossbar_limits import check_torch
from mcc.runtime.operands import InputCoding


@final
@dataclass(frozen=True)
class Written:
    """What the cells of a crossbar hold, on one device."""

    version: tuple[Any, ...]
    """Device that it is on, changes of the crossbar before, and how often reads began again."""
    law: Law
    cells: tuple[Cells, ...]
    scales: torch.Tensor
    """What one unit of a sum is worth, without that of the input (m,)."""
    effective: torch.Tensor
    """The weights by which the cells multiply on average, at full drive (m, n)."""
    generator: torch.Generator
    """Of the read noise."""


@final
class CrossbarLayer(nn.Module):
    """`y = x @ A.T + bias` with the cells of a crossbar `A`, x (..., n) and y (..., m).

    Forward is the physics: each call reads the cells anew. Backward goes straight through it: the
    gradient of the input is that of a product with the weights as written (0 where a fixed input
    range clips; of cells with a law of current, as they are at full drive), and the gradient of
    `weight` is that of a product with `weight`.

    `weight` holds the ideal weights, which begin as those that were written, rounded to their
    codes. The cells follow it when `program` is called, not before; state dicts hold `weight` and
    `bias`, not the cells.
    """

    def __init__(self, crossbar: RealCrossbar, bias: Any = None, device: Any = None) -> None:
        """Take the cells of a crossbar.

        Args:
            crossbar: The cells.
            bias: What is added to every product (m,); nothing if None.
            device: Where the parameters lie.

        Raises:
            MccError: `crossbar-weights` for the bias, `crossbar-model`, or `option-value` for the
                device.
        """
        super().__init__()
        check_torch(crossbar.target, crossbar.fidelity)
        self._crossbar, self._number = crossbar, crossbar.layers
        crossbar.layers += 1
        self._written: Written | None = None
        device = as_device(device)
        self.weight = nn.Parameter(as_tensor(crossbar.weights(), device))
        self.bias = None
        if bias is not None:
            values = as_numbers(bias, "crossbar-weights", "the bias")
            if values.shape != crossbar.shape[:1] or values.dtype.kind == "c":
                message = f"the bias is {values.dtype} of the shape {values.shape}"
                help = f"give one real number for each output: ({crossbar.shape[0]},)"
                raise error("crossbar-weights", message, help)
            self.bias = nn.Parameter(as_tensor(values, device))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the products of vectors (..., n) in their floating type."""
        rows, cols = self._crossbar.shape
        if not isinstance(cast(object, x), torch.Tensor):
            message = f"the input is a {type(x).__name__}, not a tensor of torch"
            raise error("crossbar-input", message, "multiply with `A @ x`, or give a tensor")
        if not is_dense(x):
            message = f"the input has not all of its elements ({x.layout} on {x.device})"
            raise error("crossbar-input", message, "give a dense tensor that holds them")
        if x.ndim == 0 or x.shape[-1] != cols or not x.is_floating_point():
            message = f"the input is {x.dtype} of the shape {tuple(x.shape)}"
            raise error("crossbar-input", message, f"the layer takes real numbers (..., {cols})")
        if not bool(x.isfinite().all()):
            message = "the input holds infinities or something that is not a number"
            raise error("crossbar-input", message, "voltages are finite: replace it")
        written = self.written(x.device)
        vectors = x.reshape(int(np.prod(x.shape[:-1])), cols)
        y = cast(torch.Tensor, _Product.apply(vectors, self.weight, written))  # pyright: ignore[reportUnknownMemberType]
        y = y.reshape(*x.shape[:-1], rows)
        return y if self.bias is None else y + self.bias.to(y.dtype)

    def _noise(self, device: torch.device) -> torch.Generator:
        """Return the generator of this layer's read noise, which a rewind begins again."""
        written, crossbar = self._written, self._crossbar
        if written is not None and written.version[::2] == (device, crossbar.rewinds):
            return written.generator
        place = (crossbar.seed, crossbar.place, self._number)
        seed = np.random.SeedSequence(place).generate_state(1, np.uint64)[0] >> 1
        return torch.Generator(device).manual_seed(int(seed))

    def program(self) -> None:
        """Write `weight` into the cells, with write errors of their own."""
        self._crossbar.program(as_weights(self.weight).astype(np.float64))

    def written(self, device: torch.device) -> Written:
        """Return what the cells hold, on a device."""
        crossbar, direction = self._crossbar, self._crossbar.direction(False)
        version = (device, crossbar.changes, crossbar.rewinds)
        if self._written is None or self._written.version != version:
            ends = crossbar.converter_range(False)
            law = Law(crossbar.digit_target, direction.coding, direction.shift or 0, ends)
            cells = tuple(cells_of(crossbar, law, *it, device) for it in crossbar.terms())
            noise = self._noise(device)
            self._written = Written(
                version,
                law,
                cells,
                as_tensor(crossbar.scales, device, wide(device)),
                as_tensor(crossbar.effective(), device),
                noise,
            )
        return self._written

    def extra_repr(self) -> str:
        """Return what `repr` says in parentheses."""
        rows, cols = self._crossbar.shape
        return f"{cols}, {rows}, bias={self.bias is not None}, {self._crossbar.fidelity}"


class _Product(torch.autograd.Function):
    """Physics forward, straight through backward."""

    @staticmethod
    def forward(
        ctx: Any, vectors: torch.Tensor, weight: torch.Tensor, written: Written
    ) -> torch.Tensor:
        ctx.save_for_backward(vectors, written.effective)
        ctx.coding, ctx.weight_dtype = written.law.coding, weight.dtype
        with torch.autocast(vectors.device.type, enabled=False):
            return _physics(vectors, written).to(vectors.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[torch.Tensor, torch.Tensor, None]:
        (gradient,) = cast(tuple[torch.Tensor], gradients)
        vectors, effective = cast(tuple[torch.Tensor, torch.Tensor], ctx.saved_tensors)
        of_vectors = gradient @ effective.to(gradient.dtype)
        of_vectors = of_vectors * _inside(vectors, ctx.coding)
        return of_vectors, (gradient.mT @ vectors).to(ctx.weight_dtype), None


def _physics(vectors: torch.Tensor, written: Written) -> torch.Tensor:
    """Return the products (batch, m) of vectors (batch, n)."""
    codes, steps = encode(vectors, written.law.coding)
    sums = torch.zeros(len(codes), len(written.scales), dtype=torch.int64, device=codes.device)
    for cells in written.cells:
        part = tile_sums(cells, written.law, codes[:, cells.inputs], written.generator)
        sums[:, cells.outputs] += part
    return sums * steps * written.scales


def _inside(vectors: torch.Tensor, coding: InputCoding) -> torch.Tensor | float:
    """Return 1 where inputs are not clipped, else 0."""
    if coding.scale is None:
        return 1.0
    highest = coding.scale * coding.highest
    lowest = -highest if coding.signed else 0.0
    return ((vectors >= lowest) & (vectors <= highest)).to(vectors.dtype)
