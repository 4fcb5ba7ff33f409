"""Network to network, one rewrite a file."""

from __future__ import annotations

from collections.abc import Callable

from mcc.passes.arguments import WHOLE, format_pass, parse_pipeline
from mcc.passes.base import Pass, PassContext
from mcc.passes.certify import certify
from mcc.passes.pipeline import Hook, Outcome, Step, run_pipeline

__all__ = [
    "DEFAULT_PIPELINE",
    "PASSES",
    "Hook",
    "Outcome",
    "Pass",
    "PassContext",
    "Step",
    "certify",
    "format_pass",
    "parse_passes",
    "run_pipeline",
]

DEFAULT_PIPELINE = "canonicalize,quantize,place,tile"


def _canonicalize() -> type[Pass]:
    from mcc.passes.canonicalize import Canonicalize

    return Canonicalize


def _place() -> type[Pass]:
    from mcc.passes.place import Place

    return Place


def _quantize() -> type[Pass]:
    from mcc.passes.quantize import Quantize

    return Quantize


def _tile() -> type[Pass]:
    from mcc.passes.tile import Tile

    return Tile


PASSES: dict[str, Callable[[], type[Pass]]] = {
    "canonicalize": _canonicalize,
    "place": _place,
    "quantize": _quantize,
    "tile": _tile,
}
"""Every pass by name; the value imports and returns it."""


def parse_passes(text: str) -> list[Pass]:
    """Read a pipeline string; `default` stands for `DEFAULT_PIPELINE`."""
    return parse_pipeline(DEFAULT_PIPELINE if text.strip() == WHOLE else text, PASSES)
