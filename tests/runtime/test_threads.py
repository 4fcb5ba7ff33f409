"""What the threads of the kernels leave behind."""

from __future__ import annotations

import os

import numpy as np
import pytest

from mcc.runtime.wires.circuit import Wires
from mcc.runtime.wires.nodes import solve_linear


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="processors are named on Linux")
def test_the_caller_may_run_where_it_could_before() -> None:
    """Threads that end before they are sent to other processors do not send their creator."""
    before = os.sched_getaffinity(0)
    cells = np.full((512, 64), 1e-5)
    for _ in range(50):
        solve_linear(cells, Wires(1.0, 1.0), np.ones(512), threads=8)
    assert os.sched_getaffinity(0) == before
