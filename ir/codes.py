"""Every diagnostic code with its explanation, as `mcc explain CODE` prints it."""

from __future__ import annotations

CODES: dict[str, str] = {
    "file-missing": "The named file does not exist or cannot be read.",
    "target-bare-number": (
        "A value of a target file stands alone. Every number needs its unit, its source and "
        "its kind (measured, simulated, derived or assumed), so that a reader can judge it."
    ),
    "target-invalid": (
        "A value of a target is outside its bounds, is not a value of its field, or cannot be "
        "combined with another value."
    ),
    "target-missing-key": (
        "A target file leaves out something that every target must state; nothing is filled "
        "in silently."
    ),
    "target-syntax": (
        "A target file is not YAML, repeats a key, or uses a construct that target files do "
        "without."
    ),
    "target-unit": (
        "A number of a target file has a unit that does not measure what its field means."
    ),
    "target-unknown": (
        "No target is shipped under this name, or the file that a target extends is not found."
    ),
    "target-unknown-key": (
        "A target file or an override names a field that the hardware language does not have."
    ),
    "weight-range": "A weight of a quantized network has more bits than its cells can hold.",
}
