"""The crossbar backend: a mapped network and a target become a program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

from mcc.backends.crossbar.assignment import Turn, assign
from mcc.backends.crossbar.contraction import Contraction
from mcc.backends.crossbar.emission import Room
from mcc.backends.crossbar.jobs import Jobs, sums_view
from mcc.backends.crossbar.kernels import Kernel, Kernels
from mcc.backends.crossbar.matrices import Matrices
from mcc.backends.crossbar.report import KernelSummary, summarise
from mcc.backends.crossbar.storage import BufferPlan, plan_buffer
from mcc.backends.crossbar.synchronisation import Job, Signals
from mcc.backends.crossbar.views import View
from mcc.backends.crossbar.waits import with_waits
from mcc.backends.crossbar.writer import Line
from mcc.backends.onnx.partition import partition
from mcc.ir.diagnostics import EXIT_UNSUPPORTED, Diagnostic, MccError, Severity, error
from mcc.ir.hardware import Target
from mcc.ir.hardware.derived import cores as core_count
from mcc.ir.network import Stage, stage_of
from mcc.ir.network.destination import destination_of
from mcc.ir.network.values import Network
from mcc.ir.program import Constant, HostCall, Program
from mcc.ir.program.checks import check
from mcc.ir.program.hazards import check_hazards
from mcc.ir.program.instructions import Halt, ProgramMacro
from mcc.ir.program.places import Place, Places


@final
@dataclass(frozen=True)
class Generation:
    """A program, and what is to be told about it."""

    program: Program
    findings: tuple[Diagnostic, ...]
    kernels: tuple[KernelSummary, ...]
    places: Places
    """Where the integers that instructions make lie in the values of the network."""


def generate(network: Network, target: Target, *, strict: bool = False) -> Generation:
    """Generate the program of a mapped network.

    Args:
        network: In stage `mapped`; left as it is.
        target: The chip.
        strict: Refuse what would be time-multiplexed.

    Raises:
        MccError: `pass-order`, `target-mismatch`, `buffer-too-small`, `memory-too-small`,
            `tile-too-large`; under `strict` also `chip-too-small`.
    """
    _check_stage(network)
    kernels = Kernels(network, partition(list(network.graph)))
    contractions = _contractions(kernels)
    if contractions:
        _check_destination(network, target)
    columns = [contraction.columns(target) for contraction in contractions.values()]
    turns = dict(zip(contractions, assign(columns, target), strict=True))
    matrices = Matrices(list(contractions.values()), list(turns.values()), target)
    starts = _starts(kernels, contractions)
    waiting = [
        (kernel.index, sums_view(kernel, contractions[kernel]).storage)
        for kernel, parts in turns.items()
        if any(not turn.last for turn in parts)
    ]
    plan = plan_buffer(kernels, waiting, target)
    jobs = Jobs(kernels, Room(plan.addresses, target.core.memory.bytes), matrices, starts)
    signals, calls, summaries = _emit(jobs, contractions, turns, plan, target)
    lines = [[*code, Line(Halt(), "")] for code in signals.finished()]
    memory = tuple(jobs.memory.get(core, 0) for core in range(core_count(target)))
    program = with_waits(
        _program(target, kernels, plan, matrices, calls, lines, memory, len(signals.semaphores))
    )
    check(program)
    check_hazards(program)
    findings = _findings(program, matrices)
    if strict and findings:
        raise MccError([_refused(item) for item in findings], EXIT_UNSUPPORTED)
    return Generation(program, tuple(findings), tuple(summaries), _places(lines))


def _check_stage(network: Network) -> None:
    """Refuse a network that the passes left before its end."""
    stage = stage_of(network)
    if stage is not Stage.MAPPED:
        text = f"programs are made from a network in stage mapped, not {stage}"
        raise error("pass-order", text, "end the pipeline with `place,tile`")


def _check_destination(network: Network, target: Target) -> None:
    """Refuse a network whose tiles were cut for another chip."""
    mapped = destination_of(network)
    if mapped is not None and mapped.digest == target.digest():
        return
    found = "for no target" if mapped is None else f"for `{mapped.name}`"
    if mapped is not None and mapped.name == target.name:
        found += " with other values"
    raise error(
        "target-mismatch",
        f"the network was mapped {found}, not for `{target.name}` as it is here",
        "run the passes `place` and `tile` again with this target",
    )


def _emit(
    jobs: Jobs,
    contractions: Mapping[Kernel, Contraction],
    turns: Mapping[Kernel, Sequence[Turn]],
    plan: BufferPlan,
    target: Target,
) -> tuple[Signals, list[HostCall], list[KernelSummary]]:
    """Write all kernels; return the code with its signals, the host calls and the summaries."""
    signals = Signals(core_count(target))
    calls: list[HostCall] = []
    summaries: list[KernelSummary] = []
    for kernel in jobs.kernels.kernels:
        made = _jobs(jobs, kernel, contractions, turns, calls, plan)
        for job in made:
            signals.add(job)
        cores = {core for job in made for core in job.cores}
        parts = turns.get(kernel, ())
        seats = [seat for turn in parts for share in turn.shares for seat in share.seats]
        summaries.append(summarise(kernel, cores, seats, target))
    return signals, calls, summaries


def _contractions(kernels: Kernels) -> dict[Kernel, Contraction]:
    found: dict[Kernel, Contraction] = {}
    for kernel in kernels.kernels:
        contraction = Contraction.of(kernel.head) if kernel.head is not None else None
        if contraction is not None:
            found[kernel] = contraction
    return found


def _starts(kernels: Kernels, contractions: Mapping[Kernel, Contraction]) -> dict[Kernel, View]:
    """Return what sums start from, as constants that broadcast to them."""
    found: dict[Kernel, View] = {}
    for kernel, contraction in contractions.items():
        if contraction.view.zero_point:
            sums = contraction.start_sums()
            inner = len(contraction.frame) - 1 - contraction.column_dim
            view = kernels.constant(f"start of {kernel.name}", sums)
            shaped = view.reshape((len(sums), *[1] * inner))
            assert shaped is not None
            found[kernel] = shaped
    return found


def _jobs(
    jobs: Jobs,
    kernel: Kernel,
    contractions: Mapping[Kernel, Contraction],
    turns: Mapping[Kernel, Sequence[Turn]],
    calls: list[HostCall],
    plan: BufferPlan,
) -> list[Job]:
    """Return the jobs of one kernel."""
    if kernel in contractions:
        return jobs.contraction(kernel, contractions[kernel], turns[kernel])
    if kernel.host is None:
        return [jobs.digital(kernel)]
    calls.append(_call(jobs.kernels, kernel, len(calls), plan))
    return [jobs.host(kernel, len(calls) - 1)]


def _call(kernels: Kernels, kernel: Kernel, graph: int, plan: BufferPlan) -> HostCall:
    assert kernel.host is not None
    inputs = [(value, kernels.dense(value)) for value in kernel.host.inputs]
    return HostCall(
        graph=graph,
        inputs=tuple(
            view.region(value.name or "", plan.addresses[view.storage.name])
            for value, view in inputs
        ),
        outputs=tuple(
            view.region(value.name or "", plan.addresses[view.storage.name])
            for value, view in kernel.stores.items()
        ),
        operations=kernel.host.operations,
    )


def _program(
    target: Target,
    kernels: Kernels,
    plan: BufferPlan,
    matrices: Matrices,
    calls: Sequence[HostCall],
    lines: Sequence[Sequence[Line]],
    memory: tuple[int, ...],
    semaphores: int,
) -> Program:
    inputs = [(value, kernels.view(value)) for value in kernels.network.graph.inputs]
    hosts = [kernel.host for kernel in kernels.kernels if kernel.host is not None]
    return Program(
        target=target,
        cores=tuple(tuple(line.instruction for line in code) for code in lines),
        tiles=tuple(matrices.tiles),
        images=matrices.images,
        constants=tuple(
            Constant.of(name, plan.addresses[name], array)
            for name, array in kernels.constants.items()
        ),
        host_calls=tuple(calls),
        host_graphs=tuple(host.model for host in hosts),
        inputs=tuple(
            view.region(value.name or "", plan.addresses[view.storage.name])
            for value, view in inputs
        ),
        outputs=tuple(
            view.region(value.name or "", plan.addresses[view.storage.name])
            for value, view in kernels.outputs
        ),
        semaphores=semaphores,
        buffer_bytes=plan.bytes,
        memory_bytes=memory,
        source_map=tuple(tuple(line.node for line in code) for code in lines),
    )


def _places(lines: Sequence[Sequence[Line]]) -> dict[tuple[int, int], Place]:
    return {
        (core, index): line.place
        for core, code in enumerate(lines)
        for index, line in enumerate(code)
        if line.place is not None
    }


def _refused(finding: Diagnostic) -> Diagnostic:
    help = f"{finding.help}; or leave out `--strict`"
    return replace(finding, severity=Severity.ERROR, help=help)


def _findings(program: Program, matrices: Matrices) -> list[Diagnostic]:
    """Say what does not fit on the chip at once, and what that costs in every run."""
    if matrices.rounds == 1:
        return []
    target = program.target
    macros = core_count(target) * target.core.macros
    writes = [
        (instruction, context)
        for core, code in enumerate(program.cores)
        for context in (program.context(core),)
        for instruction in code
        if isinstance(instruction, ProgramMacro)
    ]
    cycles = sum(item.timing(context).stages[0].cycles for item, context in writes)
    cells = sum(item.events(context).cell_writes for item, context in writes)
    joules = cells * target.energy.cell_write_joules
    seconds = cycles / target.chip.clock_hertz
    return [
        Diagnostic(
            "chip-too-small",
            f"the weights take {len(program.images)} macros, the chip has {macros}: "
            f"{len(writes)} macros are written in every run ({matrices.rounds} rounds, "
            f"{seconds:.3g} s of writing in all, {joules:.3g} J)",
            "choose a larger chip (`chip.mesh_rows`, `core.macros`), or fewer bits per weight",
            severity=Severity.WARNING,
        )
    ]
