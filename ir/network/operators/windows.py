"""The geometry of convolutions, shared by their float and integer forms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, kw_only=True)
class Window:
    """How a kernel walks over the spatial axes."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    pads: tuple[int, ...]
    """All leading pads, then all trailing pads, as ONNX has them."""
    dilations: tuple[int, ...]

    def output(self, spatial: tuple[int, ...]) -> tuple[int, ...]:
        """Return the spatial shape of the result."""
        axes = len(self.kernel)
        return tuple(
            (
                spatial[axis]
                + self.pads[axis]
                + self.pads[axis + axes]
                - self.dilations[axis] * (self.kernel[axis] - 1)
                - 1
            )
            // self.strides[axis]
            + 1
            for axis in range(axes)
        )

    def consistent(self) -> bool:
        """Whether every list has one entry per axis (pads: two)."""
        axes = len(self.kernel)
        return len(self.strides) == axes == len(self.dilations) and len(self.pads) == 2 * axes


def convolution_shape(
    x: tuple[int, ...], weight: tuple[int, ...], group: int, window: Window
) -> tuple[int, ...] | str:
    """Return the shape of the convolution of `x` with `weight`, or what does not fit."""
    if len(x) != len(weight) or len(x) < 3:
        return f"x {x} and weight {weight} have different numbers of axes"
    if not window.consistent():
        return f"strides, pads or dilations do not have one entry per axis of {window.kernel}"
    if weight[1] * group != x[1] or weight[0] % group:
        return f"{group} groups of weight {weight} do not fit the {x[1]} channels of x"
    return (x[0], weight[0], *window.output(x[2:]))
