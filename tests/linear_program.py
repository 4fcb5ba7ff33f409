"""A hand-made program: a linear layer whose rows are split over two cores."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcc.backends.crossbar import targets
from mcc.ir.hardware import Target
from mcc.ir.hardware.conversion import full_scale_shift
from mcc.ir.hardware.encoding import encode
from mcc.ir.program import MOVER, VECTOR, Constant, DType, Image, Program, Region, Stream, Tile
from mcc.ir.program import array as macro
from mcc.ir.program.checks import check
from mcc.ir.program.instructions import (
    Binary,
    BinaryOperation,
    Copy,
    Dequantize,
    EndLoop,
    Fill,
    Halt,
    Instruction,
    Load,
    Loop,
    Mvm,
    Post,
    Quantize,
    Recv,
    Send,
    Store,
    Wait,
)
from mcc.ir.program.places import Place

Array = NDArray[Any]
F32, I32, U8 = DType.FLOAT32, DType.INT32, DType.UINT8
STRIPS, STRIP, ROWS, COLS, SPLIT = 3, 4, 20, 5, 12
ZERO = 7
X, Y, SCALE, BIAS, START, STEP, BUFFER = 0, 1024, 1280, 1344, 1408, 1472, 1536
"""Addresses in the global buffer: input, output, weight scales, bias, first sums, input scale."""
L_X, L_CODES, L_SUMS, L_Y, L_OTHER, L_SCALE, L_BIAS, L_START, L_STEP, LOCAL = range(0, 5120, 512)


def small_target(**changes: Any) -> Target:
    values = {"chip.mesh_rows": 1, "chip.mesh_cols": 2, "macro.rows": 16, "macro.cols": 128}
    smaller: dict[str, Any] = {"macro.active_rows": 8, "core.macros": 2}
    return targets.load("rram40nm").with_values(values | smaller | changes)


def layer(seed: int = 0) -> dict[str, Array]:
    generator = np.random.default_rng(seed)
    return {
        "weights": generator.integers(-127, 128, (ROWS, COLS)).astype(np.int8),
        "scale": generator.uniform(1e-4, 1e-3, COLS).astype(np.float32),
        "bias": generator.standard_normal(COLS).astype(np.float32),
        "step": np.array(0.031, np.float32),
    }


def expected(layer: dict[str, Array], x: Array) -> dict[str, Array]:
    quiet = np.float32(ZERO)
    codes = np.clip(np.rint(x / layer["step"]) + quiet, 0, 255).astype(np.uint8)
    sums = (codes.astype(np.int64) - ZERO) @ layer["weights"].astype(np.int64)
    y = sums.astype(np.float32) * layer["scale"] + layer["bias"]
    return {"codes": codes, "sums": sums.astype(np.int32), "y": y}


def constants(layer: dict[str, Array]) -> tuple[Constant, ...]:
    start = -ZERO * layer["weights"].sum(axis=0, dtype=np.int32)
    parts = {SCALE: layer["scale"], BIAS: layer["bias"], START: start, STEP: layer["step"]}
    return tuple(Constant.of(f"c{at}", at, array) for at, array in parts.items())


def cells(target: Target, weights: Array, core: int, index: int) -> tuple[Tile, Image]:
    encoded = encode(weights, target.macro, target.cell, 8)
    states = np.zeros((target.macro.rows, target.macro.cols), np.uint8)
    states[: len(weights), : encoded.cells.shape[1]] = encoded.cells
    tile = Tile(
        core=core,
        macro=core,
        row=0,
        col=0,
        rows=len(weights),
        cols=weights.shape[1],
        weight_bits=8,
        input_bits=8,
        input_signed=False,
        shift=full_scale_shift(target.macro, target.cell, 8, False),
        flips=b"",
        image=index,
        node="layer",
        block=(index, 0),
    )
    return tile, Image(core, core, states)


def strided(dtype: DType, base: int, cols: int, pitch: int, step: int = 0) -> Stream:
    """Return `STRIP` rows of `cols` elements, rows `pitch` elements apart."""
    size = dtype.itemsize
    return Stream(dtype, base, ((STRIP, pitch * size), (cols, size)), (step,) if step else ())


def broadcast(dtype: DType, base: int, cols: int) -> Stream:
    stride = 0 if cols == 1 else dtype.itemsize
    return Stream(dtype, base, ((STRIP, 0), (cols, stride)))


def main_core() -> tuple[Instruction, ...]:
    """Core 0: quantize, multiply the first rows, add what core 1 sends, dequantize."""
    codes = strided(U8, L_CODES, ROWS, ROWS)
    sums, other = strided(I32, L_SUMS, COLS, COLS), strided(I32, L_OTHER, COLS, COLS)
    step = Stream(F32, L_STEP, ((STRIP, 0), (ROWS, 0)))
    x, y = strided(F32, L_X, ROWS, ROWS), strided(F32, L_Y, COLS, COLS)
    out = strided(F32, Y, COLS, COLS, STRIP * COLS * 4)
    return (
        Load(Stream.dense(F32, L_SCALE, (COLS,)), Stream.dense(F32, SCALE, (COLS,))),
        Load(Stream.dense(F32, L_BIAS, (COLS,)), Stream.dense(F32, BIAS, (COLS,))),
        Load(Stream.dense(I32, L_START, (COLS,)), Stream.dense(I32, START, (COLS,))),
        Load(Stream.dense(F32, L_STEP, ()), Stream.dense(F32, STEP, ())),
        Loop(STRIPS),
        Load(x, strided(F32, X, ROWS, ROWS, STRIP * ROWS * 4), wait=frozenset({VECTOR})),
        Quantize(codes, x, step, ZERO, 0, 255, wait=frozenset({MOVER})),
        Copy(sums, broadcast(I32, L_START, COLS)),
        Mvm(0, strided(U8, L_CODES, SPLIT, ROWS), 1, sums, wait=frozenset({VECTOR, MOVER})),
        Send(1, strided(U8, L_CODES + SPLIT, ROWS - SPLIT, ROWS)),
        Recv(1, other),
        Binary(BinaryOperation.ADD, sums, sums, other, wait=frozenset({MOVER, macro(0)})),
        Dequantize(y, sums, broadcast(F32, L_SCALE, COLS), broadcast(F32, L_BIAS, COLS)),
        Store(out, y, wait=frozenset({VECTOR})),
        EndLoop(),
        Post(0),
        Halt(),
    )


def other_core() -> tuple[Instruction, ...]:
    """Core 1: multiply the last rows."""
    codes = Stream.dense(U8, L_CODES, (STRIP, ROWS - SPLIT))
    sums = Stream.dense(I32, L_SUMS, (STRIP, COLS))
    zeros = Stream(I32, L_START, ((STRIP, 0), (COLS, 0)))
    return (
        Fill(Stream.dense(I32, L_START, ()), 0.0),
        Loop(STRIPS),
        Recv(0, codes),
        Copy(sums, zeros),
        Mvm(1, codes, 1, sums, wait=frozenset({MOVER})),
        Send(0, sums, wait=frozenset({macro(1)})),
        EndLoop(),
        Wait(0),
        Halt(),
    )


def program(target: Target, values: dict[str, Array]) -> Program:
    weights = values["weights"]
    first, second = cells(target, weights[:SPLIT], 0, 0), cells(target, weights[SPLIT:], 1, 1)
    cores = (main_core(), other_core())
    nodes = tuple(tuple("layer" for _ in core) for core in cores)
    found = Program(
        target=target,
        cores=cores,
        tiles=(first[0], second[0]),
        images=(first[1], second[1]),
        constants=constants(values),
        inputs=(Region("x", X, F32, (STRIPS * STRIP, ROWS)),),
        outputs=(Region("y", Y, F32, (STRIPS * STRIP, COLS)),),
        semaphores=1,
        buffer_bytes=BUFFER,
        memory_bytes=(LOCAL + 512, LOCAL + 512),
        source_map=nodes,
    )
    check(found)
    return found


def inputs(samples: int, seed: int = 1) -> dict[str, Array]:
    generator = np.random.default_rng(seed)
    x = 5 * generator.standard_normal((samples, STRIPS * STRIP, ROWS))
    return {"x": x.astype(np.float32)}


def places() -> dict[tuple[int, int], Place]:
    codes = Stream(U8, 0, ((STRIP, ROWS), (ROWS, 1)), (STRIP * ROWS,))
    sums = Stream(I32, 0, ((STRIP, COLS * 4), (COLS, 4)), (STRIP * COLS * 4,))
    shape = STRIPS * STRIP
    return {
        (0, 6): Place("codes", (shape, ROWS), codes),
        (0, 12): Place("sums", (shape, COLS), sums),
    }
