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
    "budget-missed": (
        "A lossy pass changed the outputs more than the budget that was given to it."
    ),
    "buffer-too-small": (
        "The tensors that a network needs at the same time, with its constants, are larger "
        "than the buffer of the chip."
    ),
    "cache-off": (
        "A transformers model keeps keys and values for its next call; the compiled network "
        "computes them anew."
    ),
    "calibration-default": (
        "No calibration data were given; scales come from the example inputs, or from made-up ones."
    ),
    "calibration-empty": (
        "There is nothing to calibrate with: the ranges of activations are measured on data of "
        "the user, at least one sample."
    ),
    "capture-differs": (
        "The captured network does not give what the original gives on the example inputs, so "
        "that it is not the network that was asked for."
    ),
    "capture-failed": "torch cannot turn the module into a graph of tensors.",
    "capture-patched": (
        "A construct that torch cannot export was replaced by one that computes the same."
    ),
    "chip-too-small": (
        "The weights of a network are larger than the chip: its macros are written anew "
        "during every run, which takes time and energy and wears the cells. Under --strict "
        "this is refused."
    ),
    "conditions": (
        "A machine cannot be run under these conditions: a time before programming, a temperature "
        "that is not above 0 K, or a number of writes below 0."
    ),
    "conductance": "A conductance is negative or not a number, which no cell can have.",
    "contract-broken": (
        "A pass changed the outputs more than its contract allows. This is a bug of the pass: the"
        " report names the pass, the inputs and the output that differ."
    ),
    "crossbar-direction": (
        "Products with the transposed matrix sense the word lines. They carry no current where "
        "inputs open the switches of cells, a reference column is no reference for them, and "
        "`wires.solver` of `newton` solves arrays that are driven by their word lines."
    ),
    "crossbar-gradient": (
        "A tensor that needs a gradient was multiplied where none would be kept; the layer of the "
        "crossbar keeps it."
    ),
    "crossbar-input": (
        "A vector that a crossbar is multiplied with has another length than the matrix takes, or "
        "holds what is no finite number."
    ),
    "crossbar-model": (
        "Something was asked of a crossbar that it does not have. A torch layer is of products "
        "with a matrix: where inputs open the switches of cells, or cells and switches are not "
        "linearised, every input is a circuit of its own. The codes of a reference column belong "
        "to all outputs together."
    ),
    "crossbar-range": (
        "The target says that the step of its converters is chosen from data, and none were given: "
        "without a step there is no code."
    ),
    "crossbar-size": (
        "A matrix does not fit the macros of the target, or takes more of them than its chip has."
    ),
    "crossbar-unused": (
        "All contractions of the network run on the host; `mcc explain` gives the reason of each."
    ),
    "crossbar-view": (
        "Something was asked of a part of a crossbar that only the whole can do or show, or a part "
        "was named by something other than slices."
    ),
    "crossbar-weights": (
        "The weights of a crossbar are no matrix of finite real or complex numbers, or do not fit "
        "the cells that they are to be written to."
    ),
    "device-range": (
        "The device model of the target was fitted to conductances, temperatures or times among "
        "which these are not; its laws are carried on beyond them, which may be wrong."
    ),
    "double-precision": (
        "The network computes in float64, which no crossbar and no core of the chip does: all of "
        "it runs on the host."
    ),
    "dtype-unsupported": (
        "A tensor has an element type that the digital reference cannot compute with."
    ),
    "dynamic-shape": (
        "A tensor has a size that depends on the data or was left open; hardware needs fixed sizes."
    ),
    "element-type": (
        "A value travels between the chip and its host, or into or out of the network, whose "
        "elements the chip's buffer cannot hold: strings, half-bytes, bfloat16 and the like."
    ),
    "evaluation-mode": "The module was in training mode; it is compiled for inference.",
    "example-inputs": "The example inputs are missing or do not fit the network.",
    "file-damaged": "A file ends too early, contradicts itself, or is not what its name says.",
    "file-kind": "The file is of a kind that cannot be compiled as it is.",
    "file-missing": "The named file does not exist or cannot be read.",
    "file-too-large": (
        "A file unpacks to far more than it holds, or names sizes beyond its end, as zip bombs do."
    ),
    "host-failed": (
        "ONNX Runtime does not load or run a host graph of a program, or the graph gives tensors "
        "of other shapes or types than the program says."
    ),
    "input-dtype": "An input has another element type than the network takes.",
    "input-missing": "An input of the network is not given.",
    "input-not-finite": "An input holds infinities or something that is not a number.",
    "input-shape": "An input has another shape than the network was compiled for.",
    "input-structure": "An input is nested otherwise than at capture.",
    "input-unknown": "The network has no input of this name.",
    "input-unsupported": (
        "An argument of the module is neither a tensor, a plain value nor a container of them."
    ),
    "input-value": (
        "An argument that is no tensor differs from the one that the network was captured with."
    ),
    "left-on-host": "Something was left as it is, for the host to run, for the reason given.",
    "memory-exhausted": "The machine has not enough memory for what was asked.",
    "memory-too-small": ("The local memory of a core does not hold the least strip of a layer."),
    "module-empty": "The weights of the module exist by shape only.",
    "module-factory": (
        "The function that builds the module for a state dict is not named, cannot be found or "
        "fails; or it is named for a file that holds a whole network."
    ),
    "module-not-copyable": (
        "The module cannot be copied; the compiler works on a copy and never on the original."
    ),
    "mutated-input": (
        "The module changes one of its inputs in place, which the caller of a chip would not see."
    ),
    "mutated-state": (
        "The module keeps state between its calls; a captured network would forget it silently."
    ),
    "network-cycle": "The nodes of the network feed each other in a circle.",
    "network-damaged": (
        "A file or text is no ONNX network: it is cut off, of another kind, or has an error of "
        "syntax."
    ),
    "no-contraction": (
        "The network multiplies by no matrix anywhere, so a crossbar has nothing to do for it."
    ),
    "operator-attribute": "An operator of the `mcc` domain lacks one of its attributes.",
    "operator-shape": "The operands of an operator of the `mcc` domain do not fit each other.",
    "operator-unknown": (
        "A node has an operator that neither the standard, ONNX Runtime nor the model defines."
    ),
    "operator-untranslated": "torch has an operator in the program that ONNX has no form for.",
    "opset-converted": "The network was written for an older operator set and was converted.",
    "opset-old": (
        "The network uses a version of the ONNX standard that is older than the passes know; "
        "capture converts it."
    ),
    "opset-retry": (
        "The network could not be expressed at the main operator set and uses an older one."
    ),
    "opset-unsupported": (
        "The network is written for an operator set that cannot be converted to a known one."
    ),
    "option-unused": (
        "An option of a pass was given that nothing in this network reads; without it the result "
        "would be the same."
    ),
    "option-value": (
        "The value given to an option has the wrong type, is not one of its choices, or can have "
        "no effect beside the other options."
    ),
    "output-unsupported": (
        "The module returns something that is neither a tensor, a plain value nor a container "
        "of them."
    ),
    "pass-order": "A pass needs a network of another stage than the passes before it produce.",
    "pass-syntax": "The pipeline string is not a list of passes such as `canonicalize,quantize`.",
    "path-unsafe": (
        "A model file points outside its own folder, or to something that is no plain file."
    ),
    "pattern-unmatched": "A pattern of node names matches no contraction of the network.",
    "peer-missing": (
        "A comparison needs AIHWKit beside mcc (`pip install mcc[compare]`), and a model there of "
        "the same publication as the device card."
    ),
    "pickle-trusted": (
        "A pickle was loaded because the user allowed it; it ran whatever its author put there."
    ),
    "pickle-untrusted": "Loading a pickle runs whatever program its author put into it.",
    "program-damaged": (
        "The binary form of a program is not what was written: bytes were changed, cut off or "
        "added, or it belongs to another target, other cells or other host graphs."
    ),
    "program-deadlock": (
        "The cores of a program wait for each other for ever: for semaphores that nobody posts, "
        "or for messages that nobody sends or takes."
    ),
    "program-differs": (
        "The program does not compute what the network does. This is a bug of the tool."
    ),
    "program-hazard": (
        "Two instructions of a core can be in flight at the same time although one writes what "
        "the other reads or writes; the later one must wait for the unit of the earlier."
    ),
    "program-invalid": (
        "A program breaks a rule of the machine: an address outside its memory, a unit, tile or "
        "semaphore that does not exist, streams of different counts, loops that are not closed."
    ),
    "quantization-change": (
        "How much quantization changed the outputs of the network on calibration data."
    ),
    "random-operator": "The network draws random numbers; two calls would not agree.",
    "read-levels": (
        "At fidelity `wire` a linearised cell is one resistor. Cells whose current is not in "
        "proportion to the voltage are one only where every read has the same voltage: with "
        "pulses, or with inputs of one bit and exact drivers; and of the same sign if the law has "
        "even powers. With `wires.solver` of `newton` cells are what they are."
    ),
    "read-voltage": (
        "Cells are to be read at a voltage that the law of their current does not reach, or that "
        "drives none."
    ),
    "reference-failed": "ONNX Runtime, which judges every network, does not load or run this one.",
    "samples-dependent": (
        "Samples that are run together give other results than alone, which the example inputs did "
        "not show. The program would run each alone."
    ),
    "samples-fixed": (
        "Axis 0 does not count samples in every input and output, so the program takes the shapes "
        "of the example and no others."
    ),
    "samples-repeated": "The network was made for one sample and is run once for each.",
    "seed-invalid": "The seed of a chip instance is a whole number from 0 to 2**64 - 1.",
    "shape-unknown": "A value of the network has no static shape; the compiler needs all shapes.",
    "source-unsupported": (
        "Only torch modules, exported programs, graph modules, ONNX models and files of these "
        "compile."
    ),
    "stage-illegal": (
        "A pass left behind a network that its stage does not allow. This is a bug of the pass."
    ),
    "state-mismatch": "The names or shapes of a state dict are not those of the module.",
    "stored-scales": (
        "The network brings codes and scales of its own (QuantizeLinear and DequantizeLinear "
        "around a contraction): they are used as they are, and the options of quantize count for "
        "the rest."
    ),
    "stuck-map": (
        "A map of stuck cells does not fit the macro that it is given for, or the chip has no such "
        "macro, or nothing is programmed into it. Maps are given as a mapping from places, pairs "
        "of a core and a macro, to arrays: `{(0, 1): array}`."
    ),
    "target-bare-number": (
        "A value of a target file stands alone. Every number needs its unit, its source and its "
        "kind (measured, simulated, derived or assumed), so that a reader can judge it."
    ),
    "target-card": (
        "A file that describes a device alone (it gives values of `cell` and of nothing else) "
        "stands where a chip is needed, or a chip where such a device card is needed."
    ),
    "target-invalid": (
        "A value of a target is outside its bounds, is not a value of its field, or cannot be "
        "combined with another value."
    ),
    "target-mismatch": (
        "The tiles of a network were cut for another target, or for other values of the same one; "
        "a program for this target needs passes that were told of it."
    ),
    "target-missing": "Something depends on the target, and none was named.",
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
    "tile-too-large": (
        "A tile of a weight matrix is larger than a macro of the target; the network was "
        "tiled for another target."
    ),
    "torch-missing": (
        "The file was written by torch, which is needed to read it and is not installed."
    ),
    "training-mode": "A part of the network computes as in training even in evaluation mode.",
    "type-unknown": "A value of the network has no element type.",
    "unknown-option": "The pass has no option of this name.",
    "unknown-pass": "There is no pass of this name; `mcc passes` lists them.",
    "usage": "An argument of the command line has the wrong form, or two of them contradict.",
    "value-unknown": "The network has no value of this name.",
    "weight-range": "A weight of a quantized network has more bits than its cells can hold.",
    "wires-invalid": (
        "A crossbar with resistive wires cannot be solved as given: a conductance or resistance is "
        "negative or not a number, shapes do not fit, or the circuit has no solution."
    ),
    "wires-unsolved": (
        "The voltages of a crossbar with resistive wires were not found to the accuracy asked for: "
        "the iterations did not converge. Nothing less accurate was returned."
    ),
    "write-failed": (
        "A file could not be written completely, for example because the disk is full. What was "
        "there before is untouched and no partial file is left."
    ),
}
