"""A network with work for every unit (crossbar, vector unit, memory, host), and its program."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mcc
from mcc.ir.network import Network, from_text

UNITS = {"crossbar", "vector", "memory", "host"}
_CONSTANTS = {"first": (8, 3, 3, 3), "second": (8, 8, 3, 3), "last": (8, 4)}


def network() -> Network:
    """Return two convolutions with a residual, and a linear layer whose end only a host can run."""
    constants = [_constant(name, shape) for name, shape in _CONSTANTS.items()]
    return from_text(
        f"""<ir_version: 10, opset_import: ["" : 20]>
        g (float[1,3,6,6] x) => (float[1,4] y)
        <{", ".join(constants)}, int64[2] flat = {{1, 8}}> {{
            a = Conv <pads = [1,1,1,1]> (x, first)
            b = Relu (a)
            c = Conv <pads = [1,1,1,1]> (b, second)
            d = Add (c, b)
            p = GlobalAveragePool (d)
            v = Reshape (p, flat)
            z = MatMul (v, last)
            e = Erf (z)
            y = Softmax (e)
        }}"""
    )


def _constant(name: str, shape: tuple[int, ...]) -> str:
    drawn = np.random.default_rng(len(name)).normal(size=shape) / np.sqrt(np.prod(shape[1:]))
    numbers = ",".join(repr(float(number)) for number in drawn.astype(np.float32).ravel())
    return f"float[{','.join(map(str, shape))}] {name} = {{{numbers}}}"


def samples(count: int, seed: int) -> NDArray[np.float32]:
    """Return inputs (count, 3, 6, 6)."""
    return np.random.default_rng(seed).normal(size=(count, 3, 6, 6)).astype(np.float32)


def compile_small(**options: Any) -> mcc.Program:
    """Compile the network on its calibration data."""
    return mcc.compile(network(), {"x": samples(1, 0)}, calibration=samples(6, 1), **options)


@cache
def compiled() -> mcc.Program:
    """Return the program that tests share; none of them changes it."""
    return compile_small()
