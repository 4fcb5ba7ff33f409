"""What begins a kernel: the operation whose result its fused nodes then work on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import onnx_ir as ir

from mcc.backends.crossbar.strips import Axis
from mcc.backends.crossbar.writer import Local, Writer


class Head(ABC):
    """Makes a strip of the first value of a kernel in local memory."""

    @property
    @abstractmethod
    def frame(self) -> tuple[int, ...]:
        """Shape of the result; at least one dimension."""

    @property
    def units(self) -> tuple[int, ...]:
        """Per dimension, of what a strip is a multiple; 0 where strips must not cut."""
        return (1,) * len(self.frame)

    @property
    def axes(self) -> Mapping[int, Axis]:
        """Dimensions along which strips read overlapping or padded parts of a source."""
        return {}

    def prepare(self, writer: Writer) -> None:
        """Write what is done once, before all strips; by default nothing."""
        return

    def open(self, writer: Writer) -> None:
        """Write what is done once for the strips of one run, before its loops; often nothing."""
        return

    @abstractmethod
    def write(self, writer: Writer) -> Mapping[ir.Value, Local] | None:
        """Make the current strip; None where it is handed on and nothing is left to do here."""
