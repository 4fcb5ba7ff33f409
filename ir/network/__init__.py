"""The network language: ONNX held by `onnx_ir`, plus the operators of the `mcc` domain."""

from __future__ import annotations

from mcc.ir.network.certificate import Certificate, Contract, judge, outputs_of, prove
from mcc.ir.network.continuous import continuous
from mcc.ir.network.destination import Destination, destination_of, set_destination
from mcc.ir.network.editor import Editor
from mcc.ir.network.feeds import Evidence, evidence_for
from mcc.ir.network.legality import (
    OLDEST_OPSET,
    RULES,
    check_stage,
    largest_sum,
    matrix_shape,
)
from mcc.ir.network.location import inherit, locate, location_of, locations_of
from mcc.ir.network.operators import (
    DOMAIN,
    OPERATORS,
    Conv,
    Dequantize,
    IntegerConv,
    IntegerLinear,
    Linear,
    Mean,
    Operator,
    Quantize,
    Window,
    attach_functions,
    code_range,
    view_of,
)
from mcc.ir.network.placement import Placement, Unit, place, placement_of
from mcc.ir.network.reference import Feeds, ReferenceExecutor, session_options
from mcc.ir.network.shapes import infer, infer_network
from mcc.ir.network.stage import Stage, set_stage, stage_of
from mcc.ir.network.storage import from_bytes, load, save, to_bytes
from mcc.ir.network.text import from_text, to_text
from mcc.ir.network.tiling import Tiling, tile, tiling_of
from mcc.ir.network.values import (
    Array,
    Network,
    constant_of,
    dtype_of,
    is_constant,
    shape_of,
    static_shape,
)

__all__ = [
    "DOMAIN",
    "OLDEST_OPSET",
    "OPERATORS",
    "RULES",
    "Array",
    "Certificate",
    "Contract",
    "Conv",
    "Dequantize",
    "Destination",
    "Editor",
    "Evidence",
    "Feeds",
    "IntegerConv",
    "IntegerLinear",
    "Linear",
    "Mean",
    "Network",
    "Operator",
    "Placement",
    "Quantize",
    "ReferenceExecutor",
    "Stage",
    "Tiling",
    "Unit",
    "Window",
    "attach_functions",
    "check_stage",
    "code_range",
    "constant_of",
    "continuous",
    "destination_of",
    "dtype_of",
    "evidence_for",
    "from_bytes",
    "from_text",
    "infer",
    "infer_network",
    "inherit",
    "is_constant",
    "judge",
    "largest_sum",
    "load",
    "locate",
    "location_of",
    "locations_of",
    "matrix_shape",
    "outputs_of",
    "place",
    "placement_of",
    "prove",
    "save",
    "session_options",
    "set_destination",
    "set_stage",
    "shape_of",
    "stage_of",
    "static_shape",
    "tile",
    "tiling_of",
    "to_bytes",
    "to_text",
    "view_of",
]
