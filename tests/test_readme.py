"""The examples of the README run as they stand."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

README = Path(__file__).parents[1] / "README.md"


def examples() -> list[str]:
    """Return the Python of the README, in its order."""
    return re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def test_example_compiles_and_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(examples()[0], str(README), "exec"), {})
    assert int(capsys.readouterr().out) > 0


def test_example_of_a_crossbar_runs() -> None:
    found: dict[str, Any] = {}
    exec(compile(examples()[1], str(README), "exec"), found)
    weights, x = found["weights"], np.ones(128)
    assert np.abs(found["y"] - weights @ x).max() < 0.5 * np.abs(weights @ x).max()
    assert found["back"].shape == (128,)
    assert found["block"].shape == (16,)
    assert 0 < np.abs(found["error"]).max() < np.abs(weights).max()
    assert found["A"].writes == 2
