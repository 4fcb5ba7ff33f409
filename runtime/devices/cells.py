"""The cells of one macro, from their states to what a read finds."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.diagnostics import error
from mcc.ir.hardware import Cell
from mcc.ir.hardware.significance import largest_digit
from mcc.runtime.devices.conditions import NOW, Conditions
from mcc.runtime.devices.drift import (
    drifted,
    drifts,
    exponent_moments,
    shift_moments,
    shift_variance,
)
from mcc.runtime.devices.endurance import failed_cells
from mcc.runtime.devices.flicker import flicker_sigma
from mcc.runtime.devices.states import target_siemens
from mcc.runtime.devices.stuck import Stuck, checked_map, drawn_map, hold
from mcc.runtime.devices.temperature import acceleration, at_kelvin
from mcc.runtime.devices.variation import correlated_field
from mcc.runtime.devices.walk import walked
from mcc.runtime.devices.write import write_sigma, written
from mcc.runtime.random import MacroPlace, Purpose, event_at, normal_numbers


@final
class Read:
    """What reads of some cells find, in siemens."""

    def __init__(
        self, siemens: NDArray[np.float64], sigma: NDArray[np.float64] | float | None
    ) -> None:
        """Take means (rows, cols) and what they scatter by.

        Args:
            siemens: Mean conductance of every cell (rows, cols).
            sigma: Its standard deviation from read to read (rows, cols); a number is relative to
                the conductance; None without read noise.
        """
        self.siemens = siemens
        """Mean conductance of every cell (rows, cols)."""
        self.spread = sigma
        """The standard deviation as it was given."""

    @property
    def sigma(self) -> NDArray[np.float64] | None:
        """Standard deviation of every cell (rows, cols); None without read noise."""
        if self.spread is None or isinstance(self.spread, np.ndarray):
            return self.spread
        return self.siemens * self.spread

    def __getitem__(self, key: Any) -> Read:
        """Return some of the cells."""
        return self.map(lambda table: table[key])

    @property
    def T(self) -> Read:
        """The same cells, rows for columns."""
        return self.map(np.transpose)

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""
        return self.siemens.shape

    def map(self, change: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Read:
        """Return the cells in another order or form."""
        spread = self.spread
        return Read(
            change(self.siemens), change(spread) if isinstance(spread, np.ndarray) else spread
        )


@final
class Cells:
    """The cells of a macro after one write: the same for the same arguments.

    A cell takes its target plus the error of the write, never below 0, then the variation of the
    device, and not below 0 either; stuck and failed cells take their lowest or highest conductance.
    """

    def __init__(
        self,
        states: NDArray[np.uint8],
        cell: Cell,
        place: MacroPlace,
        *,
        image: int = 0,
        earlier: int = 0,
        cycles: int = 0,
        stuck: NDArray[np.uint8] | None = None,
        threads: int = 1,
    ) -> None:
        """Write states (rows, cols).

        Args:
            states: Target state of every cell.
            cell: The device.
            place: Which macro of which chip.
            image: Index of the image that is written.
            earlier: How often the macro was written before, within the run.
            cycles: How often it was written before the run.
            stuck: A measured map of stuck cells (rows, cols), instead of one that is drawn.
            threads: Threads to draw with.

        Raises:
            MccError: `stuck-map`, if the map does not fit.
        """
        self._cell, self._place, self._write = cell, place, (image, earlier)
        self._threads = threads
        self._states = states
        self._table = target_siemens(np.arange(largest_digit(cell) + 1, dtype=np.uint8), cell)
        shape = (states.shape[0], states.shape[1])
        fixed = drawn_map(shape, cell, place) if stuck is None else checked_map(stuck, shape)
        if cell.endurance_shape:
            failed = failed_cells(shape, cycles + earlier + 1, cell, place)
            fixed[failed & (fixed == Stuck.FREE)] = Stuck.LOW
        self.stuck = fixed
        """Map of stuck and failed cells (rows, cols): 0 free, 1 low, 2 high."""
        self.written = self._written()
        """Conductance of every cell after the write (rows, cols), in siemens."""

    def read(self, conditions: Conditions = NOW) -> Read:
        """Return what reads find under conditions; their `cycles` count at the write only."""
        cell = self._cell
        law, kelvin = cell.temperature, conditions.kelvin
        kelvin = law.reference_kelvin if kelvin is None else kelvin
        seconds = max(float(conditions.seconds), cell.start_seconds)
        elapsed = conditions.seconds * acceleration(kelvin, law) / cell.start_seconds
        aged = self._aged(max(elapsed, 1.0))
        found = self._flickered(at_kelvin(aged, kelvin, law), seconds)
        return Read(found, float(cell.read_noise) or None)

    def _written(self) -> NDArray[np.float64]:
        """Draw what is written; what depends on the target alone is worked out once per state."""
        cell, (image, earlier) = self._cell, self._write
        sigma = write_sigma(self._table, cell)
        found = written(
            self._states, self._table, sigma, self._place, image, earlier, self._threads
        )
        variation = cell.variation
        if variation.fraction:
            field = correlated_field(found.shape, variation.correlation_cells, self._place)
            found += self._table[self._states] * (variation.fraction * field)
            np.maximum(found, 0, out=found)
        hold(found, self.stuck, cell)
        return found

    def _aged(self, elapsed: float) -> NDArray[np.float64]:
        """Return the conductances when `elapsed` times the start has passed; stuck cells stay."""
        cell, found = self._cell, self.written
        if elapsed > 1 and drifts(cell.drift):
            means, spreads = exponent_moments(self._table, cell.drift)
            normals = self._normals(Purpose.DRIFT, 0, 0)
            exponents = np.abs(means[self._states] + spreads[self._states] * normals)
            found = drifted(found, exponents, elapsed)
        mean, spread = shift_moments(cell.relaxation, elapsed)
        if mean or spread:
            found = found + mean + self._relaxation(math.log(elapsed))
        if found is self.written:
            return found
        found = np.maximum(found, 0)
        hold(found, self.stuck, cell)
        return found

    def _relaxation(self, logarithm: float) -> NDArray[np.float64]:
        """Return the shifts about their mean at a time whose ratio to the start has a logarithm."""
        image, earlier = self._write

        def normals(moment: float) -> NDArray[np.float64]:
            return self._normals(Purpose.RELAXATION, image, event_at(earlier, moment))

        return walked(logarithm, partial(shift_variance, self._cell.relaxation), normals)

    def _flickered(self, found: NDArray[np.float64], seconds: float) -> NDArray[np.float64]:
        """Return the conductances with the 1/f noise of a time; stuck cells have none."""
        sigma = flicker_sigma(found, self.written, seconds, self._cell)
        if sigma is None:
            return found
        image, earlier = self._write
        noise = sigma * self._normals(Purpose.FLICKER, image, event_at(earlier, seconds))
        return np.where(self.stuck, found, np.maximum(found + noise, 0))

    def _normals(self, purpose: Purpose, image: int, event: int) -> NDArray[np.float64]:
        shape = self.written.shape
        numbers = normal_numbers(self._place, purpose, shape, item=image, event=event)
        return numbers.astype(np.float64)


def check_siemens(conductances: NDArray[np.float64]) -> None:
    """Refuse conductances that no cell can have.

    Raises:
        MccError: `conductance`, for a negative number or what is none.
    """
    wrong = ~(np.isfinite(conductances) & (conductances >= 0))
    if wrong.any():
        place = tuple(int(index) for index in np.argwhere(wrong)[0])
        text = f"the conductance of cell {place} is {conductances[place]:g} S"
        raise error("conductance", text, "give siemens, 0 or more")
