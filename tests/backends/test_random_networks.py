"""Random networks of everything on random chips: a property of the whole backend."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from mcc.backends.crossbar.generate import Generation
from mcc.ir.hardware import (
    Accumulation,
    Differential,
    Encoding,
    InputCoding,
    InputForm,
    Reference,
    Subtraction,
    Target,
)
from mcc.ir.network import Network
from mcc.runtime.fidelity import Fidelity
from tests.canonical_networks import constant, model
from tests.mapped_networks import assert_exact, chip

SHAPE = "1,4,6,6"
CONV = "Conv<pads=[1,1,1,1]>"
SPLIT = "Split<axis=1,num_outputs=2>"
SQUARE = "kernel_shape=[3,3],pads=[1,1,1,1]"
VARIANTS: Mapping[str, Sequence[Any]] = {
    "macro.encoding": list(Encoding),
    "macro.column_flip": [False, True],
    "macro.differential": list(Differential),
    "macro.subtraction": list(Subtraction),
    "macro.reference": list(Reference),
    "macro.slice_overlap": [0, 1, 2],
    "macro.input_form": list(InputForm),
    "macro.input_coding": list(InputCoding),
    "macro.accumulation": list(Accumulation),
    "macro.dac_bits": [1, 2, 3, 8],
    "cell.bits": [1, 2, 3, 4, 5, 7, 8],
    "weight_bits": range(2, 9),
    "activation_bits": range(2, 9),
}
"""What must have been drawn for a program with tiles; any encoding goes with any input form."""
PAIRS = ("macro.differential", "macro.subtraction")
"""What pairs of columns have a choice of; elsewhere, without a reference, it is the first one."""


def network(pick: random.Random, length: int) -> Network:
    """A network whose values all have one shape, so that everything can meet everything."""
    body: list[str] = []
    constants = [constant("k", 4, 1, 1), constant("v", 4, 4), "int64[1] z = {0}, int64[1] o = {1}"]
    constants.append("int64[1] t = {3}, int64[8] p = {0, 1, 0, 0, 0, 0, 0, 0}")
    known = ["x", "u"]
    for index in range(length):
        a, b, y = pick.choice(known), pick.choice(known[-3:]), f"n{index}"
        constants.append(constant(f"w{index}", 4, 4, 3, 3, seed=index))
        constants.append(constant(f"m{index}", 6, 6, seed=index))
        body.append(
            pick.choice(
                [
                    f"{y} = {CONV}({b}, w{index})",
                    f"{y} = {CONV}({b}, w{index})",
                    f"{y} = MatMul({b}, m{index})",
                    f"{y} = Relu({b})",
                    f"{y} = Add({a}, {b})",
                    f"{y} = Mul({a}, k)",
                    f"{y} = Tanh({b})",
                    f"{y} = MaxPool<{SQUARE}>({b})",
                    f"{y} = Transpose<perm=[0,1,3,2]>({a})",
                    f"{y}s = Slice({b}, z, t, o) {y} = Pad({y}s, p)",
                    f"{y}r = ReduceMax({b}, t) {y} = Sub({a}, {y}r)",
                    f"{y}c = Concat<axis=1>({a}, {b}) {y}, {y}d = {SPLIT}({y}c)",
                ]
            )
        )
        known.append(y)
    body.append(f"c = {CONV}({known[-1]}, w0)")
    outputs = {"c", *pick.sample(known[2:], 2)}
    return model(
        f"float[{SHAPE}] x, float[{SHAPE}] u",
        ", ".join(f"float[{SHAPE}] {name}" for name in sorted(outputs)),
        ", ".join(constants),
        " ".join(body),
    )


def drawn(pick: random.Random) -> Target:
    """A random chip: mesh, memory, and how numbers become cells and phases."""
    plain = without_reference(pick)
    other = random.Random(plain.digest())
    macro = plain.macro
    if macro.encoding is not Encoding.OFFSET or macro.column_flip:
        return plain
    reference = other.choice(VARIANTS["macro.reference"])
    choices = VARIANTS["macro.subtraction"] if reference is Reference.COLUMN else ["before"]
    changes = {"macro.reference": reference.value, "macro.subtraction": other.choice(choices)}
    return plain.with_values(changes)


def without_reference(pick: random.Random) -> Target:
    """A random chip that has no reference columns."""
    encoding = pick.choice(VARIANTS["macro.encoding"])
    offset, cell_bits = encoding is Encoding.OFFSET, pick.choice(VARIANTS["cell.bits"])
    flips = VARIANTS["macro.column_flip"] if offset else [False]
    plain = {name: [VARIANTS[name][0]] if offset else VARIANTS[name] for name in PAIRS}
    overlaps = [it for it in VARIANTS["macro.slice_overlap"] if it <= 2**cell_bits - 2]
    return chip(
        pick.choice(["rram40nm", "isaac"]),
        chip__mesh_rows=pick.choice([1, 2, 3]),
        chip__mesh_cols=pick.choice([1, 2]),
        core__macros=pick.choice([1, 2, 8]),
        core__memory__bytes=pick.choice([1024, 1536, 4096, 1 << 16]),
        macro__rows=24,
        macro__cols=64,
        macro__active_rows=8,
        macro__encoding=encoding,
        macro__column_flip=pick.choice(flips),
        macro__differential=pick.choice(plain["macro.differential"]),
        macro__subtraction=pick.choice(plain["macro.subtraction"]),
        macro__slice_overlap=pick.choice(overlaps),
        macro__input_coding=pick.choice(VARIANTS["macro.input_coding"]),
        macro__accumulation=pick.choice(VARIANTS["macro.accumulation"]),
        macro__input_form=pick.choice(VARIANTS["macro.input_form"]),
        macro__dac_bits=pick.choice(VARIANTS["macro.dac_bits"]),
        macro__adc__bits=24,
        macro__adc__columns_per_adc=16,
        cell__bits=cell_bits,
    )


def compiled(seed: int) -> tuple[Generation, dict[str, Any]]:
    """Compile a random network for a random chip, and compare the two; return what was drawn.

    The converters hold every sum. So `converter`, which goes through the phases of the inputs,
    must make the same integers as `exact`.
    """
    pick = random.Random(seed)
    target = drawn(pick)
    bits = {name: pick.choice(VARIANTS[name]) for name in ("weight_bits", "activation_bits")}
    options = ",".join(f"{name}={value}" for name, value in bits.items())
    options += pick.choice(["", ",granularity=token"])
    fidelities = (Fidelity.EXACT, Fidelity.CONVERTER)
    made = assert_exact(network(pick, pick.choice([6, 12, 20])), target, options, seed, fidelities)
    return made, {**target.values(), **bits}


def test_random_networks() -> None:
    seen: set[str] = set()
    variants: dict[str, set[Any]] = {name: set() for name in VARIANTS}
    for seed in range(24):
        made, chosen = compiled(seed)
        seen.update(kernel.kind for kernel in made.kernels)
        seen.update(item.MNEMONIC for code in made.program.cores for item in code)
        for name, values in variants.items():
            values.update([chosen[name]] if made.program.tiles else [])
    assert {"loop", "mvm", "program", "send", "recv", "post", "wait", "fill", "copy"} <= seen
    assert {"IntegerConv", "IntegerLinear", "Concat", "Pad", "MaxPool", "ReduceMax"} <= seen
    assert {"elementwise", "host"} <= seen
    assert variants == {name: set(values) for name, values in VARIANTS.items()}
