"""Numbers as the terminal shows them."""

from __future__ import annotations

import pytest

from mcc.cli.console import engineering, make_table, print_diagnostics, print_tables
from mcc.ir.diagnostics import Diagnostic, Location

NAME = "a\x1b[31m\nerror[usage]: b\u202eé"
SHOWN = r"a\x1b[31m\nerror[usage]: b\u202eé"


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


def test_names_neither_break_lines_nor_rule_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_diagnostics([Diagnostic("usage", NAME, NAME, Location(NAME))])
    assert capsys.readouterr().err == f"{SHOWN}: error[usage]: {SHOWN}\n  help: {SHOWN}\n"
    print_tables(make_table("", ("name",), [("\x1b[31mred\ntwo",)]))
    assert r"\x1b[31mred" in capsys.readouterr().out
