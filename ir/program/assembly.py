"""Assembly text: one instruction a line, loops by indentation.

    core 0
      wait 0 count=2
      loop count=28
        load result=u8@0[84:1] source=u8@4096[84:1]+{84}
        mvm tile=0 source=u8@0[26:3,9:1] row_dims=1 result=i32@512[26:64,16:4] wait=m ; conv1
      end
      halt

What follows a semicolon is a remark.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

from mcc.ir.diagnostics import Location, error, nearest
from mcc.ir.program.declarations import MNEMONICS, Declared, fields_of
from mcc.ir.program.instructions.base import Instruction
from mcc.ir.program.instructions.control import EndLoop, Loop
from mcc.ir.program.kinds import Choice, Optional, Units
from mcc.ir.program.program import Program
from mcc.ir.program.tables import Region, Tile

INDENT = "  "
REMARK = ";"


def disassemble(program: Program) -> str:
    """Return the text of a program, its tables as remarks."""
    return "\n".join([*_tables(program), *_code(program)]) + "\n"


def assemble(text: str, file: str = "") -> tuple[tuple[Instruction, ...], ...]:
    """Return the instructions of every core of an assembly text.

    Raises:
        MccError: `assembly-syntax`, with file and line.
    """
    cores: list[list[Instruction]] = []
    depth = 0
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split(REMARK, 1)[0].split()
        if not words:
            continue
        place = Location(file, number)
        if words[0] == "core":
            if words[1:] != [str(len(cores))] or depth:
                _fail(place, f"here begins `core {len(cores)}`, after all loops are closed")
            cores.append([])
            continue
        if not cores:
            _fail(place, "the text begins with `core 0`")
        instruction = parse_instruction(words, place)
        depth += isinstance(instruction, Loop) - isinstance(instruction, EndLoop)
        if depth < 0:
            _fail(place, "`end` closes no loop")
        cores[-1].append(instruction)
    if depth:
        _fail(Location(file, len(text.splitlines())), "a loop is not closed")
    return tuple(tuple(core) for core in cores)


def format_instruction(instruction: Instruction) -> str:
    """Return the text of one instruction."""
    declared = fields_of(type(instruction))
    words = [instruction.MNEMONIC]
    for item in (*declared[1:], declared[0]):
        value = getattr(instruction, item.name)
        if isinstance(item.kind, Choice):
            words[0] += f".{item.kind.format(value)}"
        elif not _silent(item, value):
            words.append(f"{item.name}={item.kind.format(value)}")
    return " ".join(words)


def parse_instruction(words: list[str], place: Location) -> Instruction:
    """Return the instruction of the words of one line."""
    mnemonic, _, choice = words[0].partition(".")
    if mnemonic not in MNEMONICS:
        _fail(place, f"there is no instruction `{mnemonic}`", nearest(mnemonic, MNEMONICS))
    cls = MNEMONICS[mnemonic]
    texts = dict(_pairs(words[1:], place))
    if len(texts) != len(words) - 1:
        _fail(place, "a field is given twice")
    values: dict[str, Any] = {}
    for item in fields_of(cls):
        text = choice if isinstance(item.kind, Choice) else texts.pop(item.name, None)
        choice = "" if isinstance(item.kind, Choice) else choice
        if text is None and _may_be_silent(item):
            values[item.name] = frozenset() if isinstance(item.kind, Units) else None
        elif text is None:
            _fail(place, f"`{mnemonic}` needs `{item.name}=`")
        else:
            values[item.name] = _value(item, text, place)
    if texts or choice:
        name = next(iter(texts), choice)
        known = [item.name for item in fields_of(cls)]
        _fail(place, f"`{mnemonic}` has no `{name}`", nearest(name, known))
    return cls(**values)


def _pairs(words: list[str], place: Location) -> Iterator[tuple[str, str]]:
    for word in words:
        name, sign, text = word.partition("=")
        if not sign:
            _fail(place, f"`{word}` is no `field=value`")
        yield name, text


def _value(item: Declared, text: str, place: Location) -> object:
    try:
        return item.kind.parse(text)
    except ValueError as cause:
        _fail(place, f"{item.name}: {cause}")


def _may_be_silent(item: Declared) -> bool:
    return isinstance(item.kind, Units | Optional)


def _silent(item: Declared, value: object) -> bool:
    return _may_be_silent(item) and (value is None or value == frozenset())


def _fail(place: Location, message: str, help: str = "") -> NoReturn:
    raise error("assembly-syntax", message, help, place)


def _code(program: Program) -> Iterator[str]:
    for core, instructions in enumerate(program.cores):
        yield f"core {core}"
        depth = 1
        last = ""
        for index, instruction in enumerate(instructions):
            depth -= isinstance(instruction, EndLoop)
            node = program.node(core, index)
            remark = f"  {REMARK} {_plain(node)}" if node and node != last else ""
            yield f"{INDENT * depth}{format_instruction(instruction)}{remark}"
            last = node or last
            depth += isinstance(instruction, Loop)


def _tables(program: Program) -> Iterator[str]:
    yield f"{REMARK} target {_plain(program.target.name)}"
    used, chip = program.buffer_bytes, program.target.chip
    yield f"{REMARK} {used} of {chip.buffer.bytes} bytes of global buffer"
    for what, regions in (("input", program.inputs), ("output", program.outputs)):
        yield from (f"{REMARK} {what} {_region(region)}" for region in regions)
    yield from (f"{REMARK} constant {_region(item.region)}" for item in program.constants)
    yield from (f"{REMARK} tile {index}: {_tile(it)}" for index, it in enumerate(program.tiles))
    for index, call in enumerate(program.host_calls):
        takes = ", ".join(_region(region) for region in call.inputs)
        gives = ", ".join(_region(region) for region in call.outputs)
        yield f"{REMARK} host call {index}: graph {call.graph}, ({takes}) -> ({gives})"


def _region(region: Region) -> str:
    shape = "x".join(str(size) for size in region.shape)
    return f"{_plain(region.name)} {region.dtype.short}@{region.address}[{shape}]"


def _tile(tile: Tile) -> str:
    place = f"core {tile.core} macro {tile.macro} row {tile.row} column {tile.col}"
    size = f"{tile.rows}x{tile.cols} weights of {tile.weight_bits} bits"
    return f"{place}, {size}, block {tile.block[0]},{tile.block[1]} of {_plain(tile.node)}"


def _plain(name: str) -> str:
    return name if name.isprintable() else ascii(name)
