"""Whether a network treats its inputs sample by sample along axis 0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mcc.frontend.capture import Capture, Run, note
from mcc.frontend.sample_probes import far_samples, variants
from mcc.ir.diagnostics import Diagnostic, MccError
from mcc.ir.network.certificate import largest_change
from mcc.ir.tensors import Array

TOLERANCE = 1e-4
"""Largest difference, relative to the largest value of an output, of the same computation.

A float32 sum of a thousand terms may err by 1000 x 2**-24, or 6e-5, of their magnitudes, depending
on its order.
"""

MOST = 4
"""Samples that are compared one by one."""


def common_count(arrays: Sequence[Array]) -> int | None:
    """Return the length of axis 0 if all arrays share it."""
    counts = {array.shape[0] if array.ndim else -1 for array in arrays}
    return counts.pop() if len(counts) == 1 and -1 not in counts else None


def is_per_sample(run: Run, inputs: Sequence[Array]) -> bool | None:
    """Compare a run of several samples with a run of each of them.

    The samples of an example may be all alike, and hide that they see each other. So the first one
    is also run beside one that differs in every input, and beside values far out of their range,
    which would show in its own result through any sum, comparison or maximum over the samples.

    Returns:
        Nothing where the network does not run on another number of samples.
    """
    count = common_count(inputs)
    if not count:
        return False
    first = [array[:1] for array in inputs]
    given = [array[:MOST] for array in inputs] if count > 1 else join(first, first)
    found = agrees(run, given)
    if not found:
        return found
    other = _another(run, first)
    if other is None:
        return not all(np.array_equal(array, array[:1].repeat(len(array), 0)) for array in given)
    if agrees(run, join(first, other)) is False:
        return False
    alone = _try(run, first)
    return alone is None or all(_unmoved(run, first, alone, far) for far in far_samples(other))


def independent_on(captured: Capture, feeds: Sequence[Mapping[str, Array]]) -> bool:
    """Tell whether what was captured treats samples one by one on other data, too.

    Args:
        captured: A network with samples.
        feeds: Single samples; all of them are run together, and each alone.
    """
    names = [leaf.name for leaf in captured.signature.input_leaves]
    batch = [np.concatenate([feed[name] for feed in feeds]) for name in names]
    return agrees(captured.original, batch) is not False


def agrees(run: Run, batch: Sequence[Array]) -> bool | None:
    """Compare a run of a batch with a run of each of its samples.

    Returns:
        Nothing where one of them does not run.
    """
    size = len(batch[0])
    together = _try(run, batch)
    single = [_try(run, sample) for sample in split(batch)]
    if together is None or any(one is None for one in single):
        return None
    found = [one for one in single if one is not None]
    if common_count(together) != size or any(common_count(one) != 1 for one in found):
        return False
    apart = [np.concatenate(items) for items in zip(*found, strict=True)]
    return all(close(a, b) for a, b in zip(together, apart, strict=True))


def _unmoved(
    run: Run, sample: Sequence[Array], alone: Sequence[Array], beside: Sequence[Array]
) -> bool:
    """Tell whether a sample gives the same as alone beside another, where that runs."""
    together = _try(run, join(sample, beside))
    if together is None:
        return True
    return all(close(a, b[:1]) for a, b in zip(alone, together, strict=True))


def _another(run: Run, sample: Sequence[Array]) -> list[Array] | None:
    """Find a sample that the network takes, different in as many inputs as can be."""
    choices = [variants(array, seed) for seed, array in enumerate(sample)]
    boldest = [kinds[0] if kinds else array for kinds, array in zip(choices, sample, strict=True)]
    if any(choices) and _try(run, boldest) is not None:
        return boldest
    other = list(sample)
    for index, kinds in enumerate(choices):
        trials = ([*other[:index], kind, *other[index + 1 :]] for kind in kinds)
        other = next((trial for trial in trials if _try(run, trial) is not None), other)
    return None if all(map(np.array_equal, other, sample)) else other


def _try(run: Run, inputs: Sequence[Array]) -> Sequence[Array] | None:
    try:
        with np.errstate(all="ignore"):
            return run(inputs)
    except (MccError, RuntimeError, ValueError, IndexError, TypeError, AssertionError):
        return None


def why_fixed(inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> Diagnostic:
    """Say what keeps a network from taking another number of samples, on one run of it."""
    lengths = {name: len(array) if array.ndim else 0 for name, array in inputs.items()}
    scalars = [name for name, length in lengths.items() if not length]
    count = common_count(list(inputs.values()))
    apart = [name for name, array in outputs.items() if common_count([array]) != count]
    why = "its samples see each other along axis 0, or it runs on this number of them only"
    if scalars:
        why = f"input `{scalars[0]}` is a scalar, without an axis of samples"
    elif count is None:
        listed = ", ".join(f"`{name}` {length}" for name, length in lengths.items())
        why = f"the inputs differ in length along axis 0: {listed}"
    elif apart:
        size = "x".join(map(str, outputs[apart[0]].shape)) or "a scalar"
        why = f"output `{apart[0]}` is {size}, and axis 0 of the inputs has length {count}"
    text = f"the program takes the shapes of the example and no others: {why}"
    return note("samples-fixed", text, "let axis 0 count samples in every input and output")


def close(left: Array, right: Array) -> bool:
    """Tell whether two results are the same up to the order of float sums."""
    change = largest_change(left, right)
    if not change or left.dtype.kind != "f":
        return not change
    return change <= TOLERANCE * float(np.abs(left[np.isfinite(left)]).max(initial=0.0))


def split(inputs: Sequence[Array]) -> list[list[Array]]:
    """Cut inputs into single samples."""
    return [[array[i : i + 1] for array in inputs] for i in range(len(inputs[0]))]


def join(left: Sequence[Array], right: Sequence[Array]) -> list[Array]:
    """Put samples together to one batch."""
    return [np.concatenate(pair) for pair in zip(left, right, strict=True)]
