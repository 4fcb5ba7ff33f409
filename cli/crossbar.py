"""A matrix that multiplies as the hardware does."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast, final

import numpy as np
from numpy.typing import NDArray

from mcc.cli.crossbar_inside import clipping, codes, currents
from mcc.cli.crossbar_operands import (
    as_operand,
    as_weights,
    check_place,
    float_type,
    real_parts,
)
from mcc.cli.crossbar_product import View, product, vectors_of
from mcc.cli.driver import resolve_target
from mcc.cli.machine import check_chip, check_conditions
from mcc.ir.diagnostics import MccWarning, error
from mcc.ir.hardware import Target
from mcc.ir.hardware.validity import conductance_warnings
from mcc.ir.tensors import Array
from mcc.runtime.crossbar import RealCrossbar
from mcc.runtime.devices import Conditions
from mcc.runtime.devices.conditions import condition_warnings
from mcc.runtime.devices.stuck import check_used
from mcc.runtime.fidelity import Fidelity
from mcc.runtime.operands import InputCoding, check_bits
from mcc.runtime.placement import check_room

if TYPE_CHECKING:
    from mcc.cli.crossbar_layer import CrossbarLayer

Kind = TypeVar("Kind", np.float64, np.uint8)


@final
class Crossbar:
    """A matrix whose products are those of programmed cells.

    `A @ x` multiplies vectors or matrices as NumPy does, with weights (m, n) and x (n,) or
    (..., n, k); `x @ A` and `A.T @ x` drive the other ends of the same cells. NumPy arrays in,
    NumPy arrays out; torch tensors in, torch tensors out. Complex matrices are two arrays of cells,
    real and imaginary, and complex products are made of real ones.

    Weights become codes with one scale for each output. A vector becomes codes with a scale of its
    own, of its largest magnitude; with `input_range`, or after `calibrate`, all vectors share one,
    and what lies beyond is clipped. Every product reads the cells anew: read noise is another each
    time, and the same for the same seed and the same order of products. `reset` begins that order
    again.

    `A.T`, `A.H` and `A[rows, cols]` are views of the same cells.
    """

    __array_priority__ = 1000.0
    __array_ufunc__ = None

    def __init__(
        self,
        weights: Any,
        target: str | Path | Target = "rram40nm",
        fidelity: str | Fidelity = Fidelity.WIRE,
        seed: int | None = None,
        *,
        weight_bits: int = 8,
        input_bits: int = 8,
        input_range: tuple[float, float] | None = None,
        threads: int = 2,
        device: str | Path | None = None,
        first_macro: int = 0,
        stuck: Mapping[tuple[int, int], NDArray[np.uint8]] | None = None,
        overrides: Mapping[str, str | float] | None = None,
        **fields: str | float,
    ) -> None:
        """Program a matrix into one chip.

        States beyond the conductances of the device model give an `MccWarning`.

        Args:
            weights: Real or complex, (m, n).
            target: A shipped name, a path, or a target.
            fidelity: How much of the physics to include.
            seed: The chip instance; 0 if None. At `exact` and `converter` all chips are the same.
            weight_bits: Width of a weight's code, sign included: 2 to 8.
            input_bits: Width of an input's code, sign included: 2 to 8.
            input_range: Smallest and largest element of x in `A @ x`.
            threads: Threads to compute with; the results do not depend on it.
            device: A device card that replaces the cell of a target that is named.
            first_macro: Where the matrix begins, counted through the cores. Matrices in the same
                macros of the same chip have the same errors: give those that work together places
                side by side.
            stuck: Measured maps of stuck cells by core and macro (from `first_macro` on), at
                `device` and `wire`: uint8 (rows, cols) of 0 free, 1 stuck low, 2 stuck high. The
                other macros have theirs drawn.
            overrides: Values of the target to replace, by dotted path: `{"macro.adc.bits": 6}`.
            fields: The same by name: `macro__adc__bits=6`.

        Raises:
            MccError: `crossbar-weights`, `crossbar-size`, `option-value`, `seed-invalid`,
                `stuck-map`, or what is wrong with the target.
        """
        check_chip(fidelity, seed, threads)
        check_conditions(Fidelity(fidelity), Conditions(), stuck)
        check_bits("weight_bits", weight_bits)
        check_place(first_macro)
        chip = resolve_target(target, _overrides(overrides or {}, fields), device)
        shape = getattr(weights, "shape", ())
        if len(shape) == 2:  # before anything as large as the matrix is made
            check_room((int(shape[1]), int(shape[0])), chip, weight_bits, first_macro)
        matrix = as_weights(weights)
        if Fidelity(fidelity).real_cells:
            for finding in conductance_warnings(chip.cell):
                warnings.warn(str(finding), MccWarning, stacklevel=2)
        self._dtype = float_type(matrix.dtype)
        self._parts: list[RealCrossbar] = []
        for part in real_parts(matrix):
            crossbar = RealCrossbar(
                part,
                chip,
                Fidelity(fidelity),
                seed=seed or 0,
                weight_bits=weight_bits,
                coding=InputCoding(input_bits, input_range),
                threads=threads,
                first_macro=first_macro + sum(len(it.placed.images) for it in self._parts),
                stuck=stuck,
            )
            self._parts.append(crossbar)
        check_used(stuck or (), set[tuple[int, int]]().union(*(it.places for it in self._parts)))
        rows, cols = self._parts[0].shape
        self._view = View(np.arange(rows, dtype=np.intp), np.arange(cols, dtype=np.intp))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self._view.shape

    @property
    def ndim(self) -> int:
        """Number of axes: 2."""
        return 2

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the weights; float64 for integers."""
        return self._dtype

    @property
    def target(self) -> Target:
        """The chip."""
        return self._parts[0].target

    @property
    def macros(self) -> int:
        """How many macros of the chip the whole matrix takes."""
        return sum(len(part.places) for part in self._parts)

    @property
    def fidelity(self) -> Fidelity:
        """How much of the physics is included."""
        return self._parts[0].fidelity

    @property
    def seed(self) -> int:
        """The chip instance."""
        return self._parts[0].seed

    @property
    def writes(self) -> int:
        """How often the cells were written."""
        return self._parts[0].writes

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        (rows, cols), macro = self.shape, self.target.macro
        count = "1 macro" if self.macros == 1 else f"{self.macros} macros"
        part = "" if self._view.is_whole(self._parts[0].shape) else "part of "
        return (
            f"<mcc.Crossbar {rows} x {cols} {self.dtype} at {self.fidelity}, seed {self.seed}: "
            f"{part}{count} of {macro.rows} x {macro.cols} cells, {self.target.name}>"
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """Return the matrix by which the cells multiply on average.

        It is that between ideal drivers and converters; at `wire` with what the lines take away.
        Where products are no matrix, it is that of full drive: of cells with a law of current, what
        they carry for the highest digit, by that digit; of cells with source lines, what they carry
        while all rows of their group are open.
        """
        if copy is False:
            raise ValueError("the matrix is computed from the cells: it cannot be given uncopied")
        real, *imaginary = (part.effective() for part in self._parts)
        whole = real + 1j * imaginary[0] if imaginary else real
        return np.ascontiguousarray(self._view.of(whole), dtype=dtype or self.dtype)

    @property
    def T(self) -> Crossbar:
        """The transposed matrix: the same cells, driven at their other ends."""
        return self._of(self._view.turned)

    @property
    def H(self) -> Crossbar:
        """The conjugate of the transposed matrix, of the same cells."""
        return self._of(replace(self._view.turned, conjugate=not self._view.conjugate))

    def __getitem__(self, key: Any) -> Crossbar:
        """Return a block of the same cells: `A[rows, cols]` with slices; others stay undriven."""
        items = cast(tuple[Any, ...], key if isinstance(key, tuple) else (key,))
        if not all(isinstance(it, slice) for it in items) or not 1 <= len(items) <= 2:
            help = "write `A[2:3]` for one row, `np.asarray(A)[2]` for its weights"
            raise error("crossbar-view", f"a block is named by slices, not by `{key}`", help)
        rows, cols = cast(tuple[slice, slice], (*items, slice(None))[:2])
        return self._of(self._view.block(rows, cols))

    def __matmul__(self, operand: Any) -> Any:
        """Return `A @ x` for x (n,) or (..., n, k)."""
        if isinstance(operand, Crossbar):
            help = "write `A @ (B @ x)`, or multiply with the weights of one: `np.asarray(B)`"
            raise error("crossbar-input", "the operand is programmed into cells itself", help)
        return product(self._parts, self._view, operand, self.dtype, left=False)

    def __rmatmul__(self, operand: Any) -> Any:
        """Return `x @ A` for x (m,) or (..., k, m)."""
        return product(self._parts, self._view.turned, operand, self.dtype, left=True)

    def calibrate(self, x: Any) -> Crossbar:
        """Fix the range of inputs to that of typical ones, shaped as for `A @ x`.

        Where the target's policy is `calibrated`, the converters take the step with the least error
        on them. `A.T` is calibrated on its own, by `A.T.calibrate(y)`.
        """
        vectors = vectors_of(as_operand(x), self._view, left=False)
        if not len(vectors):
            raise error("calibration-empty", "there is no vector", "give at least one")
        together = np.concatenate(real_parts(vectors))
        for part in self._parts:
            part.calibrate(together, self._view.transposed, self._view.driven)
        return self

    def program(self, weights: Any = None) -> Crossbar:
        """Write all cells again, with errors of their own: new weights, or the same ones."""
        self._check_whole("programmed")
        matrix = None if weights is None else as_weights(weights)
        if matrix is not None and matrix.shape != self.shape:
            sizes = "x".join(map(str, matrix.shape)), "x".join(map(str, self.shape))
            message = f"the weights are {sizes[0]}, the crossbar is {sizes[1]}"
            raise error("crossbar-weights", message, "make another crossbar for another shape")
        if matrix is not None and (matrix.dtype.kind == "c") != (len(self._parts) == 2):
            message = "real and complex weights take other cells"
            raise error("crossbar-weights", message, "make another crossbar for them")
        pieces = [None] * len(self._parts) if matrix is None else real_parts(matrix)
        for part, piece in zip(self._parts, pieces, strict=True):
            part.program(piece)
        return self

    def age(self, seconds: float, kelvin: float | None = None) -> Crossbar:
        """Read the cells from now on as they are some time after programming.

        Times are absolute: `age(0)` finds them young again, and so does `program`.

        Args:
            seconds: Time since programming; a time or temperature beyond the range of the device
                model gives an `MccWarning`.
            kelvin: Temperature since then; the reference of the device if None.

        Raises:
            MccError: `conditions`, or `option-value` at fidelities with ideal cells.
        """
        self._check_whole("aged")
        conditions = Conditions(seconds=seconds, kelvin=kelvin)
        check_conditions(self.fidelity, conditions, None)
        for finding in condition_warnings(conditions, self.target.cell):
            warnings.warn(str(finding), MccWarning, stacklevel=2)
        for part in self._parts:
            part.age(conditions)
        return self

    def reset(self) -> Crossbar:
        """Begin the order of reads again: the next products meet the noise of the first ones."""
        for part in self._parts:
            part.rewind()
        return self

    @property
    def conductances(self) -> NDArray[np.float64]:
        """Conductances of the cells in siemens: (word lines, bit lines).

        Inputs are word lines; each output takes several bit lines. Complex: (2, ...), the real
        and the imaginary array.
        """
        self._check_whole("shown")
        return _stacked([part.conductances() for part in self._parts])

    @property
    def stuck(self) -> NDArray[np.uint8]:
        """Which cells are stuck or worn out, shaped as `conductances`: 0 free, 1 low, 2 high."""
        self._check_whole("shown")
        return _stacked([part.stuck() for part in self._parts])

    @property
    def step(self) -> int | tuple[int, int]:
        """What one converter code is worth, in units of one digit product; 1 at `exact`.

        Of a complex matrix, in the real and in the imaginary array.
        """
        found = [part.step(self._view.transposed) for part in self._parts]
        return found[0] if len(found) == 1 else (found[0], found[1])

    def currents(self, x: Any) -> NDArray[np.float64]:
        """Return the mean currents of all lines that are sensed in amperes, before any converter.

        The highest digit drives `wires.read_volt`. With pulse widths: the currents of all pulses of
        a digit; of an interleaved pair: the two it subtracts.

        Args:
            x: Vectors, (n,) or (n, k).

        Returns:
            (k, row groups, phases, bit lines); for (n,) without the first axis. Of `A.T`, which
            drives the bit lines of a weight in turn: (k, groups, phases, turns, word lines).
            Complex matrices have an axis of 2 before these, and then complex vectors.
        """
        return currents(self._parts, self._view, x)

    def codes(self, x: Any) -> NDArray[np.int32]:
        """Return the code of every conversion, each as a read of its own.

        That is `row groups * conversions * sums` numbers for each element of the product: meant for
        few vectors. At `exact` they are the sums, in units of one digit product.

        Args:
            x: Vectors, (n,) or (n, k).

        Returns:
            (k, row groups, conversions, sums, m); for (n,) without the first axis. An input has a
            conversion for each phase, or one where charges are added up over all; a weight has a
            sum for each slice, or two where the columns of a pair are converted one by one. Codes
            of flipped columns are those of the complements that they hold. Of `A.T` there is a sum
            for each bit line of a weight, and two with column flip: of plain columns and of
            complements. Complex matrices have an axis of 2 before these, and then complex vectors.
        """
        return codes(self._parts, self._view, x)

    def clipping(self, x: Any) -> float:
        """Return the fraction of conversions of `A @ x` at an end of the converters' range.

        The code 0 of converters without sign is not counted: it stands for no current.
        """
        return clipping(self._parts, self._view, x)

    def layer(self, bias: Any = None, device: Any = None) -> CrossbarLayer:
        """Return a torch module that multiplies with these cells and has gradients.

        Args:
            bias: What is added to every product, (m,); nothing if None.
            device: Where it computes; the CPU if None.
        """
        from mcc.cli.crossbar_layer import CrossbarLayer

        self._check_whole("made a layer")
        if len(self._parts) == 2:
            message = "a layer is of one array of cells, and a complex matrix has two"
            raise error("crossbar-view", message, "make crossbars of `w.real` and `w.imag`")
        return CrossbarLayer(self._parts[0], bias, device)

    def _of(self, view: View) -> Crossbar:
        """Return another view of the same cells."""
        other = object.__new__(Crossbar)
        other._dtype, other._parts, other._view = self._dtype, self._parts, view
        return other

    def _check_whole(self, done: str) -> None:
        if not self._view.is_whole(self._parts[0].shape):
            help = "use the crossbar that the view was taken of"
            raise error("crossbar-view", f"a view cannot be {done} by itself", help)


def _stacked(tables: list[NDArray[Kind]]) -> NDArray[Kind]:
    """Return the table of the one array of cells, or those of both (2, ...)."""
    return tables[0] if len(tables) == 1 else np.stack(tables)


def _overrides(
    paths: Mapping[str, str | float], names: Mapping[str, str | float]
) -> dict[str, str | float]:
    """Return the values to replace by dotted path; names have `__` for the dots."""
    named = {name.replace("__", "."): value for name, value in names.items()}
    twice = sorted(named.keys() & paths.keys())
    if twice:
        raise error("option-value", f"`{twice[0]}` is given twice", "give it once")
    return {**paths, **named}
