"""What every operator of the `mcc` domain has: a typed view, inferred outputs, a meaning."""

from __future__ import annotations

import dataclasses
import functools
import typing
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self, TypeAlias

import onnx_ir as ir

from mcc.ir.diagnostics import error
from mcc.ir.network.location import location_of

DOMAIN = "mcc"

Attribute: TypeAlias = int | float | bool | tuple[int, ...]


class Operator(ABC):
    """Base of the views: frozen dataclasses whose fields are operands and attributes.

    A field of type `ir.Value` (or `ir.Value | None`, when it may be absent) is an operand, in
    the order of declaration; every other field is an attribute of the same name.
    """

    OP_TYPE: ClassVar[str]
    """The name of the operator in the `mcc` domain."""

    FUNCTIONS: ClassVar[Mapping[str, str]]
    """Its meaning: ONNX function text by overload (`""`, or `"bias"` when the bias is there)."""

    @abstractmethod
    def result(self) -> tuple[ir.DataType, tuple[int, ...]]:
        """Infer element type and shape of the output; raise MccError if operands disagree."""

    @property
    def overload(self) -> str:
        """Which of `FUNCTIONS` gives the meaning of this use."""
        return ""

    def attributes(self) -> dict[str, Attribute]:
        """Return what the node stores: by default every field that is not an operand."""
        names = (name for name, operand in _fields(type(self)) if not operand)
        return {name: getattr(self, name) for name in names}

    @classmethod
    def parse(cls, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """Turn stored attributes into field values, the inverse of `attributes`."""
        names = (name for name, operand in _fields(cls) if not operand)
        kinds = typing.get_type_hints(cls)
        return {name: _field_value(kinds[name], attributes[name]) for name in names}

    @classmethod
    def matches(cls, node: ir.Node) -> bool:
        """Whether `node` is a use of this operator."""
        return node.domain == DOMAIN and node.op_type == cls.OP_TYPE

    @classmethod
    def of(cls, node: ir.Node) -> Self:
        """View `node`, which must be a use of this operator."""
        assert cls.matches(node), f"{node.name}: {node.domain}.{node.op_type} is no {cls.OP_TYPE}"
        operands = [name for name, operand in _fields(cls) if operand]
        inputs = (*node.inputs, *[None] * (len(operands) - len(node.inputs)))
        stored = {name: item.value for name, item in node.attributes.items()}
        try:
            fields = cls.parse(stored)
        except KeyError as missing:
            raise error(
                "operator-attribute",
                f"node `{node.name}`: mcc.{cls.OP_TYPE} lacks its attribute {missing}",
                location=location_of(node),
            ) from None
        return cls(**dict(zip(operands, inputs, strict=True)), **fields)

    def build(self, name: str | None = None, output_name: str | None = None) -> ir.Node:
        """Make a node of this view, its output typed and shaped by `result`."""
        inputs = [getattr(self, field) for field, operand in _fields(type(self)) if operand]
        while inputs and inputs[-1] is None:
            inputs.pop()
        dtype, shape = self.result()
        output = ir.Value(name=output_name, type=ir.TensorType(dtype), shape=ir.Shape(shape))
        attributes = {
            key: int(value) if isinstance(value, bool) else value
            for key, value in self.attributes().items()
        }
        return ir.node(
            self.OP_TYPE,
            inputs,
            attributes,
            domain=DOMAIN,
            overload=self.overload,
            outputs=[output],
            name=name,
        )


@functools.cache
def _fields(cls: type[Operator]) -> tuple[tuple[str, bool], ...]:
    hints = typing.get_type_hints(cls)
    names = [field.name for field in dataclasses.fields(typing.cast("Any", cls))]
    return tuple((name, hints[name] in (ir.Value, ir.Value | None)) for name in names)


def _field_value(kind: object, stored: Any) -> Attribute:
    if kind is bool:
        return bool(stored)
    return stored if isinstance(stored, (int, float)) else tuple(stored)


def disagree(operator: Operator, sentence: str) -> Exception:
    """Build the error for operands of `operator` that do not fit each other."""
    return error("operator-shape", f"mcc.{operator.OP_TYPE}: {sentence}")
