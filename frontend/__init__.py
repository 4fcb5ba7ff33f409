"""Anything the user has becomes a captured network."""

from __future__ import annotations

from mcc.frontend.capture import Capture
from mcc.frontend.entry import capture
from mcc.frontend.examples import InputSpec
from mcc.frontend.samples import independent_on

__all__ = ["Capture", "InputSpec", "capture", "independent_on"]
