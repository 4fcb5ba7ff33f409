"""The binary form of instructions."""

from __future__ import annotations

from mcc.ir.program.binary import U16, U32, Reader, Writer
from mcc.ir.program.declarations import OPCODES, fields_of
from mcc.ir.program.instructions.base import Instruction
from mcc.ir.program.program import Program

_SMALLEST_INSTRUCTION = 3
"""Bytes of an instruction that has no field and waits for nothing."""


def write_cores(program: Program, writer: Writer) -> None:
    """Append the instructions of every core."""
    writer.put(U16, len(program.cores))
    for instructions in program.cores:
        writer.put(U32, len(instructions))
        for instruction in instructions:
            write_instruction(instruction, writer)


def read_cores(reader: Reader) -> tuple[tuple[Instruction, ...], ...]:
    """Take the instructions of every core."""
    cores: list[tuple[Instruction, ...]] = []
    for _ in range(reader.count(U16, U32.size)):
        count = reader.count(U32, _SMALLEST_INSTRUCTION)
        cores.append(tuple(read_instruction(reader) for _ in range(count)))
    return tuple(cores)


def write_instruction(instruction: Instruction, writer: Writer) -> None:
    """Append one instruction: opcode, then its fields."""
    writer.data.append(instruction.OPCODE)
    for declared in fields_of(type(instruction)):
        declared.kind.write(getattr(instruction, declared.name), writer)


def read_instruction(reader: Reader) -> Instruction:
    """Take one instruction."""
    if not reader.left:
        reader.fail("an instruction is missing")
    opcode = reader.data[reader.position]
    if opcode not in OPCODES:
        reader.fail(f"there is no instruction {opcode:#04x}")
    reader.position += 1
    cls = OPCODES[opcode]
    return cls(**{item.name: item.kind.read(reader) for item in fields_of(cls)})
