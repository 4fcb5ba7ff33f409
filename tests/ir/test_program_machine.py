"""Streams, topology, timing rules and events; and the manual that is generated from them."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcc.backends.crossbar import targets
from mcc.ir.hardware import Target
from mcc.ir.program import (
    INSTRUCTIONS,
    DType,
    HostCall,
    Program,
    Region,
    Stream,
    Tile,
    count_events,
    pack_flips,
    topology,
    trip_counts,
)
from mcc.ir.program.declarations import MNEMONICS, OPCODES
from mcc.ir.program.events import FIELDS, Events
from mcc.ir.program.instructions import (
    Binary,
    BinaryOperation,
    CallHost,
    EndLoop,
    Fill,
    Halt,
    Load,
    Loop,
    Mvm,
    ProgramMacro,
    Send,
    Store,
)
from mcc.ir.program.manual import manual
from mcc.ir.program.timing import ceil_real
from mcc.ir.program.topology import Direction

F32 = DType.FLOAT32
RRAM = targets.load("rram40nm")


def single(target: Target, *, rows: int = 100, cols: int = 16, signed: bool = False) -> Program:
    made = Tile(
        core=0,
        macro=3,
        row=0,
        col=0,
        rows=rows,
        cols=cols,
        weight_bits=8,
        input_bits=8,
        input_signed=signed,
        shift=0,
        flips=b"",
        image=0,
        node="fc",
        block=(0, 0),
    )
    return Program(target=target, cores=((Halt(),),) * 64, tiles=(made,))


def product(positions: int, rows: int, cols: int) -> Mvm:
    result = Stream.dense(DType.INT32, 0, (positions, cols))
    return Mvm(0, Stream.dense(DType.UINT8, 0, (positions, rows)), 1, result)


def test_the_manual_is_fresh() -> None:
    written = Path(__file__).parents[2] / "docs" / "machine.md"
    assert written.read_text() == manual(), "run python -m mcc.ir.program.manual > docs/machine.md"


def test_every_instruction_is_in_the_manual_once() -> None:
    text = manual()
    for cls in INSTRUCTIONS:
        assert text.count(f"\n### {cls.MNEMONIC}\n") == 1
    assert len(OPCODES) == len(MNEMONICS) == len(INSTRUCTIONS)


def test_streams_address_elements_row_by_row() -> None:
    stream = Stream(F32, 100, ((2, 64), (3, -4)), (1000, 10))
    assert stream.shape == (2, 3)
    assert (stream.elements, stream.bytes, stream.traffic) == (6, 24, 24)
    assert stream.span == (-8, 68)
    assert stream.address((2, 3)) == 2130
    dense = Stream.dense(F32, 8, (2, 3))
    assert dense.dims == ((2, 12), (3, 4))
    assert Stream(F32, 0, ((5, 0), (3, 4))).traffic == 12
    assert Stream(F32, 0, ()).elements == 1


@pytest.mark.parametrize("dtype", DType)
def test_types_are_those_of_numpy(dtype: DType) -> None:
    assert DType.of(np.zeros(1, dtype.numpy).dtype) is dtype
    assert dtype.itemsize == dtype.numpy.itemsize


def test_flips_are_kept() -> None:
    flips = np.random.default_rng(0).random((3, 21)) < 0.5
    tile = Tile(0, 0, 0, 0, 9, 21, 8, 8, False, 0, pack_flips(flips), 0, "fc", (0, 0))
    assert np.array_equal(tile.flipped(3, 21), flips)
    assert pack_flips(flips & False) == b""


def test_messages_go_along_the_row_then_along_the_column() -> None:
    chip = topology(RRAM)
    names = [chip.name(link) for link in chip.path(0, 17)]
    assert names == ["link.0-east", "link.1-south", "link.9-south"]
    assert chip.path(17, 0)[0] == chip.link(17, Direction.WEST)
    assert [chip.name(link) for link in chip.path_from_buffer(9)] == [
        "link.buffer-8",
        "link.8-east",
    ]
    assert [chip.name(link) for link in chip.path_to_buffer(9)] == ["link.9-west", "link.8-west"]
    for one, two in itertools.permutations((0, 7, 20, 63), 2):
        rows, cols = abs(one // 8 - two // 8), abs(one % 8 - two % 8)
        assert len(chip.path(one, two)) == rows + cols
    numbers = {chip.name(index) for index in range(chip.count)}
    assert len(numbers) == chip.count
    assert [chip.capacity(index) for index in (0, chip.buffer, chip.host, chip.entry(0))] == [
        RRAM.core.memory.ports,
        RRAM.chip.buffer.ports,
        1,
        1,
    ]


def test_a_product_takes_what_the_manual_says() -> None:
    program = single(RRAM)
    pipeline = product(10, 100, 16).timing(program.context(0))
    # 100 codes over 32 bytes; 8 phases x 2 groups of (2 + 8 pairs x 5); 16 sums read and written.
    assert [step.cycles for step in pipeline.stages] == [4, 16 * (2 + 8 * 5), 4]
    assert [step.resources for step in pipeline.stages] == [(0,), (), (0,)]
    assert pipeline.count == 10
    held = single(RRAM.with_values({"macro.sample_and_hold": True}))
    assert product(10, 100, 16).timing(held.context(0)).stages[1].cycles == 42 + 15 * 40
    signed = single(RRAM.with_values({"macro.dac_bits": 4}), signed=True)
    assert product(10, 100, 16).timing(signed.context(0)).stages[1].cycles == 3 * 2 * 42
    few = single(RRAM, cols=1)
    assert product(10, 100, 1).timing(few.context(0)).stages[1].cycles == 16 * (2 + 7 * 5)


@pytest.mark.parametrize(
    ("changes", "cycles", "conversions"),
    [
        ({"macro.subtraction": "after"}, 16 * (2 + 16 * 5), 8 * 2 * 16 * 14),
        ({"macro.accumulation": "analog"}, 2 * (8 * 2 + 8 * 5), 2 * 16 * 7),
        (
            {"macro.accumulation": "analog", "macro.sample_and_hold": True},
            16 + 40 + 40,
            2 * 16 * 7,
        ),
        (
            {"macro.input_coding": "pulse_width", "macro.dac_bits": 4},
            2 * 2 * (15 * 2 + 8 * 5),
            2 * 2 * 16 * 7,
        ),
        (
            {
                "macro.input_coding": "pulse_width",
                "macro.dac_bits": 2,
                "macro.accumulation": "analog",
                "macro.subtraction": "after",
            },
            2 * (4 * 3 * 2 + 16 * 5),
            2 * 16 * 14,
        ),
        ({"macro.encoding": "offset"}, 16 * (2 + 16 * 5), 8 * 2 * 16 * 8),
        (
            {"macro.encoding": "offset", "macro.reference": "column"},
            16 * (2 + 16 * 5),
            8 * 2 * 16 * 8,
        ),
        (
            {
                "macro.encoding": "offset",
                "macro.reference": "column",
                "macro.subtraction": "after",
                "macro.adc.columns_per_adc": 512,
            },
            16 * (2 + 17 * 8 * 5),
            8 * 2 * 17 * 8,
        ),
        (
            {"cell.bits": 2, "macro.slice_overlap": 1},
            16 * (2 + 8 * 5),
            8 * 2 * 16 * 5,
        ),
    ],
)
def test_arithmetic_decides_when_sums_are_converted(
    changes: dict[str, Any], cycles: int, conversions: int
) -> None:
    """8 phases, 2 groups, 16 columns of 7 pairs; 5 slices hold 7 bits where each counts thrice.

    Of the offset encoding 16 columns of 8 slices; one more is the reference.
    """
    program = single(RRAM.with_values(changes))
    pipeline = product(10, 100, 16).timing(program.context(0))
    assert pipeline.stages[1].cycles == cycles
    events = product(10, 100, 16).events(program.context(0))
    assert events.adc_conversions == events.shift_adds == 10 * conversions


def test_a_product_counts_its_events() -> None:
    program = single(RRAM)
    events = product(10, 100, 16).events(program.context(0))
    assert events.dac_drives == 10 * 8 * 100
    assert events.cell_reads == events.dac_drives * 16 * 14
    assert events.adc_conversions == events.shift_adds == 10 * 8 * 2 * 16 * 7
    assert events.memory_bytes == 10 * (100 + 2 * 64)
    reference = single(RRAM.with_values({"macro.encoding": "offset", "macro.reference": "column"}))
    events = product(10, 100, 16).events(reference.context(0))
    assert events.cell_reads == events.dac_drives * 17 * 8
    offset = {"macro.encoding": "offset", "macro.adc.columns_per_adc": 8}
    events = product(10, 100, 16).events(single(RRAM.with_values(offset)).context(0))
    assert events.adc_conversions == 10 * 8 * 2 * 16 * 8


def test_transfers_hold_their_path() -> None:
    context = single(RRAM).context(9)
    stream = Stream.dense(F32, 0, (100,))
    chip = topology(RRAM)
    for cls, path in ((Load, chip.path_from_buffer(9)), (Store, chip.path_to_buffer(9))):
        (step,) = cls(stream, stream).timing(context).stages
        assert step.cycles == 2 * 2 + 13
        assert set(step.resources) == {9, chip.buffer, *path}
        assert cls(stream, stream).events(context).link_byte_hops == 2 * 400
    (step,) = Send(0, stream).timing(context).stages
    assert step.cycles == 2 * 2 + 13
    assert set(step.resources) == {0, 9, *chip.path(9, 0)}
    assert list(step.resources) == sorted(step.resources)


def test_vector_work_is_bound_by_lanes_or_by_the_port() -> None:
    context = single(RRAM).context(0)
    wide = Stream.dense(F32, 0, (160,))
    scalar = Stream(F32, 0, ((160, 0),))
    (step,) = Binary(BinaryOperation.DIV, wide, wide, wide).timing(context).stages
    assert step.cycles == 1 + 10 * 8
    (step,) = Binary(BinaryOperation.ADD, wide, wide, wide).timing(context).stages
    assert step.cycles == 1 + 3 * 20
    (step,) = Binary(BinaryOperation.ADD, wide, wide, scalar).timing(context).stages
    assert step.cycles == 1 + 41


def test_the_host_takes_its_estimate() -> None:
    region = Region("x", 0, F32, (1000,))
    program = Program(
        target=RRAM, cores=(), host_calls=(HostCall(0, (region,), (region,), 5_000_000),)
    )
    context = program.context(0)
    (step,) = CallHost(0).timing(context).stages
    # 10 us + 8000 B at 1 GB/s + 5e6 at 10 Gop/s, at 100 MHz.
    assert step.cycles == 1000 + 800 + 50_000
    assert CallHost(0).events(context).host_bytes == 8000


def test_writing_a_macro_takes_its_pulses() -> None:
    context = single(RRAM).context(0)
    (step,) = ProgramMacro(0, 0).timing(context).stages
    assert step.cycles == 512 * 8 * 100
    assert ProgramMacro(0, 0).events(context).cell_writes == 512 * 512 * 8


def test_rounding_up_forgives_rounding_errors() -> None:
    assert [ceil_real(value) for value in (3.0, 3.0000000000001, 3.1, 2.9999999999999)] == [
        3,
        3,
        4,
        3,
    ]


def test_events_of_loops_are_multiplied() -> None:
    fill = Fill(Stream.dense(F32, 0, (8,)), 0.0)
    code = (Loop(3), fill, Loop(4), fill, EndLoop(), EndLoop(), fill, Halt())
    assert trip_counts(code) == [1, 3, 3, 12, 12, 3, 1, 1]
    program = Program(target=RRAM, cores=(code, *((Halt(),),) * 63))
    assert count_events(program) == Events(memory_bytes=32 * 16)
    assert FIELDS[0] == "cell_reads"
    assert {f"{name[:-1]}_joules" for name in FIELDS} == {
        name for name in vars(RRAM.energy) if name.endswith("_joules")
    }
