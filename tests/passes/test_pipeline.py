"""Pipelines: their text form, legality, proofs, and what happens when a pass is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, final

import numpy as np
import pytest

from mcc.ir.diagnostics import EXIT_BUDGET, EXIT_BUG, EXIT_USER, MccError
from mcc.ir.network import (
    Contract,
    Editor,
    Network,
    Stage,
    from_text,
    stage_of,
    to_text,
)
from mcc.passes import PASSES, Pass, PassContext, Step, format_pass, parse_passes, run_pipeline
from mcc.passes.arguments import parse_pipeline

NETWORK = """<ir_version: 10, opset_import: ["" : 20]>
g (float[2,3] x) => (float[2,3] y) <float s = {2.0}> { h = Relu(x) [scale] y = Mul(h, s) }"""


@final
class Mood(StrEnum):
    CALM = "calm"
    WILD = "wild"


@final
@dataclass(frozen=True)
class Scale(Pass):
    """Multiply by another factor."""

    name: ClassVar[str] = "scale"
    contract: ClassVar[Contract] = Contract.LOSSY
    from_stage: ClassVar[Stage] = Stage.CAPTURED
    to_stage: ClassVar[Stage] = Stage.CANONICAL

    factor: float = 2.0
    budget: float = 0.5
    count: int = 1
    mood: Mood = Mood.CALM
    loud: bool = False
    layers: tuple[str, ...] = ()
    limit: int | None = None

    def run(self, network: Network, context: PassContext) -> Network:
        edit = Editor(network.graph)
        for node in list(network.graph):
            if node.op_type == "Mul":
                factor = edit.constant(np.float32(self.factor), "factor")
                node.replace_input_with(1, factor)
                context.report("left-on-host", "seen", node)
        return network

    def bound(self, before: Network, after: Network) -> float:
        return self.budget


@final
@dataclass(frozen=True)
class Exactly(Pass):
    """Claims to be exact."""

    name: ClassVar[str] = "exactly"
    contract: ClassVar[Contract] = Contract.EXACT
    from_stage: ClassVar[Stage] = Stage.CANONICAL
    to_stage: ClassVar[Stage] = Stage.CANONICAL

    factor: float = 2.0

    def run(self, network: Network, context: PassContext) -> Network:
        return Scale(self.factor).run(network, context)


@final
@dataclass(frozen=True)
class Spoil(Pass):
    """Leaves an illegal network."""

    name: ClassVar[str] = "spoil"
    contract: ClassVar[Contract] = Contract.EXACT
    from_stage: ClassVar[Stage] = Stage.CANONICAL
    to_stage: ClassVar[Stage] = Stage.MAPPED

    def run(self, network: Network, context: PassContext) -> Network:
        return network


@final
@dataclass(frozen=True)
class Unrunnable(Pass):
    """Leaves a network whose operands do not fit."""

    name: ClassVar[str] = "unrunnable"
    contract: ClassVar[Contract] = Contract.EXACT
    from_stage: ClassVar[Stage] = Stage.CANONICAL
    to_stage: ClassVar[Stage] = Stage.CANONICAL

    def run(self, network: Network, context: PassContext) -> Network:
        factors = Editor(network.graph).constant(np.ones(7, np.float32), "factors")
        network.graph[-1].replace_input_with(1, factors)
        return network


KNOWN = {"scale": lambda: Scale, "exactly": lambda: Exactly, "spoil": lambda: Spoil}


def context() -> PassContext:
    return PassContext(calibration=({"x": np.arange(6, dtype=np.float32).reshape(2, 3)},))


def test_options_are_read_into_the_fields() -> None:
    text = (
        "scale{factor=1.5 count=3 mood=wild loud=true layers=a.b+c limit=7}, "
        "scale{limit=none,budget=0},exactly"
    )
    passes = parse_pipeline(text, KNOWN)
    assert passes == [
        Scale(factor=1.5, count=3, mood=Mood.WILD, loud=True, layers=("a.b", "c"), limit=7),
        Scale(budget=0.0),
        Exactly(),
    ]
    assert parse_pipeline(",".join(format_pass(item) for item in passes), KNOWN) == passes


def test_dashes_are_underscores() -> None:
    assert format_pass(Scale()) == "scale"
    assert parse_pipeline("", KNOWN) == []


@pytest.mark.parametrize(
    ("text", "code", "help"),
    [
        ("scael", "unknown-pass", "did you mean `scale`?"),
        ("scale{factr=2}", "unknown-option", "did you mean `factor`?"),
        ("spoil{x=2}", "unknown-option", "`spoil` has no options"),
        ("scale{count=2.5}", "option-value", "a whole number"),
        ("scale{factor=big}", "option-value", "a number"),
        ("scale{loud=yes}", "option-value", "`true` or `false`"),
        ("scale{mood=odd}", "option-value", "one of `calm`, `wild`"),
        ("scale{limit=odd}", "option-value", "a whole number or `none`"),
        ("scale{count=1,count=2}", "option-value", "give it once"),
        ("scale{count=1 count=1}", "option-value", "give it once"),
        ("default,default", "unknown-pass", "write it alone"),
        ("scale{factor}", "pass-syntax", ""),
        ("scale{factor=1", "pass-syntax", "Write passes as"),
        ("scale exactly", "pass-syntax", "Write passes as"),
    ],
)
def test_mistakes_in_a_pipeline_are_refused(text: str, code: str, help: str) -> None:
    with pytest.raises(MccError) as caught:
        parse_pipeline(text, KNOWN)
    assert caught.value.exit_code == EXIT_USER
    assert caught.value.diagnostics[0].code == code
    assert help in caught.value.diagnostics[0].help


def test_mistakes_are_collected() -> None:
    with pytest.raises(MccError) as caught:
        parse_pipeline("scael,scale{factr=1},exactly", KNOWN)
    assert [item.code for item in caught.value.diagnostics] == ["unknown-pass", "unknown-option"]


def test_every_listed_pass_loads() -> None:
    for name, load in PASSES.items():
        item = load()
        assert item.name == name
        assert (item.__doc__ or "").splitlines()[0].endswith(".")
        assert item() == parse_passes(name)[0]
    assert [item.name for item in parse_passes("canonicalize")] == ["canonicalize"]


def test_a_pipeline_proves_each_pass_and_leaves_its_input_alone() -> None:
    network = from_text(NETWORK)
    before = to_text(network)
    steps: list[Step] = []
    given = context()
    outcome = run_pipeline(network, [Scale(2.5), Exactly(2.5)], given, steps.append)
    assert to_text(network) == before
    assert stage_of(outcome.network) is Stage.CANONICAL
    assert tuple(steps) == outcome.steps
    assert [step.index for step in steps] == [0, 1]
    assert [item.subject for item in outcome.certificates] == [
        "scale{factor=2.5}",
        "exactly{factor=2.5}",
    ]
    assert outcome.certificates[0].measured == pytest.approx(0.25)
    assert outcome.certificates[1].measured == 0
    assert all(item.passed for item in outcome.certificates)
    assert [item.message for item in given.findings] == ["seen"]
    assert [len(step.findings) for step in steps] == [1, 0]


def failure(*passes: Pass) -> MccError:
    with pytest.raises(MccError) as caught:
        run_pipeline(from_text(NETWORK), passes, context())
    return caught.value


def test_stages_must_follow_each_other() -> None:
    problem = failure(Exactly())
    assert problem.exit_code == EXIT_USER
    assert problem.diagnostics[0].code == "pass-order"


def test_a_broken_contract_is_our_bug() -> None:
    problem = failure(Scale(), Exactly(2.0000002))
    assert problem.exit_code == EXIT_BUG
    assert problem.diagnostics[0].code == "contract-broken"
    assert "`exactly{factor=2.0000002}`" in problem.diagnostics[0].message


def test_a_result_that_does_not_run_is_our_bug() -> None:
    problem = failure(Scale(), Unrunnable())
    assert problem.exit_code == EXIT_BUG
    assert problem.diagnostics[0].code == "reference-failed"
    assert problem.diagnostics[0].message.startswith("after pass `unrunnable`:")
    assert "report" in problem.diagnostics[0].help


def test_a_missed_budget_is_not() -> None:
    problem = failure(Scale(factor=4.0, budget=0.9))
    assert problem.exit_code == EXIT_BUDGET
    assert problem.diagnostics[0].code == "budget-missed"


def test_an_illegal_result_is_our_bug() -> None:
    problem = failure(Scale(), Spoil())
    assert problem.exit_code == EXIT_BUG
    assert problem.diagnostics[0].code == "stage-illegal"
    assert problem.diagnostics[0].message.startswith("after pass `spoil`:")
