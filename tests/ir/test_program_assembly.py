"""Assembly text: round trips, looks, and errors with their place."""

from __future__ import annotations

import pytest
from hypothesis import given

from mcc.ir.diagnostics import Location, MccError
from mcc.ir.program import INSTRUCTIONS
from mcc.ir.program.assembly import assemble, disassemble, format_instruction, parse_instruction
from mcc.ir.program.instructions.base import Instruction
from tests.program_generator import random_program
from tests.program_strategies import SEEDED, instructions_of

TEXT = """\
core 0
  wait semaphore=0 count=2
  loop count=28
    load result=u8@0[84:1] source=u8@4096[84:1]+{84}  ; conv1
    mvm tile=3 source=u8@0[26:3,9:1] row_dims=1 result=i32@512[26:64,16:4] wait=m
    unary.clip result=f32@0[4:4] source=f32@0[4:4] a=-inf b=6.0 wait=v,a0-a2,a5
    dequantize result=f32@0[] source=i32@0[] scale=f32@8[]
  end
  halt
core 1
  halt
"""


@pytest.mark.parametrize("cls", INSTRUCTIONS, ids=lambda cls: cls.MNEMONIC)
def test_every_instruction_survives(cls: type[Instruction]) -> None:
    @SEEDED
    @given(instructions_of(cls))
    def survives(instruction: Instruction) -> None:
        text = format_instruction(instruction)
        assert parse_instruction(text.split(), Location()) == instruction

    survives()


@pytest.mark.parametrize("seed", range(25))
def test_programs_survive(seed: int) -> None:
    program = random_program(seed)
    assert assemble(disassemble(program)) == program.cores


def test_text_is_written_as_it_is_read() -> None:
    cores = assemble(TEXT)
    assert [len(core) for core in cores] == [8, 1]
    lines = [line.split(";")[0].strip() for line in TEXT.splitlines()]
    written = [format_instruction(item) for core in cores for item in core]
    assert written == [line for line in lines if not line.startswith("core")]


def test_disassembly_indents_loops_and_names_nodes() -> None:
    text = disassemble(random_program(1))
    assert "; target rram40nm" in text
    assert "; tile 0: core 0 macro 0" in text
    assert "; input x u8@0[1x16]" in text
    assert "; node0" in text
    depth = 1
    for line in text.splitlines():
        if line.startswith((";", "core")):
            continue
        depth -= line.strip().startswith("end")
        assert line.startswith("  " * depth)
        assert not line.startswith("  " * depth + " ")
        depth += line.strip().startswith("loop")


@pytest.mark.parametrize(
    ("line", "message", "help"),
    [
        ("lod result=u8@0[] source=u8@0[]", "no instruction `lod`", "did you mean `load`?"),
        ("loop", "`loop` needs `count=`", ""),
        ("loop count=x", "count: invalid literal", ""),
        ("loop count=-1", "count: -1 does not fit u32", ""),
        ("loop count=1 count=2", "given twice", ""),
        ("loop counts=1 count=1", "has no `counts`", "did you mean `count`?"),
        ("loop 3", "`3` is no `field=value`", ""),
        ("fill result=u8@0[] value=nan", "value: NaN", ""),
        ("fill result=u7@0[] value=1", "is not a stream", ""),
        ("fill result=u8@0[0:1] value=1", "count 0", ""),
        ("unary.sin result=f32@0[] source=f32@0[] a=0 b=0", "operation: 'sin'", ""),
        ("halt wait=x", "`x` is no unit", ""),
        ("halt wait=a5-a2", "no range", ""),
        ("end", "closes no loop", ""),
        ("loop count=2", "a loop is not closed", ""),
        ("core 2", "`core 1`", ""),
    ],
)
def test_errors_name_file_line_and_remedy(line: str, message: str, help: str) -> None:
    with pytest.raises(MccError) as caught:
        assemble(f"; a remark\ncore 0\n{line}\n", "code.s")
    item = caught.value.diagnostics[0]
    assert item.code == "assembly-syntax"
    assert message in item.message
    assert item.location == Location("code.s", 3)
    assert help in item.help


def test_text_begins_with_a_core() -> None:
    with pytest.raises(MccError, match="begins with `core 0`"):
        assemble("halt\n")
