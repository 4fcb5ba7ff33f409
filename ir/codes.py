"""Every diagnostic code with its explanation, as `mcc explain CODE` prints it."""

from __future__ import annotations

CODES: dict[str, str] = {
    "file-missing": "The named file does not exist or cannot be read.",
}
