"""A network is mapped for one chip; no other gets a program from it."""

from __future__ import annotations

from typing import Any

import pytest

from mcc.backends.crossbar.generate import generate
from mcc.ir.diagnostics import MccError
from mcc.ir.hardware import Target
from mcc.ir.network import Network, destination_of, from_bytes, to_bytes
from tests.canonical_networks import constant, model
from tests.mapped_networks import chip, mapped


def layer() -> Network:
    weight = constant("w", 12, 5)
    return model("float[1,12] x", "float[1,5] y", weight, "y = MatMul (x, w)")


def refusal(network: Network, target: Target) -> str:
    with pytest.raises(MccError, match=r"\[target-mismatch\]") as caught:
        generate(network, target)
    return caught.value.diagnostics[0].message


def test_the_chip_is_recorded_and_stays_in_the_file() -> None:
    target = chip("isaac")
    network = from_bytes(to_bytes(mapped(layer(), target)))
    found = destination_of(network)
    assert found is not None
    assert (found.name, found.digest) == ("isaac", target.digest())
    generate(network, target)


def test_another_chip_is_refused() -> None:
    message = refusal(mapped(layer(), chip("isaac")), chip("rram40nm"))
    assert message == "the network was mapped for `isaac`, not for `rram40nm` as it is here"


@pytest.mark.parametrize("changes", [{"macro__rows": 256}, {"macro__adc__bits": 7}])
def test_the_same_chip_with_other_values_is_refused(changes: dict[str, Any]) -> None:
    message = refusal(mapped(layer(), chip()), chip(**changes))
    assert "mapped for `rram40nm` with other values" in message


def test_a_network_that_names_no_chip_is_refused() -> None:
    network = mapped(layer(), chip())
    del network.metadata_props["mcc.target"]
    assert "mapped for no target" in refusal(network, chip())
