"""Running the float network on calibration data, remembering only what observers need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir

from mcc.ir.diagnostics import NOWHERE, Diagnostic, MccError, error
from mcc.ir.network.location import location_of
from mcc.ir.network.reference import Feeds, ReferenceExecutor
from mcc.ir.network.values import constant_of
from mcc.passes.observers import Extremes, Observer, record_for


def check_feeds(feeds: Sequence[Feeds]) -> None:
    """Refuse calibration data that are missing or not finite.

    Raises:
        MccError: There is no sample, or some hold what is not finite (all of them are named).
    """
    if not feeds:
        raise error(
            "calibration-empty",
            "the calibration set is empty",
            "give at least one sample, for example `--calibration x.npz`",
        )
    wrong = [
        Diagnostic(
            "input-not-finite",
            f"calibration sample {index}, input `{name}`: {_not_finite(np.asarray(array))}",
            "remove the sample, or repair the data",
        )
        for index, sample in enumerate(feeds)
        for name, array in sample.items()
        if _not_finite(np.asarray(array))
    ]
    if wrong:
        raise MccError(wrong)


def _not_finite(array: np.ndarray) -> str:
    if not np.issubdtype(array.dtype, np.floating):
        return ""
    count = array.size - int(np.isfinite(array).sum())
    return f"{count} of {array.size} elements are not finite" if count else ""


def observe_values(
    network: ir.Model, observers: Mapping[str, Observer], feeds: Sequence[Feeds]
) -> dict[str, Extremes]:
    """Run the network on every sample and record the named values.

    Only the values of one sample are in memory at a time.

    Args:
        network: In any runnable stage; left as it is.
        observers: What each value is recorded for, by name.
        feeds: Calibration data, one set of inputs after another.

    Raises:
        MccError: The data cannot be used, or a value did not stay finite.
    """
    check_feeds(feeds)
    records = {name: record_for(observer) for name, observer in observers.items()}
    executor = ReferenceExecutor(network, values=tuple(records))
    for sample in feeds:
        for name, array in executor.run(sample).items():
            records[name].add(array)
    _check_records(network, records)
    return records


def _check_records(network: ir.Model, records: Mapping[str, Extremes]) -> None:
    producers = {value.name: node for node in network.graph for value in node.outputs}
    wrong = [
        Diagnostic(
            "activation-not-finite",
            f"value `{name}` is not finite on the calibration data",
            _suspect(producers.get(name)),
            location_of(producers[name]) if name in producers else NOWHERE,
        )
        for name, record in records.items()
        if not record.finite
    ]
    if wrong:
        raise MccError(wrong)


def _suspect(node: ir.Node | None) -> str:
    """Say what may be wrong: a constant that is not a number, which `node` depends on, or else."""
    waiting: list[ir.Node | None] = [node]
    seen: set[ir.Node] = set()
    while waiting:
        last = waiting.pop()
        if last is None or last in seen:
            continue
        seen.add(last)
        for value in last.inputs:
            if value is None:
                continue
            array = constant_of(value)
            if array is not None and array.dtype.kind == "f" and np.isnan(array).any():
                return f"constant `{value.name}` holds NaN; train the network again"
            waiting.append(value.producer())
    return "look for an overflow in the network, or for samples it was not made for"
