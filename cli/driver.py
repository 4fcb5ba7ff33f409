"""Composes the layers: whatever the user has becomes a compiled program."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from mcc.backends.crossbar import targets
from mcc.backends.crossbar.generate import generate
from mcc.cli.bundle import PROVED_WITH, bundle
from mcc.cli.calibration import calibration_feeds
from mcc.cli.console import Progress, silent
from mcc.cli.program import Program
from mcc.frontend import Capture, InputSpec, capture, independent_on
from mcc.ir.diagnostics import EXIT_UNSUPPORTED, Diagnostic, MccError, Severity, error
from mcc.ir.hardware import Target
from mcc.ir.hardware.validity import conductance_warnings
from mcc.ir.network import Feeds, evidence_for, from_bytes, to_bytes
from mcc.passes import (
    Hook,
    Outcome,
    Pass,
    PassContext,
    Step,
    parse_passes,
    run_pipeline,
)

if TYPE_CHECKING:
    import torch

COMPARED = 8
"""Calibration samples that are run together and alone."""


def compile(
    source: Any,
    example_inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    target: str | Path | Target = "rram40nm",
    device: str | Path | None = None,
    overrides: Mapping[str, str | float] | None = None,
    calibration: Any = None,
    passes: str | Sequence[Pass | str] = "default",
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
        device: A device card that replaces the cell of a target that is named, by name or path.
        overrides: Values of the target to replace, by dotted path.
        calibration: One batch, an iterable of batches, or an `.npz` path; the examples if None.
        passes: A pipeline string, or passes and strings in order.
        strict: Refuse what the chip can only do by being rewritten while it runs; what runs on the
            host still does.
        input_shapes: Shapes of inputs for which no example is given, by name.
        module_factory: What builds the module of a state dict: a function or `pkg.mod:function`.
        trust_pickle: Whether a pickled module may be loaded, which runs any code it holds.
        hook: Called after each pass.
        progress: Called with the name of each step as it begins.

    Raises:
        MccError: The network, the data, the target or the passes are refused, with the reasons.
    """
    chip = resolve_target(target, overrides, device)
    pipeline = _pipeline(passes)
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
    _refuse_dependent(captured, feeds)
    context = PassContext(target=chip, calibration=feeds, findings=list(captured.findings))
    context.findings.extend(conductance_warnings(chip.cell))
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
    artifact = bundle(captured, feeds, outcome, generation)
    return Program(artifact, tuple(context.findings))


def _refuse_dependent(captured: Capture, feeds: Sequence[Feeds]) -> None:
    """Refuse samples that see each other on the calibration data, if not on the examples."""
    if captured.samples and not independent_on(captured, feeds[:COMPARED]):
        raise error(
            "samples-dependent",
            "calibration samples that are run together give other results than alone",
            "give some of them as the example inputs: axis 0 will then count no samples",
        )


def resolve_target(
    target: str | Path | Target,
    overrides: Mapping[str, str | float] | None,
    device: str | Path | None = None,
) -> Target:
    """Return the target of a shipped name, a path or itself, with some values replaced.

    Args:
        target: The target.
        overrides: New values by dotted path.
        device: A device card that is laid over its cell.

    Raises:
        MccError: There is none, a name or value is wrong, or they are impossible together.
    """
    texts = {key: _text(value) for key, value in (overrides or {}).items()}
    if not isinstance(target, Target):
        return targets.load(target, texts, device)
    if device is not None:
        text = f"the device card `{device}` cannot be laid over a target that is already loaded"
        raise error("option-value", text, "give the target by its name or its file")
    return target.with_values(texts) if texts else target


def _text(value: str | float) -> str:
    """Return a value as a target file writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _pipeline(passes: object) -> list[Pass]:
    items: Iterable[object] = (passes,)
    if isinstance(passes, Iterable) and not isinstance(passes, str):
        items = cast("Iterable[object]", passes)
    return [item for given in items for item in _passes(given)]


def _passes(given: object) -> Sequence[Pass]:
    if isinstance(given, Pass):
        return (given,)
    if isinstance(given, str):
        return parse_passes(given)
    help = "write a pipeline such as `canonicalize,quantize,place,tile`, or pass objects in order"
    raise error("option-value", f"passes: `{given!r}` is neither a string nor a pass", help)


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
