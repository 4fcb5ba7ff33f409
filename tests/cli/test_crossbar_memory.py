"""The memory of a crossbar stays within four times its conductances, inputs and outputs apart."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import resource
import numpy as np
import mcc

def peak():
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

def use(rows, cols, batch):
    random = np.random.default_rng(0)
    x, y = random.normal(size=(cols, batch)), random.normal(size=(batch, rows))
    a = mcc.Crossbar(random.normal(size=(rows, cols)), fidelity="{fidelity}")
    a @ x, y @ a, np.asarray(a)
    return a

use(8, 512, 4)
before = peak()
a = use({rows}, {cols}, {batch})
print(peak() - before, a.conductances.nbytes, 2 * 8 * {batch} * ({rows} + {cols}))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("fidelity", "rows", "cols"), [("device", 720, 1024), ("wire", 162, 512)])
def test_memory_is_bounded_by_the_conductances(fidelity: str, rows: int, cols: int) -> None:
    """At `wire` with a macro that is half full."""
    script = SCRIPT.format(fidelity=fidelity, rows=rows, cols=cols, batch=64)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    used, conductances, operands = map(int, done.stdout.split())
    assert used <= 4 * conductances + operands
