"""A program beside its network: every integer that the hardware makes, and every output."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcc.ir.diagnostics import EXIT_BUG, error
from mcc.ir.network import Certificate, Contract, Feeds, Network, ReferenceExecutor
from mcc.ir.program.places import Places
from mcc.ir.tensors import Array
from mcc.runtime.machine import Machine
from mcc.runtime.observation import Collector


def check_program(
    machine: Machine, network: Network, places: Places, feeds: Sequence[Feeds]
) -> list[dict[str, Array]]:
    """Run a program beside its network, and return the outputs of each run.

    Raises:
        MccError: As our bug, `program-differs`, naming the first value that is not the same.
    """
    results: list[dict[str, Array]] = []
    for run in feeds:
        outputs, difference = compare(machine, network, places, run)
        if difference:
            raise error("program-differs", difference, "please report it", exit_code=EXIT_BUG)
        results.append(outputs)
    return results


def program_certificate(runs: int) -> Certificate:
    """Return what is recorded of a program that was compared with its network in some runs."""
    return Certificate(
        subject="program",
        contract=Contract.EXACT,
        bound=0.0,
        measured=0.0,
        inputs=f"{runs} calibration samples",
        passed=True,
        detail="codes, sums and outputs, bit for bit",
    )


def compare(
    machine: Machine, network: Network, places: Places, feeds: Feeds
) -> tuple[dict[str, Array], str]:
    """Run a program and its network on one input; say the first value that differs, or nothing."""
    collector = Collector(places, 1)
    inputs = {name: np.asarray(array)[None] for name, array in feeds.items()}
    outputs = {name: it[0] for name, it in machine.run(inputs, collector).outputs.items()}
    integers = collector.values()
    expected = ReferenceExecutor(network).run(feeds, values=[*integers, *outputs])
    for name, found in [*((name, it[0]) for name, it in integers.items()), *outputs.items()]:
        if not same(np.asarray(found), expected[name]):
            count = int(np.sum(np.asarray(found) != expected[name]))
            return outputs, f"`{name}` differs from the network in {count} of {found.size} elements"
    return outputs, ""


def same(left: Array, right: Array) -> bool:
    """Tell whether two arrays hold the same bits."""
    return (
        left.dtype == right.dtype
        and left.shape == right.shape
        and left.tobytes() == right.tobytes()
    )
