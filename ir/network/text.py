"""The text form of networks, for `--print-after` and for tests."""

from __future__ import annotations

import onnx
import onnx.parser
import onnx.printer
import onnx_ir as ir

from mcc.ir.diagnostics import error
from mcc.ir.network.operators import DOMAIN, OPERATORS
from mcc.ir.network.placement import placement_of
from mcc.ir.network.shapes import infer_network

_SHOWN_ELEMENTS = 8


def to_text(network: ir.Model, elide_weights: bool = True) -> str:
    """Print `network` in ONNX's text form, without the functions of the `mcc` domain.

    Args:
        network: left as it is.
        elide_weights: leave out the numbers of constants with more than eight elements; the
            text is then for reading and for comparing only. Also adds the placements.
    """
    copy = network.clone()
    for key in [key for key in copy.functions if key[0] == DOMAIN and key[1] in OPERATORS]:
        del copy.functions[key]
    proto = ir.to_proto(copy)
    elided: list[str] = []
    if elide_weights:
        elided = _elide(proto.graph)
    text = onnx.printer.to_text(proto)
    return text if not elide_weights else "\n".join([text.rstrip(), *elided, *_places(network)])


def from_text(text: str) -> ir.Model:
    """Parse ONNX's text form; shapes and types of all values are inferred.

    Lines that begin with `#` are comments.
    """
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    try:
        proto = onnx.parser.parse_model("\n".join(lines))
    except onnx.parser.ParseError as problem:
        raise error("network-damaged", f"this is no ONNX text: {problem}") from problem
    return infer_network(ir.from_proto(proto))


def _elide(graph: onnx.GraphProto) -> list[str]:
    kept = [item for item in graph.initializer if _elements(item) <= _SHOWN_ELEMENTS]
    large = [item for item in graph.initializer if _elements(item) > _SHOWN_ELEMENTS]
    lines = [f"# {item.name}: {_type(item)}" for item in large]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    return lines


def _elements(tensor: onnx.TensorProto) -> int:
    count = 1
    for dim in tensor.dims:
        count *= dim
    return count


def _type(tensor: onnx.TensorProto) -> str:
    kind = onnx.TensorProto.DataType.Name(tensor.data_type).lower()
    return f"{kind}[{','.join(str(dim) for dim in tensor.dims)}]"


def _places(network: ir.Model) -> list[str]:
    lines: list[str] = []
    for node in network.graph:
        placement = placement_of(node)
        if placement is not None:
            lines.append(f"# {node.name} on {placement.unit}: {placement.rule}")
    return lines
