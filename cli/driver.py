"""Composes the layers: whatever the user has becomes a compiled program."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mcc.backends.crossbar import targets
from mcc.backends.crossbar.generate import Generation, generate
from mcc.cli.calibration import calibration_feeds
from mcc.cli.console import Progress, silent
from mcc.cli.program import Program
from mcc.frontend import Capture, InputSpec, capture
from mcc.ir.artifact import Artifact
from mcc.ir.diagnostics import EXIT_UNSUPPORTED, Diagnostic, MccError, Severity
from mcc.ir.hardware import Target
from mcc.ir.network import (
    Certificate,
    Contract,
    Feeds,
    Network,
    evidence_for,
    from_bytes,
    to_bytes,
)
from mcc.ir.tensors import Array
from mcc.passes import (
    Hook,
    Outcome,
    Pass,
    PassContext,
    Step,
    format_pass,
    parse_passes,
    run_pipeline,
)
from mcc.runtime.arrays import Fidelity
from mcc.runtime.costs import costs_of
from mcc.runtime.machine import Machine
from mcc.runtime.report import make_report

if TYPE_CHECKING:
    import torch

PROVED_WITH = 4
"""Calibration samples that are kept in the artifact, to prove the passes with."""
TESTED_WITH = 2
"""Calibration samples whose outputs are kept in the artifact."""


def compile(
    source: Any,
    example_inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    target: str | Path | Target = "rram40nm",
    overrides: Mapping[str, str] | None = None,
    calibration: Any = None,
    passes: str | Sequence[Pass] = "default",
    strict: bool = False,
    input_shapes: Mapping[str, tuple[int, ...] | InputSpec] | None = None,
    module_factory: str | Callable[[], torch.nn.Module] | None = None,
    trust_pickle: bool = False,
    hook: Hook | None = None,
    progress: Progress = silent,
) -> Program:
    """Compile a network for a target; the source is left as it is.

    Args:
        source: An `nn.Module`, `ExportedProgram`, `torch.fx.GraphModule`, ONNX model, or a path.
        example_inputs: What the network is captured with: a tuple of positional arguments, one
            tensor or array, or a mapping from the names of the arguments.
        kwargs: Arguments by keyword.
        target: A shipped name, a path, or a target.
        overrides: Values of the target to replace, by dotted path.
        calibration: One batch, an iterable of batches, or an `.npz` path; the examples if None.
        passes: A pipeline string, or passes.
        strict: Refuse what the chip can only do by being rewritten while it runs.
        input_shapes: Shapes of inputs for which no example is given, by name.
        module_factory: What builds the module of a state dict: a function or `pkg.mod:function`.
        trust_pickle: Whether a pickled module may be loaded, which runs any code it holds.
        hook: Called after each pass.
        progress: Called with the name of each step as it begins.

    Raises:
        MccError: The network, the data, the target or the passes are refused, with the reasons.
    """
    chip = _target(target, overrides)
    pipeline = parse_passes(passes) if isinstance(passes, str) else list(passes)
    progress("capture")
    captured = capture(
        source,
        example_inputs,
        kwargs=kwargs,
        input_shapes=input_shapes,
        module_factory=module_factory,
        trust_pickle=trust_pickle,
    )
    feeds = calibration_feeds(captured.signature, calibration, captured.examples)
    context = PassContext(target=chip, calibration=feeds, findings=list(captured.findings))
    if calibration is None:
        _note_no_calibration(context, len(feeds), given=example_inputs is not None or bool(kwargs))
    evidence = evidence_for(captured.network, feeds[:PROVED_WITH])
    after = _announced(pipeline, hook, progress)
    outcome = run_pipeline(captured.network, pipeline, context, after, evidence)
    _refuse_errors(context.findings)
    progress("code generation")
    outcome = _as_stored(outcome)
    generation = generate(outcome.network, chip, strict=strict)
    context.findings.extend(generation.findings)
    progress("proof of the program")
    artifact = _artifact(captured, feeds, outcome, generation, pipeline)
    return Program(artifact, tuple(context.findings))


def _target(target: str | Path | Target, overrides: Mapping[str, str] | None) -> Target:
    if isinstance(target, Target):
        return target.with_values(dict(overrides)) if overrides else target
    return targets.load(target, overrides)


def _note_no_calibration(context: PassContext, count: int, *, given: bool) -> None:
    """Say what the scales rest on where the user gave no data for them."""
    what = "the example inputs only" if given else "inputs of the file or made-up ones"
    context.report(
        "calibration-default",
        f"the network is calibrated on {what} (samples: {count})",
        help="give calibration data like those of later use, none of which you test with",
        severity=Severity.WARNING,
    )


def _announced(pipeline: Sequence[Pass], hook: Hook | None, progress: Progress) -> Hook:
    """Return a hook that announces the pass after the one that has ended."""
    progress(pipeline[0].name if pipeline else "passes")

    def after(step: Step) -> None:
        if hook is not None:
            hook(step)
        if step.index + 1 < len(pipeline):
            progress(pipeline[step.index + 1].name)

    return after


def _refuse_errors(findings: Sequence[Diagnostic]) -> None:
    errors = [item for item in findings if item.severity is Severity.ERROR]
    if errors:
        raise MccError(errors, EXIT_UNSUPPORTED)


def _as_stored(outcome: Outcome) -> Outcome:
    """Return the outcome with its network as the file will hold it."""
    return replace(outcome, network=from_bytes(to_bytes(outcome.network)))


def _artifact(
    captured: Capture,
    feeds: Sequence[Feeds],
    outcome: Outcome,
    generation: Generation,
    pipeline: Sequence[Pass],
) -> Artifact:
    """Put the compiled file together; the program is run against the network it came from."""
    from mcc.cli.proof import check_program

    program = generation.program
    costs = costs_of(program, trace=True)
    machine = Machine(program, Fidelity.EXACT, costs=costs)
    kept = feeds[:PROVED_WITH]
    outputs = check_program(machine, outcome.network, generation.places, kept[:TESTED_WITH])
    return Artifact(
        program=program,
        signature=captured.signature,
        network=to_bytes(outcome.network),
        stages=_stages(captured.network, outcome),
        places=generation.places,
        certificates=(captured.certificate, *outcome.certificates, _program_certificate(outputs)),
        vectors=_vectors(kept, outputs),
        report=make_report(program, costs, outcome.network),
        provenance={
            **captured.provenance,
            "passes": ",".join(format_pass(item) for item in pipeline),
            "calibration_samples": len(feeds),
        },
    )


def _program_certificate(outputs: Sequence[Mapping[str, Array]]) -> Certificate:
    return Certificate(
        subject="program",
        contract=Contract.EXACT,
        bound=0.0,
        measured=0.0,
        inputs=f"{len(outputs)} calibration samples",
        passed=True,
        detail="codes, sums and outputs, bit for bit",
    )


def _stages(first: Network, outcome: Outcome) -> dict[str, bytes]:
    """Return the network before each pass, in order; the one after the last is the network."""
    networks = [first, *(step.network for step in outcome.steps[:-1])]
    names = [step.item.name.replace("_", "-") for step in outcome.steps]
    return {
        f"{index:02}-before-{name}": to_bytes(network)
        for index, (name, network) in enumerate(zip(names, networks, strict=True))
    }


def _vectors(
    feeds: Sequence[Feeds], outputs: Sequence[Mapping[str, Array]]
) -> dict[str, np.ndarray[Any, Any]]:
    inputs = {f"input/{i}/{name}": it for i, run in enumerate(feeds) for name, it in run.items()}
    results = {
        f"output/{i}/{name}": it for i, run in enumerate(outputs) for name, it in run.items()
    }
    return {**inputs, **results}
