"""The instruction set, one table."""

from mcc.ir.program.instructions.array import Mvm as Mvm
from mcc.ir.program.instructions.array import ProgramMacro as ProgramMacro
from mcc.ir.program.instructions.base import Access as Access
from mcc.ir.program.instructions.base import Context as Context
from mcc.ir.program.instructions.base import Instruction as Instruction
from mcc.ir.program.instructions.base import Space as Space
from mcc.ir.program.instructions.control import EndLoop as EndLoop
from mcc.ir.program.instructions.control import Halt as Halt
from mcc.ir.program.instructions.control import Loop as Loop
from mcc.ir.program.instructions.control import Post as Post
from mcc.ir.program.instructions.control import Wait as Wait
from mcc.ir.program.instructions.host import CallHost as CallHost
from mcc.ir.program.instructions.mover import Copy as Copy
from mcc.ir.program.instructions.mover import Fill as Fill
from mcc.ir.program.instructions.mover import Load as Load
from mcc.ir.program.instructions.mover import Recv as Recv
from mcc.ir.program.instructions.mover import Send as Send
from mcc.ir.program.instructions.mover import Store as Store
from mcc.ir.program.instructions.vector import Binary as Binary
from mcc.ir.program.instructions.vector import BinaryOperation as BinaryOperation
from mcc.ir.program.instructions.vector import Dequantize as Dequantize
from mcc.ir.program.instructions.vector import Quantize as Quantize
from mcc.ir.program.instructions.vector import Reduce as Reduce
from mcc.ir.program.instructions.vector import ReduceOperation as ReduceOperation
from mcc.ir.program.instructions.vector import Unary as Unary
from mcc.ir.program.instructions.vector import UnaryOperation as UnaryOperation

INSTRUCTIONS: tuple[type[Instruction], ...] = (
    Loop,
    EndLoop,
    Post,
    Wait,
    Halt,
    Mvm,
    ProgramMacro,
    Quantize,
    Dequantize,
    Binary,
    Unary,
    Reduce,
    Load,
    Store,
    Copy,
    Fill,
    Send,
    Recv,
    CallHost,
)
"""Every instruction, in the order of the manual."""
