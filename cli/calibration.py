"""Calibration data as users give it, to the inputs of single samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from mcc.cli.arrays import in_order, read_arrays
from mcc.ir.diagnostics import MccError, error
from mcc.ir.network import Feeds
from mcc.ir.signature import Signature
from mcc.ir.structure import leaves_of
from mcc.ir.tensors import Array, to_array


def calibration_feeds(
    signature: Signature, calibration: Any, examples: tuple[Feeds, ...]
) -> tuple[Feeds, ...]:
    """Return the inputs to calibrate with, one entry for each run of the network.

    Args:
        signature: Of the network.
        calibration: One batch, an iterable of batches, or an `.npz` path; a batch is an array, a
            tuple of positional arguments, or a mapping from names. The examples if None. A tuple
            of arrays is one batch where the network takes several.
        examples: The example inputs of the capture.

    Raises:
        MccError: `calibration-empty`, or what `Signature` refuses.
    """
    if calibration is None:
        return examples
    batches = [
        feeds_of(signature, batch)
        for batch in _batches(signature, calibration)
        if not _is_empty(batch)
    ]
    feeds = tuple(item for batch in batches for item in runs_of(signature, batch))
    if not feeds:
        raise _no_sample()
    return feeds


def refuse_empty(batch: Any) -> None:
    """Refuse calibration data without a sample, before anything is done with them.

    Raises:
        MccError: `calibration-empty`.
    """
    if _is_empty(batch):
        raise _no_sample()


def runs_of(signature: Signature, feeds: Mapping[str, Array]) -> Iterator[dict[str, Array]]:
    """Split inputs that were checked into those of single runs of the network."""
    if not signature.samples:
        yield dict(feeds)
        return
    count = min((len(array) for array in feeds.values()), default=0)
    for index in range(count):
        yield {name: array[index : index + 1] for name, array in feeds.items()}


def feeds_of(signature: Signature, batch: Any) -> dict[str, Array]:
    """Check one batch, and name its tensors as the network does.

    Args:
        signature: Of the network.
        batch: An array, a tuple of positional arguments, a mapping from the names of arguments or
            tensors, or the arrays of an `.npz` file without names.

    Raises:
        MccError: What `Signature` refuses.
    """
    signature = signature.tensors_only()
    if isinstance(batch, Mapping):
        batch = in_order(cast("Mapping[str, Any]", batch))
    if isinstance(batch, Mapping):
        named = cast("Mapping[str, Any]", batch)
        arrays = {name: to_array(value) for name, value in named.items()}
        arguments = {item.name for item in signature.parameters}
        leaves = {leaf.name for leaf in signature.input_leaves}
        if set(named) & leaves and not set(named) <= arguments:
            return signature.check_feeds({k: v for k, v in arrays.items() if v is not None})
        return signature.flatten_inputs((), named)
    if isinstance(batch, (tuple, list)):
        items = cast("Sequence[Any]", batch)
        if len(items) > (most := sum(item.positional for item in signature.parameters)):
            text = f"a batch holds {len(items)} items, the network takes {most} by position"
            help = "give inputs only, without labels: `[(x,) for x, label in batches]`"
            raise error("input-unknown", text, help)
        return signature.flatten_inputs(items, {})
    return signature.flatten_inputs((batch,), {})


def _is_empty(batch: Any) -> bool:
    """Tell whether a batch holds nothing, or arrays of no sample only."""
    values: Sequence[Any] = (batch,)
    if isinstance(batch, Mapping):
        values = tuple(cast("Mapping[Any, Any]", batch).values())
    elif isinstance(batch, (tuple, list)):
        values = cast("Sequence[Any]", batch)
    arrays = [array for value in values if (array := to_array(value)) is not None]
    hollow = arrays and all(array.ndim and not len(array) for array in arrays)
    return not values or bool(hollow)


def _no_sample() -> MccError:
    return error(
        "calibration-empty",
        "the calibration data hold no sample",
        "give inputs like those of later use, none of which you test with",
    )


def _takes_several(signature: Signature) -> bool:
    """Tell whether more than one argument with tensors may be given by position."""
    found = [any(leaves_of(item.structure)) for item in signature.parameters if item.positional]
    return sum(found) > 1


def _batches(signature: Signature, calibration: Any) -> Iterable[Any]:
    if isinstance(calibration, (str, Path)):
        return (read_arrays(Path(calibration)),)
    if isinstance(calibration, Mapping) or to_array(calibration) is not None:
        return (cast(Any, calibration),)
    if not hasattr(calibration, "__iter__") and not hasattr(calibration, "__getitem__"):
        text = f"calibration is {type(calibration).__name__}"
        raise error("option-value", text, "give an array, batches of arrays, or an `.npz` path")
    if isinstance(calibration, tuple) and _takes_several(signature):
        items = cast("tuple[Any, ...]", calibration)
        if items and to_array(items[0]) is not None:
            return (items,)
    return cast("Iterable[Any]", calibration)
