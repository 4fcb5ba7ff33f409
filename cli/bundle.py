"""Puts a compiled file together: the program, its proofs, and what they were proved with."""

from __future__ import annotations

from collections.abc import Sequence

from mcc.backends.crossbar.generate import Generation
from mcc.cli.proofs.claims import stage_name, stated
from mcc.cli.proofs.comparison import check_program, program_certificate
from mcc.cli.proofs.vectors import vectors_of
from mcc.frontend import Capture
from mcc.ir.artifact import Artifact
from mcc.ir.network import Feeds, Network, to_bytes
from mcc.passes import Outcome, format_pass
from mcc.runtime.costs import costs_of
from mcc.runtime.fidelity import Fidelity
from mcc.runtime.machine import Machine
from mcc.runtime.report import make_report

PROVED_WITH = 4
"""Calibration samples that are kept in the artifact, to prove the passes with."""
TESTED_WITH = 2
"""Calibration samples whose outputs are kept in the artifact."""


def bundle(
    captured: Capture,
    feeds: Sequence[Feeds],
    outcome: Outcome,
    generation: Generation,
) -> Artifact:
    """Return the compiled file; the program is run against the network it came from.

    Args:
        captured: What the frontend made.
        feeds: All that calibrated, a run each.
        outcome: Of the passes; its network is the one that the program was generated from.
        generation: The program.

    Raises:
        MccError: As our bug, `program-differs`.
    """
    program = generation.program
    costs = costs_of(program, trace=True)
    machine = Machine(program, Fidelity.EXACT, costs=costs)
    kept = feeds[:PROVED_WITH]
    outputs = check_program(machine, outcome.network, generation.places, kept[:TESTED_WITH])
    network, stages = to_bytes(outcome.network), _stages(captured.network, outcome)
    vectors = vectors_of(kept, outputs)
    proofs = (captured.certificate, *outcome.certificates, program_certificate(len(outputs)))
    return Artifact(
        program=program,
        signature=captured.signature,
        network=network,
        stages=stages,
        places=generation.places,
        certificates=stated(proofs, stages, network, vectors),
        vectors=vectors,
        report=make_report(program, costs, outcome.network),
        provenance={
            **captured.provenance,
            "passes": ",".join(format_pass(step.item) for step in outcome.steps),
            "calibration_samples": len(feeds),
        },
    )


def _stages(first: Network, outcome: Outcome) -> dict[str, bytes]:
    """Return the network before each pass, in order; the one after the last is the network."""
    networks = [first, *(step.network for step in outcome.steps[:-1])]
    return {
        stage_name(step.index, step.item): to_bytes(network)
        for step, network in zip(outcome.steps, networks, strict=True)
    }
