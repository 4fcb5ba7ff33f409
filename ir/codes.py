"""Every diagnostic code with its explanation, as `mcc explain CODE` prints it."""

from __future__ import annotations

CODES: dict[str, str] = {
    "activation-not-finite": (
        "A value inside the network became infinite or not a number on the calibration data, so "
        "that no range of codes can hold it."
    ),
    "artifact-damaged": (
        "A member of a compiled file is not what was written: bytes were changed, cut off or "
        "added, or a member is missing, doubled or unknown. Nothing of it was used."
    ),
    "artifact-version": "The compiled file was written by another version of the format.",
    "assembly-syntax": (
        "A line of assembly text is no instruction: the mnemonic, a field or its value is "
        "unknown, or a loop is not closed."
    ),
    "calibration-empty": (
        "There is nothing to calibrate with: the ranges of activations are measured on data of "
        "the user, at least one sample."
    ),
    "contract-broken": (
        "A pass changed the outputs more than its contract allows. This is a bug of the pass: the"
        " report names the pass, the inputs and the output that differ."
    ),
    "file-missing": "The named file does not exist or cannot be read.",
    "host-failed": (
        "ONNX Runtime does not load or run a host graph of a program, or the graph gives tensors "
        "of other shapes or types than the program says."
    ),
    "input-dtype": "An input has another element type than the network takes.",
    "input-missing": "An input of the network is not given.",
    "input-not-finite": "An input holds infinities or something that is not a number.",
    "input-shape": "An input has another shape than the network was compiled for.",
    "left-on-host": "Something was left as it is, for the host to run, for the reason given.",
    "network-damaged": (
        "A file or text is no ONNX network: it is cut off, of another kind, or has an error of "
        "syntax."
    ),
    "no-contraction": (
        "The network multiplies by no matrix anywhere, so a crossbar has nothing to do for it."
    ),
    "operator-attribute": "An operator of the `mcc` domain lacks one of its attributes.",
    "operator-shape": "The operands of an operator of the `mcc` domain do not fit each other.",
    "opset-old": (
        "The network uses a version of the ONNX standard that is too old, and it could not be "
        "converted to a newer one."
    ),
    "option-value": (
        "The value given to an option of a pass has the wrong type or is not one of its choices."
    ),
    "pass-order": "A pass needs a network of another stage than the passes before it produce.",
    "pass-syntax": (
        "The pipeline string is not a list of passes such as `rotate,quantize{weight_bits=4}`."
    ),
    "pattern-unmatched": "A pattern of node names matches no contraction of the network.",
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
    "reference-failed": "ONNX Runtime, which judges every network, does not load or run this one.",
    "seed-invalid": "The seed of a chip instance is a whole number from 0 to 2**64 - 1.",
    "shape-unknown": "A value of the network has no static shape; the compiler needs all shapes.",
    "stage-illegal": (
        "A pass left behind a network that its stage does not allow. This is a bug of the pass."
    ),
    "target-bare-number": (
        "A value of a target file stands alone. Every number needs its unit, its source and its "
        "kind (measured, simulated, derived or assumed), so that a reader can judge it."
    ),
    "target-invalid": (
        "A value of a target is outside its bounds, is not a value of its field, or cannot be "
        "combined with another value."
    ),
    "target-missing-key": (
        "A target file leaves out something that every target must state; nothing is filled in "
        "silently."
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
    "type-unknown": "A value of the network has no element type.",
    "unknown-option": "The pass has no option of this name.",
    "unknown-pass": "There is no pass of this name; `mcc passes` lists them.",
    "value-unknown": "The network has no value of this name.",
    "weight-range": "A weight of a quantized network has more bits than its cells can hold.",
    "write-failed": (
        "A file could not be written completely, for example because the disk is full. What was "
        "there before is untouched and no partial file is left."
    ),
}
