"""From a torch module and example inputs to a captured network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast, final

import onnx_ir as ir
import torch
from torch.export import ExportedProgram

from mcc.frontend.capture import Capture, note
from mcc.frontend.certify import certify
from mcc.frontend.examples import refuse_bad_examples
from mcc.frontend.names import name_ends, name_weights, output_names
from mcc.frontend.onnx_simplify import inline, simplify
from mcc.frontend.samples import MOST, common_count, is_per_sample, split, why_fixed
from mcc.frontend.sources import take_locations
from mcc.frontend.torch_call import Call, bind, resize, to_tensor
from mcc.frontend.torch_eager import try_eager
from mcc.frontend.torch_effects import half_operators, random_operators, training_operators
from mcc.frontend.torch_export import OPSETS, convert, export
from mcc.frontend.torch_flat import PREFIX, Flat
from mcc.frontend.torch_module import isolate
from mcc.frontend.torch_patches import caches_off, patched
from mcc.frontend.torch_state import mutations
from mcc.ir.diagnostics import Diagnostic, MccError, Severity
from mcc.ir.network import Certificate, Network, Stage, set_stage
from mcc.ir.signature import Signature
from mcc.ir.structure import Leaf, leaves_of, map_leaves
from mcc.ir.tensors import Array

CALLS = 2
"""Consecutive calls of the module that the network is compared with."""

_HELP = (
    "look for state kept in Python, tied scores in a top-k, or code that runs differently while it"
    " is traced"
)


def capture_module(
    module: torch.nn.Module,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    repeat: bool = False,
    names: Mapping[str, str] | None = None,
) -> Capture:
    """Capture a module, which is left as it is.

    Args:
        module: The user's network.
        args: Example inputs.
        kwargs: Example inputs by keyword.
        repeat: Whether a network that takes one sample only may be run once for each sample.
        names: What to call arguments whose own names say nothing.

    Raises:
        MccError: The module is refused, with the reason.
    """
    work = _Work(module, bind(module, args, kwargs, names))
    inputs = [tensor.numpy(force=True).copy() for tensor in work.call.tensors]
    refuse_bad_examples({leaf.name: array for leaf, array in zip(work.leaves, inputs, strict=True)})
    program, shown = _trace(work, inputs)
    samples, found = _samples(work, inputs, repeat)
    if shown is not inputs and not samples:
        program, shown = work.export(inputs), inputs
    runs = split(inputs) if samples else [inputs]
    outputs = _Outputs.of(work, runs[:MOST])
    signature = Signature(resize(work.call, shown), outputs.structure, samples)
    if not samples:
        found.append(why_fixed(work.feeds(inputs), outputs.named(signature)[0]))
    network, certificate, more = _convert(work, program, shown, signature, outputs)
    return Capture(
        network,
        signature,
        samples,
        tuple(work.feeds(run) for run in runs),
        certificate,
        (*work.findings(), *found, *more),
        _provenance(module, network),
        partial(try_eager, work.copy()),
    )


@final
@dataclass(frozen=True)
class _Work:
    """The module and the call to capture; every use gets a copy of its own."""

    module: torch.nn.Module
    call: Call

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return tuple(leaf for item in self.call.parameters for leaf in leaves_of(item.structure))

    def copy(self, share: bool = True) -> Flat:
        duplicate = isolate(self.module, share)
        caches_off(duplicate)
        return Flat(duplicate, self.call)

    def export(self, inputs: Sequence[Array]) -> ExportedProgram:
        flat = self.copy()
        with patched(flat.module):
            return export(flat, [to_tensor(array) for array in inputs])

    def feeds(self, run: Sequence[Array]) -> dict[str, Array]:
        return {leaf.name: array for leaf, array in zip(self.leaves, run, strict=True)}

    def findings(self) -> tuple[Diagnostic, ...]:
        duplicate = isolate(self.module)
        found: list[Diagnostic] = []
        if any(part.training for part in self.module.modules()):
            text = "the module was in training mode and is compiled in evaluation mode"
            found.append(note("evaluation-mode", text, "call `module.eval()` to say so yourself"))
        if any(item.dtype is torch.float64 for item in duplicate.parameters()):
            text = "the module computes in float64, so that all of it runs on the host"
            severity = Severity.WARNING
            found.append(
                Diagnostic("double-precision", text, "`module.float()`", severity=severity)
            )
        if caches_off(duplicate):
            found.append(note("cache-off", "the cache of keys and values is turned off"))
        with patched(duplicate) as patches:
            return (*found, *patches)


@final
@dataclass(frozen=True)
class _Outputs:
    """What the module returns, in two rounds over the runs."""

    structure: Any
    runs: tuple[list[Array], ...]
    values: tuple[list[Array], ...]

    @classmethod
    def of(cls, work: _Work, runs: Sequence[list[Array]]) -> _Outputs:
        eager = work.copy()
        rounds = tuple(runs) * CALLS
        values = tuple(try_eager(eager, run) for run in rounds)
        paths = [leaf.name for leaf in leaves_of(eager.structure)]
        names = iter(output_names(paths, [leaf.name for leaf in work.leaves]))
        structure = map_leaves(eager.structure, lambda leaf: replace(leaf, name=next(names)))
        return cls(structure, rounds, values)

    def named(self, signature: Signature) -> list[dict[str, Array]]:
        names = [leaf.name for leaf in signature.output_leaves]
        return [dict(zip(names, values, strict=True)) for values in self.values]


def _trace(work: _Work, inputs: list[Array]) -> tuple[ExportedProgram, list[Array]]:
    """Export for one sample where that works, else for all, and refuse what has side effects."""
    count = common_count(inputs)
    shown = [array[:1] for array in inputs] if count is not None and count > 1 else inputs
    try:
        program = work.export(shown)
    except MccError:
        try_eager(work.copy(share=False), inputs)
        if shown is inputs:
            raise
        program, shown = work.export(inputs), inputs
    names = tuple(leaf.name for leaf in work.leaves)
    problems = [
        *training_operators(program),
        *random_operators(program),
        *mutations(program, names),
    ]
    if problems:
        raise MccError(problems)
    return program, shown


def _samples(work: _Work, inputs: list[Array], repeat: bool) -> tuple[bool, list[Diagnostic]]:
    eager = work.copy()
    found = is_per_sample(lambda arrays: try_eager(eager, arrays), inputs)
    if found is None and repeat and common_count(inputs) == 1:
        if common_count(try_eager(eager, inputs)) == 1:
            text = "the program takes one sample; more are run one after another"
            return True, [note("samples-repeated", text)]
    return bool(found), []


def _convert(
    work: _Work,
    program: ExportedProgram,
    shown: list[Array],
    signature: Signature,
    outputs: _Outputs,
) -> tuple[Network, Certificate, list[Diagnostic]]:
    """Convert at the first opset that gives the module's own results."""
    reusable = not cast(Any, program).range_constraints
    feeds = [work.feeds(run) for run in outputs.runs]
    expected = outputs.named(signature)
    failures: list[MccError] = []
    for opset in OPSETS:
        fresh = program if reusable and not failures else work.export(shown)
        try:
            network = _finish(convert(fresh, opset), work, signature)
            certificate = certify(network, feeds, expected, "eager execution, two calls", _HELP)
        except MccError as problem:
            failures.append(problem)
            if _code(problem) == "operator-untranslated":
                break
            continue
        text = f"the network has opset {opset}: with a newer one, {_why(failures)}"
        return network, certificate, [note("opset-retry", text)] if failures else []
    if halves := half_operators(program):
        raise MccError(halves) from failures[0]
    raise next((item for item in failures if _code(item) == "capture-differs"), failures[0])


def _finish(model: ir.Model, work: _Work, signature: Signature) -> Network:
    inline(model)
    take_locations(model, PREFIX)
    simplify(model)
    tensors = work.module.state_dict(keep_vars=False)
    weights = {
        name: tensor.numpy(force=True)
        for name, tensor in tensors.items()
        if isinstance(tensor, torch.Tensor) and tensor.dtype is not torch.bfloat16
    }
    inputs = [leaf.name for leaf in signature.input_leaves]
    name_ends(model, inputs, [leaf.name for leaf in signature.output_leaves])
    name_weights(model, weights, PREFIX)
    _own_constants(model)
    model.graph.name = type(work.module).__name__
    model.producer_name, model.producer_version = "mcc", None
    return set_stage(model, Stage.CAPTURED)


def _own_constants(model: ir.Model) -> None:
    """Copy the constants: the user may go on training the parameters that they are."""
    for value in model.graph.initializers.values():
        if value.const_value is not None:
            array = value.const_value.numpy().copy()
            value.const_value = ir.Tensor(array, dtype=value.const_value.dtype, name=value.name)


def _code(problem: MccError) -> str:
    return problem.diagnostics[0].code


def _why(failures: Sequence[MccError]) -> str:
    return failures[0].diagnostics[0].message if failures else ""


def _provenance(module: torch.nn.Module, network: Network) -> dict[str, Any]:
    kind = type(module)
    return {
        "source": "torch module",
        "class": f"{kind.__module__}.{kind.__qualname__}",
        "torch": str(torch.__version__),
        "opset": network.graph.opset_imports.get("", 0),
        "parameters": sum(item.numel() for item in module.parameters()),
    }
