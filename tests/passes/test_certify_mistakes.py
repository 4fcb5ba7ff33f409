"""Mistakes planted in canonical networks are found, where much of the output cancels as well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import onnx_ir as ir
import pytest

from mcc.ir.diagnostics import MccError
from mcc.ir.network import Array, Contract, Network, Stage, from_text, shape_of
from mcc.passes import Pass, PassContext, run_pipeline
from mcc.passes.canonicalize import Canonicalize
from tests.canonical_networks import constant

NORMED = f"""<ir_version: 10, opset_import: ["" : 20]>
g (float[1,4,8] x) => (float[1,4,6] y) <{constant("w", 4, 4, 3)}, {constant("s", 4, seed=1)},
{constant("m", 4, seed=2)}, float[4] q = {{1,2,3,0.5}}> {{
    c = Conv(x, w) y = BatchNormalization(c, s, s, m, q) }}"""


def planted(text: str, change: Callable[[Network], None]) -> None:
    """Canonicalize `text`, then change the result behind the pass's back."""

    @final
    @dataclass(frozen=True)
    class Wrong(Pass):
        """Makes a mistake."""

        name: ClassVar[str] = "wrong"
        contract: ClassVar[Contract] = Contract.BOUNDED
        from_stage: ClassVar[Stage] = Stage.CAPTURED
        to_stage: ClassVar[Stage] = Stage.CANONICAL

        def run(self, network: Network, context: PassContext) -> Network:
            result = Canonicalize().run(network, context)
            change(result)
            return result

    network = from_text(text)
    feeds = {"x": np.random.default_rng(0).normal(size=(1, 4, 8)).astype(np.float32)}
    run_pipeline(network, [Wrong()], PassContext(calibration=(feeds,)))


CENTRED = f"""<ir_version: 10, opset_import: ["" : 20]>
g (float[1,4,8] x) => (float[1,4,6] y) <{constant("w", 8, 6)}, {constant("b", 6, seed=1)},
int64[1] a = {{1}}> {{
    p = MatMul(x, w) h = Add(p, b) m = ReduceMean(h, a) y = Sub(h, m) }}"""
"""A network whose outputs are what is left of cancelled sums; nothing is left for zeros."""


def edit(suffix: str, change: Callable[[Array], Array]) -> Callable[[Network], None]:
    """Change the largest constant whose name ends so."""

    def run(network: Network) -> None:
        found = [item for item in network.graph.initializers.items() if item[0].endswith(suffix)]
        name, value = max(found, key=lambda item: shape_of(item[1]))
        assert value.const_value is not None
        changed = change(value.const_value.numpy()).astype(np.float32)
        value.const_value = ir.tensor(changed, name=name)

    return run


def one_off(array: Array) -> Array:
    """Change one number by a thousandth of itself."""
    changed = array.copy()
    changed.flat[5] *= 1.001
    return changed


def without_epsilon(array: Array) -> Array:
    """Fold the batch norm as if its epsilon were not 1e-5 but zero."""
    variance = np.array([1, 2, 3, 0.5]).reshape(-1, *[1] * (array.ndim - 1))
    return array * np.sqrt((variance + 1e-5) / variance)


def slightly_more(array: Array) -> Array:
    return array * 1.0001


def swapped(array: Array) -> Array:
    """Swap the channels of a kernel, or the columns of a matrix."""
    return array[::-1].copy() if array.ndim > 2 else array[:, ::-1].copy()


MISTAKES: list[tuple[str, str, Callable[[Array], Array]]] = [
    (NORMED, "bias", slightly_more),
    (NORMED, "", one_off),
    (NORMED, "", swapped),
    (NORMED, "", without_epsilon),
    (CENTRED, "", one_off),
    (CENTRED, "", swapped),
]


@pytest.mark.parametrize("text", [NORMED, CENTRED])
def test_what_is_right_is_certified(text: str) -> None:
    planted(text, lambda _: None)


@pytest.mark.parametrize(("text", "constant", "change"), MISTAKES)
def test_small_mistakes_are_found(
    text: str, constant: str, change: Callable[[Array], Array]
) -> None:
    with pytest.raises(MccError, match="contract-broken"):
        planted(text, edit(constant, change))
