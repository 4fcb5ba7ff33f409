"""`mcc compare`: device cards beside the models of AIHWKit, where that is installed."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mcc.backends.crossbar import targets
from mcc.cli.comparison import compare
from mcc.cli.peers import PEERS
from tests.cli.runner import Shell

WEIGHTS = np.random.default_rng(0).normal(size=(128, 96))
HAS_PEER = importlib.util.find_spec("aihwkit") is not None
with_peer = pytest.mark.skipif(not HAS_PEER, reason="AIHWKit is not installed")


def test_every_peer_is_of_a_shipped_card() -> None:
    assert {f"devices/{card}" for card in PEERS} <= set(targets.cards())


@with_peer
@pytest.mark.filterwarnings("ignore::DeprecationWarning:aihwkit")
@pytest.mark.parametrize("card", PEERS)
def test_cells_and_products_are_distributed_as_in_aihwkit(card: str) -> None:
    found = list(compare(card, WEIGHTS, seed=3))
    assert {it.quantity for it in found} == {"conductance", "product"}
    assert all(it.same for it in found)


@with_peer
def test_other_cells_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PEERS, "wan2022_aihwkit_1s", PEERS["wan2022_aihwkit_1day"])
    found = [it for it in compare("wan2022_aihwkit_1s", WEIGHTS) if it.seconds]
    assert found
    assert not any(it.same for it in found)


@pytest.mark.skipif(HAS_PEER, reason="AIHWKit is installed")
def test_a_missing_peer_is_named(shell: Shell) -> None:
    said = shell.refusal("compare", "pcm_aihwkit")
    assert said.code == "peer-missing"
    assert "pip install mcc[compare]" in said.help


def test_cards_without_a_peer_are_refused(shell: Shell) -> None:
    said = shell.refusal("compare", "milo2021")
    assert said.code == "peer-missing"
    assert "milo2021" in said.message


@pytest.mark.parametrize(
    "weights", [np.zeros(4), np.full((2, 2), np.nan), np.zeros((0, 3)), np.ones((2, 2), complex)]
)
def test_what_is_no_matrix_is_refused(weights: NDArray[Any], shell: Shell) -> None:
    np.savez(shell.folder / "w.npz", w=weights)
    said = shell.refusal("compare", "pcm_aihwkit", "--weights", shell.folder / "w.npz")
    assert said.code == "crossbar-weights"
