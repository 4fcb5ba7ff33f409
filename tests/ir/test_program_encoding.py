"""The binary form: round trips, and everything that damage can do to it."""

from __future__ import annotations

import random
import struct
import tracemalloc
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mcc.ir.diagnostics import MccError
from mcc.ir.program import INSTRUCTIONS, Constant, DType, Program, Stream
from mcc.ir.program.binary import Reader, Writer
from mcc.ir.program.code import read_instruction, write_instruction
from mcc.ir.program.encoding import SECTIONS, decode, encode
from mcc.ir.program.instructions import Halt, Load
from mcc.ir.program.instructions.base import Instruction
from tests.program_generator import random_program
from tests.program_strategies import SEEDED, instructions_of

HEADER = struct.Struct("<8sHH")
ENTRY = struct.Struct("<8sIQ")


def cells_of(program: Program) -> list[NDArray[np.uint8]]:
    return [image.cells for image in program.images]


def again(program: Program, data: bytes) -> Program:
    return decode(data, program.target, cells_of(program), program.host_graphs)


def refused(program: Program, data: bytes) -> str:
    with pytest.raises(MccError) as caught:
        again(program, data)
    assert {item.code for item in caught.value.diagnostics} == {"program-damaged"}
    return str(caught.value)


def with_section(data: bytes, name: str, payload: bytes) -> bytes:
    """Return the program with one section replaced and all checksums right."""
    entries: list[tuple[bytes, bytes]] = []
    position = HEADER.size + len(SECTIONS) * ENTRY.size + 4
    for index in range(len(SECTIONS)):
        tag, _, length = ENTRY.unpack_from(data, HEADER.size + index * ENTRY.size)
        body = data[position : position + length]
        position += length
        entries.append((tag, payload if tag.rstrip(b"\0") == name.encode() else body))
    header = data[: HEADER.size]
    header += b"".join(ENTRY.pack(tag, zlib.crc32(body), len(body)) for tag, body in entries)
    header += struct.pack("<I", zlib.crc32(header))
    return header + b"".join(body for _, body in entries)


def section(data: bytes, name: str) -> bytes:
    position = HEADER.size + len(SECTIONS) * ENTRY.size + 4
    for index in range(len(SECTIONS)):
        tag, _, length = ENTRY.unpack_from(data, HEADER.size + index * ENTRY.size)
        if tag.rstrip(b"\0") == name.encode():
            return data[position : position + length]
        position += length
    raise KeyError(name)


@pytest.mark.parametrize("cls", INSTRUCTIONS, ids=lambda cls: cls.MNEMONIC)
def test_every_instruction_survives(cls: type[Instruction]) -> None:
    @SEEDED
    @given(instructions_of(cls))
    def survives(instruction: Instruction) -> None:
        writer = Writer()
        write_instruction(instruction, writer)
        reader = Reader("cores", bytes(writer.data))
        assert read_instruction(reader) == instruction
        reader.end()

    survives()


@pytest.mark.parametrize("seed", range(25))
def test_programs_survive(seed: int) -> None:
    program = random_program(seed)
    data = encode(program)
    assert again(program, data) == program
    assert encode(again(program, data)) == data


def test_any_changed_byte_is_refused() -> None:
    program = random_program(3)
    data = encode(program)
    for position in random.Random(0).sample(range(len(data)), 400):
        changed = bytearray(data)
        changed[position] ^= 1 + position % 255
        refused(program, bytes(changed))


def test_cut_or_extended_data_is_refused() -> None:
    program = random_program(3)
    data = encode(program)
    for length in (0, 5, 100, len(data) // 2, len(data) - 1):
        refused(program, data[:length])
    assert "follow the last section" in refused(program, data + b"\0")


@SEEDED
@given(st.data())
def test_damage_behind_right_checksums_never_crashes(data: st.DataObject) -> None:
    program = random_program(7)
    encoded = encode(program)
    name = data.draw(st.sampled_from(list(SECTIONS)))
    payload = bytearray(section(encoded, name))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(payload) - 1))
        payload[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(payload)))
    damaged = with_section(encoded, name, bytes(payload[:cut] if cut % 2 else payload))
    codes = {"program-damaged"}
    try:
        again(program, damaged)
    except MccError as refusal:
        codes = {item.code for item in refusal.diagnostics}
    assert codes == {"program-damaged"}


@pytest.mark.parametrize("name", ["ports", "tiles", "images", "calls", "consts", "cores", "nodes"])
def test_a_large_count_allocates_nothing(name: str) -> None:
    program = random_program(2)
    data = encode(program)
    payload = section(data, name)
    start = 6 if name in ("cores", "nodes") else 4
    huge = payload[: start - 4] + b"\xff\xff\xff\x7f" + payload[start:]
    damaged = with_section(data, name, huge)
    tracemalloc.start()
    refused(program, damaged)
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


def test_the_section_and_byte_are_named() -> None:
    program = random_program(2)
    data = encode(program)
    payload = bytearray(section(data, "cores"))
    payload[6] = 0xEE
    message = refused(program, with_section(data, "cores", bytes(payload)))
    assert "program section cores, byte 6: there is no instruction 0xee" in message


def test_another_target_other_cells_and_other_graphs_are_refused() -> None:
    program = random_program(2)
    data = encode(program)
    other = program.target.with_values({"core.queue_depth": 7})
    with pytest.raises(MccError, match="another target"):
        decode(data, other, cells_of(program), program.host_graphs)
    cells = cells_of(program)
    cells[-1] = cells[-1] ^ np.uint8(1)
    with pytest.raises(MccError, match=f"cells of image {len(cells) - 1}"):
        decode(data, program.target, cells, program.host_graphs)
    with pytest.raises(MccError, match="images"):
        decode(data, program.target, cells[:-1], program.host_graphs)
    with pytest.raises(MccError, match="host graph 0"):
        decode(data, program.target, cells_of(program), (b"another",))


def test_numbers_that_do_not_fit_are_refused() -> None:
    program = random_program(2)
    stream = Stream.dense(DType.INT8, 2**32, (4,))
    bad = replace(program, cores=((Load(stream, stream), Halt()), *program.cores[1:]))
    with pytest.raises(MccError, match="section cores") as caught:
        encode(bad)
    assert caught.value.diagnostics[0].code == "program-invalid"


def test_constants_keep_their_values() -> None:
    values = np.array([[1, -2], [3, 4]], np.int16)
    constant = Constant.of("w", 64, values)
    assert np.array_equal(constant.array, values)
    assert constant.region.bytes == 8
