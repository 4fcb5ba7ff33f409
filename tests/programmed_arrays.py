"""Programs of one tile, as programmed arrays need them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcc.backends.crossbar import targets
from mcc.ir.hardware import Target
from mcc.ir.hardware.conversion import full_scale_shift
from mcc.ir.hardware.encoding import encode
from mcc.ir.program import Image, Tile, pack_flips

IDEAL_CELLS = {
    "cell.write_error": 0.0,
    "cell.read_noise": 0.0,
    "cell.stuck_low_fraction": 0.0,
    "cell.stuck_high_fraction": 0.0,
}
IDEAL_LINES = {
    "wires.word_ohm": 0.0,
    "wires.bit_ohm": 0.0,
    "wires.source_ohm": 0.0,
    "wires.driver_ohm": 0.0,
    "wires.sense_ohm": 0.0,
    "wires.switch_ohm": 0.0,
}
IDEAL = {**IDEAL_CELLS, **IDEAL_LINES}
ENCODINGS = [("differential", False), ("offset", False), ("offset", True)]
MILO: dict[str, Any] = {
    "cell.g_min_siemens": 50e-6,
    "cell.g_max_siemens": 225e-6,
    "cell.current.square_0_ampere_per_volt2": 0.007063,
    "cell.current.square_1_ampere_per_volt2": 0.005711,
    "cell.current.square_2_ampere_per_volt2": 0.001541,
    "cell.current.square_3_ampere_per_volt2": 0.0001388,
    "cell.current.cube_0_ampere_per_volt3": 0.0012968,
    "cell.current.cube_1_ampere_per_volt3": 0.00067919,
    "cell.current.cube_2_ampere_per_volt3": 0.00008871,
    "cell.current.low_siemens": 62.5e-6,
    "cell.current.high_siemens": 110e-6,
}
"""The law of `milo2021.yaml`."""
SINH: dict[str, Any] = {"cell.current.sinh_per_volt": 6.0}


@dataclass(frozen=True)
class Small:
    """The part of a program that arrays need."""

    target: Target
    tiles: tuple[Tile, ...]
    images: tuple[Image, ...]


def small_target(**changes: Any) -> Target:
    """Return a macro of 48 x 64 cells in groups of 16 rows, with a converter that never clips."""
    values = {
        "macro.rows": 48,
        "macro.cols": 64,
        "macro.active_rows": 16,
        "macro.adc.columns_per_adc": 8,
        "macro.adc.bits": 20,
    }
    named = {key.replace("__", "."): value for key, value in changes.items()}
    return targets.load("rram40nm").with_values(values | named)


def programmed(
    target: Target, weights: NDArray[np.int8], row: int = 0, col: int = 0, **fields: Any
) -> Small:
    """Return a program with one tile at a place of one macro."""
    bits = fields.pop("weight_bits", 8)
    encoded = encode(weights, target.macro, target.cell, bits)
    cells = np.zeros((target.macro.rows, target.macro.cols), np.uint8)
    rows, columns = encoded.cells.shape
    cells[row : row + rows, col : col + columns] = encoded.cells
    layer: dict[str, Any] = {"input_bits": 8, "input_signed": False} | fields
    inputs = layer["input_bits"], layer["input_signed"]
    layer = {"shift": full_scale_shift(target.macro, target.cell, *inputs)} | layer
    tile = Tile(
        core=1,
        macro=2,
        row=row,
        col=col,
        rows=rows,
        cols=weights.shape[1],
        weight_bits=bits,
        flips=pack_flips(encoded.flips),
        image=0,
        node="layer",
        block=(0, 0),
        **layer,
    )
    return Small(target, (tile,), (Image(1, 2, cells),))


def random_weights(bits: int = 8, rows: int = 37, cols: int = 4, seed: int = 0) -> NDArray[np.int8]:
    reach = 2 ** (bits - 1) - 1
    return np.random.default_rng(seed).integers(-reach, reach + 1, (rows, cols)).astype(np.int8)


def random_codes(
    bits: int = 8, signed: bool = False, shape: tuple[int, ...] = (3, 5, 37), seed: int = 1
) -> NDArray[Any]:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1)) if signed else (0, 2**bits)
    codes = np.random.default_rng(seed).integers(low, high, shape)
    codes[0, 0], codes[0, 1] = low, high - 1
    return codes.astype(np.int8 if signed else np.uint8)


def product(codes: NDArray[Any], weights: NDArray[np.int8]) -> NDArray[np.int64]:
    return codes.astype(np.int64) @ weights.astype(np.int64)
