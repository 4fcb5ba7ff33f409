"""The device models of AIHWKit that stand for the same publications as our device cards."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from mcc.ir.diagnostics import error, nearest

HOUR, DAY = 3600.0, 86400.0


@final
@dataclass(frozen=True)
class Peer:
    """A noise model of AIHWKit."""

    name: str
    """Its class in `aihwkit.inference`."""
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    seconds: tuple[float, ...] = ()
    """Times after programming at which both models describe the cells; () for the write alone."""
    clock: float = 0.0
    """Time after programming at which the clock of AIHWKit starts."""

    def model(self, seed: int) -> Any:
        """Return the model; it draws from torch's generator, which is seeded.

        Raises:
            MccError: `peer-missing`, where AIHWKit is not installed.
        """
        try:
            inference = importlib.import_module("aihwkit.inference")
            torch = importlib.import_module("torch")
        except ImportError as problem:
            text = f"AIHWKit cannot be imported: {problem}"
            help = "`pip install mcc[compare]` installs it beside mcc, built from source"
            raise error("peer-missing", text, help) from problem
        torch.manual_seed(seed)
        return getattr(inference, self.name)(**self.options)


_WAN = "ReRamWan2022NoiseModel"
PEERS: dict[str, Peer] = {
    "cmo_hfox": Peer("ReRamCMONoiseModel", {"g_max": 1e9, "g_min": 0.0, "acceptance_range": 0.2},
                     (HOUR, 30 * DAY)),
    "cmo_hfox_2percent": Peer(
        "ReRamCMONoiseModel", {"g_max": 1e9, "g_min": 0.0, "acceptance_range": 2}, (HOUR, 30 * DAY)
    ),
    "pcm_aihwkit": Peer("PCMLikeNoiseModel", {"g_max": 25.0}, (HOUR, 30 * DAY), clock=20.0),
    "pcm_hermes_1": Peer("HermesNoiseModel", {"num_devices": 1}),
    "pcm_hermes_2": Peer("HermesNoiseModel", {"num_devices": 2}),
    "wan2022_aihwkit_1s": Peer(_WAN, {"g_max": 40.0}, (1.0,)),
    "wan2022_aihwkit_1day": Peer(_WAN, {"g_max": 40.0}, (DAY,)),
    "wan2022_aihwkit_2days": Peer(_WAN, {"g_max": 40.0}, (2 * DAY,)),
}  # fmt: skip
"""By device card. AIHWKit cuts CMO/HfOx cells off at both ends of their range; our card does not:
the ends are opened."""


def peer_of(card: str) -> Peer:
    """Return the model that a device card is compared with.

    Raises:
        MccError: `peer-missing`, where there is none.
    """
    if card not in PEERS:
        text = f"AIHWKit has no model of the device card `{card}`"
        raise error("peer-missing", text, nearest(card, PEERS))
    return PEERS[card]


@final
class PeerCells:
    """Cells that AIHWKit writes and reads."""

    def __init__(self, peer: Peer, targets: NDArray[np.float64], seed: int) -> None:
        """Write targets (rows, cols), in siemens."""
        torch = importlib.import_module("torch")
        self._peer, self._model = peer, peer.model(seed)
        micro = torch.as_tensor(targets * 1e6, dtype=torch.float64)
        self._written = self._model.apply_programming_noise_to_conductance(micro)
        self._own = self._model.generate_drift_coefficients(micro)

    @property
    def written(self) -> NDArray[np.float64]:
        """Conductances after the write, in siemens."""
        return self._written.numpy() * 1e-6

    def read(self, seconds: float) -> NDArray[np.float64]:
        """Return one read of every cell at a time after programming, in siemens."""
        moment = seconds - self._peer.clock
        read = self._model.apply_drift_noise_to_conductance(self._written, self._own, moment)
        return read.numpy() * 1e-6
