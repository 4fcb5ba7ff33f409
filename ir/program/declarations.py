"""The declared fields of each instruction, as encoding, assembly text and manual use them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from typing import Any, cast, final

from mcc.ir.program.instructions import INSTRUCTIONS
from mcc.ir.program.instructions.base import Instruction
from mcc.ir.program.kinds import Kind


@final
@dataclass(frozen=True)
class Declared:
    """One field of an instruction."""

    name: str
    kind: Kind[Any]
    text: str


@cache
def fields_of(instruction: type[Instruction]) -> tuple[Declared, ...]:
    """Return the fields of an instruction, `wait` first."""
    return tuple(
        Declared(item.name, cast(Kind[Any], item.metadata["kind"]), str(item.metadata["text"]))
        for item in fields(instruction)
    )


OPCODES: dict[int, type[Instruction]] = {item.OPCODE: item for item in INSTRUCTIONS}
"""Instructions by opcode."""
MNEMONICS: dict[str, type[Instruction]] = {item.MNEMONIC: item for item in INSTRUCTIONS}
"""Instructions by mnemonic."""
