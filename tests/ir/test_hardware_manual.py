"""The reference of target files is complete and fresh."""

from __future__ import annotations

from pathlib import Path

from mcc.ir.hardware.fields import leaves
from mcc.ir.hardware.manual import field_meanings, manual

PAGE = Path(__file__).parents[2] / "docs" / "hardware.md"


def test_every_leaf_has_a_meaning_and_a_row() -> None:
    meanings, text = field_meanings(), manual()
    for leaf in leaves().values():
        assert meanings[leaf.owner, leaf.path.rpartition(".")[2]].endswith((".", ")"))
        assert f"| `{leaf.path}` |" in text


def test_page_is_fresh() -> None:
    assert PAGE.read_text() == manual(), "run: python -m mcc.ir.hardware.manual > docs/hardware.md"
