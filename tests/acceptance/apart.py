"""A module of torch, compiled in this process or in one of its own."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import nn

import mcc


def compile_torch(threads: int) -> mcc.Program:
    """Compile linear layers of sequences, the sums of which torch shares out to its threads."""
    library = cast(Any, torch)
    library.manual_seed(0)
    module = nn.Sequential(nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 8)).eval()
    examples = torch.randn(3, 6, 64)
    given = library.get_num_threads()
    library.set_num_threads(threads)
    try:
        return mcc.compile(module, (examples,), target="isaac")
    finally:
        library.set_num_threads(given)
