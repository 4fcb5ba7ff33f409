"""Numbers as the terminal shows them."""

from __future__ import annotations

import pytest

from mcc.cli.console import engineering


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "1", "no limit"),
        (1234567, "cycle", "1,234,567"),
        (1.25, "1", "1.25"),
        (0.0, "J", "0 J"),
        (3.83e-6, "s", "3.83 us"),
        (1.6e-5, "m2", "16 mm2"),
        (10e9, "op/s", "10 Gop/s"),
        (4310.2, "1/s", "4,310 /s"),
        (261_096.6, "1/s", "261,100 /s"),
        (12.345, "1/s", "12.35 /s"),
        (0.0, "1/s", "0 /s"),
    ],
)
def test_numbers_have_the_prefix_of_their_unit_and_rates_have_none(
    value: float | None, unit: str, text: str
) -> None:
    assert engineering(value, unit) == text
