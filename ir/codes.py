"""Every diagnostic code with its explanation, as `mcc explain CODE` prints it."""

from __future__ import annotations

CODES: dict[str, str] = {
    "assembly-syntax": (
        "A line of assembly text is no instruction: the mnemonic, a field or its value is unknown, "
        "or a loop is not closed."
    ),
    "file-missing": "The named file does not exist or cannot be read.",
    "program-damaged": (
        "The binary form of a program is not what was written: bytes were changed, cut off or "
        "added, or it belongs to another target, other cells or other host graphs."
    ),
    "program-deadlock": (
        "The cores of a program wait for each other for ever: for semaphores that nobody posts, "
        "or for messages that nobody sends or takes."
    ),
    "program-hazard": (
        "Two instructions of a core can be in flight at the same time although one writes what "
        "the other reads or writes; the later one must wait for the unit of the earlier."
    ),
    "program-invalid": (
        "A program breaks a rule of the machine: an address outside its memory, a unit, tile or "
        "semaphore that does not exist, streams of different counts, loops that are not closed."
    ),
    "seed-invalid": "The seed of a chip instance is a whole number from 0 to 2**64 - 1.",
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
