"""The memory of a chip stays within four times its conductances, inputs and outputs apart."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import mcc

SCRIPT = """
import sys
import numpy as np
import mcc

def status(key):
    with open("/proc/self/status") as lines:
        return 1024 * int(next(line for line in lines if line.startswith(key)).split()[1])

program = mcc.load(sys.argv[1])
x = np.zeros((64, 512), np.float32)
mcc.Machine(program, "exact")(x[:2])
before = status("VmRSS")
with open("/proc/self/clear_refs", "w") as marks:
    marks.write("5")  # the peak is the present size
mcc.Machine(program, "device")(x)
print(status("VmHWM") - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux")
def test_memory_is_bounded_by_the_conductances(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    network = torch.nn.Linear(512, 512).eval()
    x = torch.randn(64, 512)
    program = mcc.compile(network, (x[:1],), target="rram40nm", calibration=x)
    program.save(tmp_path / "model.mcc")
    script = [sys.executable, "-c", SCRIPT, str(tmp_path / "model.mcc")]
    done = subprocess.run(script, capture_output=True, text=True, check=True)
    conductances = 8 * 512 * 512 * 16
    assert int(done.stdout) <= 4 * conductances + 4 * x.numel() * 2
