"""`mcc compare`: the cells of a device card, here and in AIHWKit."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcc.cli.console import json_option, make_table, print_json, print_tables
from mcc.ir.diagnostics import error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcc.ir.tensors import Array


@click.command(short_help="Compare a device card with AIHWKit.")
@click.argument("card")
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    help="An .npz that holds the matrix.  [default: drawn]",
)
@click.option("--size", type=click.IntRange(1, 1024), default=256, show_default=True,
              help="Rows and columns of the matrix that is drawn.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True,
              help="Which chip, here and there.")  # fmt: skip
@json_option
def command(card: str, weights: Path | None, size: int, seed: int, as_json: bool) -> None:
    """Write one matrix into cells of CARD, here and in AIHWKit, and compare what is read.

    Mean and deviation are those of the errors; two samples of one law would be called different
    once in 1,000 times.
    """
    import numpy as np

    from mcc.cli.arrays import read_arrays
    from mcc.cli.comparison import compare

    drawn = np.random.default_rng(seed).normal(size=(size, size))
    matrix = drawn if weights is None else only_array(read_arrays(weights))
    found = list(compare(card.removeprefix("devices/"), matrix, seed))
    if as_json:
        print_json({"card": card, "comparisons": [asdict(it) | {"same": it.same} for it in found]})
        return
    columns = ("error", "after", ">mean", ">there", ">deviation", ">there", ">distance", ">chance",
               "")  # fmt: skip
    rows = [
        (
            f"{it.quantity}, {it.unit}",
            "write" if it.seconds is None else f"{it.seconds:g} s",
            *(f"{value:.3g}" for value in (*it.mean, *it.deviation, it.distance, it.chance)),
            "same" if it.same else "DIFFERENT",
        )
        for it in found
    ]
    print_tables(make_table(f"{card}, here and there (AIHWKit)", columns, rows))


def only_array(arrays: Mapping[str, Array]) -> Any:
    """Return the one array of a file as float64."""
    if len(arrays) != 1:
        text = f"the file holds {len(arrays)} arrays, not one matrix"
        raise error("crossbar-weights", text, "write it with `numpy.savez(path, weights=matrix)`")
    (found,) = arrays.values()
    if found.dtype.kind not in "fiu":
        raise error("crossbar-weights", f"the weights are {found.dtype}", "give real numbers")
    return found.astype(float)
