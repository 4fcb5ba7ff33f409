"""Every network of the acceptance tests, from its source to a file that proves itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mcc
from tests.acceptance import networks
from tests.acceptance.networks import Source, build

TARGETS = ("rram40nm", "isaac")


def cases() -> list[Any]:
    """Every network on every target; on one of the two, by turns, where time is short."""
    found: list[Any] = []
    for index, make in enumerate((*networks.SMALL, *networks.TRAINED)):
        for turn, target in enumerate(TARGETS):
            slow = make in networks.TRAINED[1:] or (index + turn) % len(TARGETS)
            marks = [pytest.mark.slow] if slow else []
            found.append(pytest.param(make, target, id=f"{make.__name__}-{target}", marks=marks))
    return found


@pytest.mark.parametrize(("make", "target"), cases())
def test_the_file_proves_every_pass_and_the_program(
    make: Callable[[], Source], target: str, tmp_path: Path
) -> None:
    source = build(make)
    made = mcc.compile(source.module, source.args, kwargs=source.kwargs or None, target=target)
    made.save(tmp_path / "model.mcc")
    program = mcc.load(tmp_path / "model.mcc")
    passes = str(program.artifact.provenance["passes"]).split(",")
    assert [it.subject for it in program.certificates] == ["capture", *passes, "program"]
    checks = program.verify()
    assert not [check for check in checks if not check.passed]
    assert {f"pass {name}" for name in passes} <= {check.name for check in checks}
    recorded = {check.name for check in checks if check.recorded}
    assert recorded == {"capture", "provenance", "signature", "calibration"}
