"""The tiny network as the files that torch writes."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from tests.cli.samples import INPUTS, OUTPUTS


def network() -> nn.Module:
    """Return a linear layer with ReLU, of random weights; its argument is called `input`."""
    return nn.Sequential(nn.Linear(INPUTS, OUTPUTS), nn.ReLU()).eval()


def save_module(path: str | Path) -> None:
    torch.save(network(), path)


def save_state(path: str | Path) -> None:
    torch.save(network().state_dict(), path)


def save_program(path: str | Path) -> None:
    exported = cast(Any, torch.export).export(network(), (torch.zeros(1, INPUTS),))
    with open(path, "wb") as file:
        cast(Any, torch.export).save(exported, file)


def save_script(path: str | Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cast(Any, torch.jit).script(network()).save(path)
