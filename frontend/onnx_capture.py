"""From an ONNX network to a captured network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import onnx
import onnx_ir as ir
from onnx_ir.passes import common

from mcc.frontend.capture import Capture, note
from mcc.frontend.certify import certify
from mcc.frontend.onnx_checks import check_model
from mcc.frontend.onnx_inputs import example_inputs, tensor_types
from mcc.frontend.onnx_opset import unconverted, upgrade
from mcc.frontend.onnx_shapes import dims_of, fix_inputs, fix_shapes
from mcc.frontend.request import Request
from mcc.frontend.samples import MOST, common_count, is_per_sample, split
from mcc.frontend.sources import take_locations
from mcc.ir.diagnostics import Diagnostic, MccError, error
from mcc.ir.network import DOMAIN, OLDEST_OPSET, ReferenceExecutor, Stage, set_stage, shape_of
from mcc.ir.signature import Parameter, Signature
from mcc.ir.structure import Group, GroupKind, Leaf, Structure
from mcc.ir.tensors import Array

_CONVERTED = f"export at opset {OLDEST_OPSET} or newer, where no operator is converted"
_UNCONVERTED = "look for an operator that draws random numbers, or that has no fixed result"


def capture_onnx(source: onnx.ModelProto | ir.Model, request: Request) -> Capture:
    """Capture an ONNX model that is in memory, which is left as it is."""
    from mcc.frontend.onnx_files import keep_external, tensors_of

    model = source.clone() if isinstance(source, ir.Model) else ir.from_proto(source)
    outside = [item for item in tensors_of(model) if isinstance(item, ir.ExternalTensor)]
    lost = [item for item in outside if not item.path or not _exists(item)]
    if lost:
        text = f"constant `{lost[0].name}` lies in another file, which is not loaded"
        raise error("file-missing", text, "give the path of the model file")
    keep_external(model)
    return capture_model(model, request, model.graph.name or "model")


def capture_model(model: ir.Model, request: Request, file: str) -> Capture:
    """Capture an ONNX model, which is taken over.

    Args:
        model: Changed in place; external data is loaded.
        request: Example inputs and shapes.
        file: What to call the model.

    Raises:
        MccError: The network is refused, with every reason that was found.
    """
    check_model(model, file)
    common.TopologicalSortPass()(model)
    common.RemoveInitializersFromInputsPass()(model)
    imports = model.graph.opset_imports
    if "ai.onnx" in imports:
        imports.setdefault("", imports.pop("ai.onnx"))
    types = tensor_types(model.graph.inputs, "input-unsupported")
    examples = example_inputs(model, types, request)
    original = _Original(ReferenceExecutor(model.clone()))
    single = all(dims_of(value)[:1] == (1,) for value in model.graph.inputs)
    samples, found = _samples(original, list(examples.values()), single)
    inputs = list(examples.values())
    runs = split(inputs) if samples else [inputs]
    opset = imports.get("", 0)
    _inline(model)
    fix_inputs(model, {name: a.shape for name, a in zip(types, runs[0], strict=True)})
    model, more = upgrade(model, file)
    _tidy(model, file)
    expected = [original.named(run) for run in runs[:MOST]]
    feeds = [dict(zip(types, run, strict=True)) for run in runs]
    try:
        fix_shapes(model)
        help = _CONVERTED if more else _UNCONVERTED
        certificate = certify(model, feeds[:MOST], expected, "the model as given", help)
    except MccError as problem:
        if more and problem.diagnostics[0].code == "reference-failed":
            raise unconverted(opset, problem.diagnostics[0].message) from problem
        raise
    return Capture(
        set_stage(model, Stage.CAPTURED),
        _signature(model, types, samples),
        samples,
        tuple(feeds),
        certificate,
        (*found, *more),
        {"source": "ONNX", "file": file, "opset": opset, "producer": model.producer_name or ""},
        original.run,
    )


@final
@dataclass(frozen=True)
class _Original:
    """The model as given, in ONNX Runtime."""

    executor: ReferenceExecutor

    def named(self, inputs: Sequence[Array]) -> dict[str, Array]:
        return self.executor.run(dict(zip(self.executor.inputs, inputs, strict=True)))

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        return list(self.named(inputs).values())


def _samples(
    original: _Original, inputs: list[Array], single: bool
) -> tuple[bool, list[Diagnostic]]:
    found = is_per_sample(original.run, inputs)
    if found is not None:
        return found, []
    if single and common_count(original.run([array[:1] for array in inputs])) == 1:
        text = "the model takes one sample; more are run one after another"
        return True, [note("samples-repeated", text)]
    return False, []


def _inline(model: ir.Model) -> None:
    """Inline the model's own functions, whose operators are of the opset of the network."""
    if not any(domain != DOMAIN for domain, *_ in model.functions):
        return
    for function in model.functions.values():
        function.opset_imports.update(model.graph.opset_imports)
    common.InlinePass(criteria=lambda function: function.domain != DOMAIN)(model)


def _tidy(model: ir.Model, file: str) -> None:
    """Name the nodes, and say where they come from."""
    take_locations(model, "", file)
    common.NameFixPass()(model)
    model.producer_version = None


def _signature(model: ir.Model, types: dict[str, str], samples: bool) -> Signature:
    outputs = list(model.graph.outputs)
    kinds = tensor_types(outputs, "output-unsupported")
    leaves = tuple(Leaf(v.name or "", kinds[v.name or ""], shape_of(v)) for v in outputs)
    structure: Structure = leaves[0]
    if len(leaves) > 1:
        structure = Group(GroupKind.DICT, leaves, tuple(leaf.name for leaf in leaves))
    parameters = tuple(
        Parameter(
            value.name or "", Leaf(value.name or "", types[value.name or ""], shape_of(value))
        )
        for value in model.graph.inputs
    )
    return Signature(parameters, structure, samples)


def _exists(tensor: ir.ExternalTensor) -> bool:
    try:
        tensor.numpy()
    except (OSError, ValueError):
        return False
    return True
