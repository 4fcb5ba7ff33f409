"""Instructions of the vector unit: IEEE float32 and int32, exactly as ONNX Runtime computes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, final

from mcc.ir.program.events import Events
from mcc.ir.program.instructions.base import Access, Context, Instruction, local, repeats
from mcc.ir.program.kinds import (
    COUNT,
    INTEGER,
    NUMBER,
    OPTIONAL_STREAM,
    STREAM,
    Choice,
)
from mcc.ir.program.streams import DType, Stream
from mcc.ir.program.timing import Pipeline, Step, ceil_div
from mcc.ir.program.units import VECTOR, Unit

ARITHMETIC = (DType.FLOAT32, DType.INT32)
CODES = (DType.INT8, DType.UINT8)


@final
class BinaryOperation(StrEnum):
    """What `binary` computes."""

    ADD = "add"
    SUB = "sub"
    MUL = "mul"
    DIV = "div"
    MAX = "max"
    MIN = "min"


@final
class UnaryOperation(StrEnum):
    """What `unary` computes."""

    RELU = "relu"
    """`max(x, 0)`."""
    NEG = "neg"
    ABS = "abs"
    SQRT = "sqrt"
    FLOOR = "floor"
    CEIL = "ceil"
    LEAKY_RELU = "leaky_relu"
    """`x` where `x >= 0`, else `a * x`."""
    CLIP = "clip"
    """`min(max(x, a), b)`."""


@final
class ReduceOperation(StrEnum):
    """What `reduce` computes."""

    ADD = "add"
    MAX = "max"
    ABS_MAX = "abs_max"
    """The largest absolute value."""


CLASSES: dict[StrEnum, tuple[str, ...]] = {
    BinaryOperation.ADD: ("add",),
    BinaryOperation.SUB: ("add",),
    BinaryOperation.MUL: ("multiply",),
    BinaryOperation.DIV: ("divide",),
    BinaryOperation.MAX: ("compare",),
    BinaryOperation.MIN: ("compare",),
    UnaryOperation.RELU: ("compare",),
    UnaryOperation.NEG: ("add",),
    UnaryOperation.ABS: ("compare",),
    UnaryOperation.SQRT: ("divide",),
    UnaryOperation.FLOOR: ("convert",),
    UnaryOperation.CEIL: ("convert",),
    UnaryOperation.LEAKY_RELU: ("multiply", "compare"),
    UnaryOperation.CLIP: ("compare", "compare"),
    ReduceOperation.ADD: ("add",),
    ReduceOperation.MAX: ("compare",),
    ReduceOperation.ABS_MAX: ("compare", "compare"),
}
"""Classes of the elementary operations that one element takes, by field of `VectorCycles`."""


@dataclass(frozen=True, slots=True)
class VectorInstruction(Instruction):
    """An instruction of the vector unit."""

    def unit(self, context: Context) -> Unit:
        """Return the vector unit."""
        return VECTOR

    @abstractmethod
    def classes(self) -> tuple[str, ...]:
        """Return the classes of the elementary operations that one element takes."""

    @abstractmethod
    def elements(self) -> int:
        """Return how many elements are worked on."""

    def timing(self, context: Context) -> Pipeline:
        """One step with a local memory port.

        `1 + max(ceil(elements / lanes) * cycles, ceil(bytes / memory.port_bytes))` cycles.
        `cycles` adds up `core.vector.cycles` of the elementary operations; `bytes` adds up the
        streams, a dimension of stride 0 counted once.
        """
        core = context.target.core
        each = sum(int(getattr(core.vector.cycles, name)) for name in self.classes())
        working = ceil_div(self.elements(), core.vector.lanes) * each
        moving = ceil_div(self._traffic(context), core.memory.port_bytes)
        port = (context.topology.memory(context.core),)
        return Pipeline((Step(1 + max(working, moving), port),))

    def events(self, context: Context) -> Events:
        """One vector operation per element and elementary operation; the bytes of the streams.

        A dimension of stride 0 is counted once.
        """
        operations = self.elements() * len(self.classes())
        return Events(vector_operations=operations, memory_bytes=self._traffic(context))

    def _traffic(self, context: Context) -> int:
        accesses = (*self.reads(context), *self.writes(context))
        return sum(access.stream.traffic for access in accesses)


@final
@dataclass(frozen=True, slots=True)
class Quantize(VectorInstruction):
    """Turn real numbers into codes.

    `result = clip(round_half_even(source / scale) + zero, low, high)`, each step in float32, then
    converted to the integer type of `result`. All streams have the same counts.
    """

    OPCODE: ClassVar[int] = 0x20
    MNEMONIC: ClassVar[str] = "quantize"

    result: Stream = field(metadata=STREAM("codes, `int8` or `uint8`"))
    source: Stream = field(metadata=STREAM("`float32`"))
    scale: Stream = field(metadata=STREAM("`float32`"))
    zero: int = field(metadata=INTEGER("code of zero"))
    low: int = field(metadata=INTEGER("lowest code"))
    high: int = field(metadata=INTEGER("highest code"))

    def classes(self) -> tuple[str, ...]:
        """Division, rounding, addition, two comparisons, conversion."""
        return ("divide", "convert", "add", "compare", "compare", "convert")

    def elements(self) -> int:
        """Return the number of codes."""
        return self.result.elements

    def reads(self, context: Context) -> tuple[Access, ...]:
        """Return source and scale."""
        return local(self.source, self.scale)

    def writes(self, context: Context) -> tuple[Access, ...]:
        """Return the codes."""
        return local(self.result)

    def problems(self, context: Context) -> Iterator[str]:
        """Name wrong types, counts and limits."""
        yield from _shapes(self.result, self.source, self.scale)
        yield from _types((self.result, CODES), (self.source, (DType.FLOAT32,)))
        yield from _types((self.scale, (DType.FLOAT32,)))
        lowest, highest = (-128, 127) if self.result.dtype is DType.INT8 else (0, 255)
        if not lowest <= self.low <= self.high <= highest:
            yield f"codes from {self.low} to {self.high} do not fit {self.result.dtype}"


@final
@dataclass(frozen=True, slots=True)
class Dequantize(VectorInstruction):
    """Turn integer sums, or codes, into real numbers.

    `result = float32(source) * scale`, then `+ bias` where there is one, each step rounded to
    float32. All streams have the same counts.
    """

    OPCODE: ClassVar[int] = 0x21
    MNEMONIC: ClassVar[str] = "dequantize"

    result: Stream = field(metadata=STREAM("`float32`"))
    source: Stream = field(metadata=STREAM("`int32` sums, or codes, `int8` or `uint8`"))
    scale: Stream = field(metadata=STREAM("`float32`"))
    bias: Stream | None = field(default=None, metadata=OPTIONAL_STREAM("`float32`"))

    def classes(self) -> tuple[str, ...]:
        """Conversion, multiplication, and addition where there is a bias."""
        return ("convert", "multiply") if self.bias is None else ("convert", "multiply", "add")

    def elements(self) -> int:
        """Return the number of results."""
        return self.result.elements

    def reads(self, context: Context) -> tuple[Access, ...]:
        """Return sums, scale and bias."""
        return local(self.source, self.scale, self.bias)

    def writes(self, context: Context) -> tuple[Access, ...]:
        """Return the numbers."""
        return local(self.result)

    def problems(self, context: Context) -> Iterator[str]:
        """Name wrong types and counts."""
        yield from _shapes(self.result, self.source, self.scale, self.bias)
        yield from _types((self.result, (DType.FLOAT32,)), (self.source, (DType.INT32, *CODES)))
        yield from _types((self.scale, (DType.FLOAT32,)), (self.bias, (DType.FLOAT32,)))


@final
@dataclass(frozen=True, slots=True)
class Binary(VectorInstruction):
    """Combine two streams element by element: `result = left operation right`.

    In the type of `result`, `float32` or `int32` (which wraps around; `div` is `float32` only).
    All streams have the same type and counts.
    """

    OPCODE: ClassVar[int] = 0x22
    MNEMONIC: ClassVar[str] = "binary"

    operation: BinaryOperation = field(metadata=Choice(BinaryOperation)("what to compute"))
    result: Stream = field(metadata=STREAM("`float32` or `int32`"))
    left: Stream = field(metadata=STREAM("first operand"))
    right: Stream = field(metadata=STREAM("second operand"))

    def classes(self) -> tuple[str, ...]:
        """The operation."""
        return CLASSES[self.operation]

    def elements(self) -> int:
        """Return the number of results."""
        return self.result.elements

    def reads(self, context: Context) -> tuple[Access, ...]:
        """Return both operands."""
        return local(self.left, self.right)

    def writes(self, context: Context) -> tuple[Access, ...]:
        """Return the result."""
        return local(self.result)

    def problems(self, context: Context) -> Iterator[str]:
        """Name wrong types and counts."""
        yield from _shapes(self.result, self.left, self.right)
        yield from _types((self.result, ARITHMETIC), (self.left, (self.result.dtype,)))
        yield from _types((self.right, (self.result.dtype,)))
        if self.operation is BinaryOperation.DIV and self.result.dtype is not DType.FLOAT32:
            yield "div is for float32"


@final
@dataclass(frozen=True, slots=True)
class Unary(VectorInstruction):
    """Transform a stream element by element: `result = operation(source)`.

    `relu`, `neg`, `abs`, `clip` in `float32` or `int32`, the others in `float32`; `a` and `b` are
    rounded to the type. Both streams have the same type and counts.
    """

    OPCODE: ClassVar[int] = 0x23
    MNEMONIC: ClassVar[str] = "unary"

    operation: UnaryOperation = field(metadata=Choice(UnaryOperation)("what to compute"))
    result: Stream = field(metadata=STREAM("`float32` or `int32`"))
    source: Stream = field(metadata=STREAM("operand"))
    a: float = field(default=0.0, metadata=NUMBER("slope of `leaky_relu`, lower limit of `clip`"))
    b: float = field(default=0.0, metadata=NUMBER("upper limit of `clip`"))

    def classes(self) -> tuple[str, ...]:
        """The operation."""
        return CLASSES[self.operation]

    def elements(self) -> int:
        """Return the number of results."""
        return self.result.elements

    def reads(self, context: Context) -> tuple[Access, ...]:
        """Return the operand."""
        return local(self.source)

    def writes(self, context: Context) -> tuple[Access, ...]:
        """Return the result."""
        return local(self.result)

    def problems(self, context: Context) -> Iterator[str]:
        """Name wrong types and counts."""
        yield from _shapes(self.result, self.source)
        both = (UnaryOperation.RELU, UnaryOperation.NEG, UnaryOperation.ABS, UnaryOperation.CLIP)
        types = ARITHMETIC if self.operation in both else (DType.FLOAT32,)
        yield from _types((self.result, types), (self.source, (self.result.dtype,)))


@final
@dataclass(frozen=True, slots=True)
class Reduce(VectorInstruction):
    """Combine the elements of trailing dimensions, one after another in row-major order.

    The dimensions of `source` are those of `result`, then `reduce_dims` more. The first element
    (its absolute value for `abs_max`) starts, each next one is combined with what there is.
    """

    OPCODE: ClassVar[int] = 0x24
    MNEMONIC: ClassVar[str] = "reduce"

    operation: ReduceOperation = field(metadata=Choice(ReduceOperation)("what to compute"))
    result: Stream = field(metadata=STREAM("`float32` or `int32`"))
    source: Stream = field(metadata=STREAM("operand, of the same type"))
    reduce_dims: int = field(metadata=COUNT("trailing dimensions of `source` that are combined"))

    def classes(self) -> tuple[str, ...]:
        """The operation."""
        return CLASSES[self.operation]

    def elements(self) -> int:
        """Return the number of elements of `source`."""
        return self.source.elements

    def reads(self, context: Context) -> tuple[Access, ...]:
        """Return the operand."""
        return local(self.source)

    def writes(self, context: Context) -> tuple[Access, ...]:
        """Return the result."""
        return local(self.result)

    def problems(self, context: Context) -> Iterator[str]:
        """Name wrong types and counts."""
        kept = len(self.source.dims) - self.reduce_dims
        if kept < 0 or self.reduce_dims < 1 or self.source.shape[:kept] != self.result.shape:
            yield "the source must have the dimensions of the result, then those to combine"
        if repeats(self.result):
            yield "a result must have a place for every element"
        yield from _types((self.result, ARITHMETIC), (self.source, (self.result.dtype,)))


def _shapes(result: Stream, *sources: Stream | None) -> Iterator[str]:
    if any(source is not None and source.shape != result.shape for source in sources):
        yield "all streams must have the same counts"
    if repeats(result):
        yield "a result must have a place for every element"


def _types(*streams: tuple[Stream | None, tuple[DType, ...]]) -> Iterator[str]:
    for stream, allowed in streams:
        if stream is not None and stream.dtype not in allowed:
            yield f"{stream.dtype} where {' or '.join(allowed)} is needed"
