from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from mcc.ir.diagnostics import MccError
from mcc.ir.signature import Parameter, Signature
from mcc.ir.structure import Constant, Group, GroupKind, Leaf, Record
from mcc.ir.tensors import holds_torch

IMAGE = Leaf("x", "float32", (1, 3))
TOKENS = Leaf("more.ids", "int64", (1, 4))
SIGNATURE = Signature(
    (
        Parameter("x", IMAGE),
        Parameter("more", Group(GroupKind.DICT, (TOKENS, Constant(2)), ("ids", "k"))),
        Parameter("flag", Constant(True), positional=False, optional=True),
    ),
    Group(
        GroupKind.NAMED_TUPLE,
        (
            Leaf("a", "float32", (1, 2)),
            Group(GroupKind.LIST, (Leaf("b.0", "float32", (1,)), Constant(None))),
        ),
        ("a", "b"),
        "Result",
    ),
    samples=True,
)
X = np.zeros((5, 3), np.float32)
IDS = np.zeros((5, 4), np.int64)


def codes_of(*args: Any, signature: Signature = SIGNATURE, **kwargs: Any) -> list[str]:
    with pytest.raises(MccError) as caught:
        signature.flatten_inputs(args, kwargs)
    return [item.code for item in caught.value.diagnostics]


def test_plain_data_round_trip() -> None:
    data = json.loads(json.dumps(SIGNATURE.to_dict()))
    assert Signature.from_dict(data) == SIGNATURE


def test_inputs_are_named_in_order() -> None:
    feeds = SIGNATURE.flatten_inputs((X, {"ids": IDS, "k": 2}), {"flag": True})
    assert list(feeds) == ["x", "more.ids"]
    assert feeds["x"].shape == (5, 3)


def test_positional_inputs_may_be_named() -> None:
    feeds = SIGNATURE.flatten_inputs((), {"more": {"k": 2, "ids": IDS}, "x": X})
    assert list(feeds) == ["x", "more.ids"]


def test_what_is_no_tensor_may_be_left_out_where_the_module_would_take_the_same() -> None:
    scaled = Signature((Parameter("x", IMAGE), Parameter("k", Constant(0.5))), IMAGE, samples=True)
    assert codes_of(X, signature=scaled) == ["input-missing"]
    assert list(scaled.flatten_inputs((X, 0.5), {})) == ["x"]
    assert list(scaled.tensors_only().flatten_inputs((X,), {})) == ["x"]
    assert list(SIGNATURE.flatten_inputs((X, {"ids": IDS, "k": 2}), {})) == ["x", "more.ids"]


def test_what_is_no_tensor_may_not_change() -> None:
    assert codes_of(X, {"ids": IDS, "k": 3}, flag=False) == ["input-value", "input-value"]


def test_all_problems_of_a_call_are_collected() -> None:
    assert codes_of(X, X, X, size=3) == ["input-unknown", "input-unknown", "input-structure"]
    assert codes_of({"x": 1}) == ["input-dtype", "input-missing"]
    assert codes_of(X, {"idx": IDS, "k": 2}) == ["input-unknown", "input-missing"]
    assert codes_of(X, {"ids": IDS, "k": 2}, x=X) == ["input-unknown"]


@pytest.mark.parametrize(
    ("array", "code"),
    [
        (np.zeros((5, 3)), "input-dtype"),
        (np.zeros((5, 4), np.float32), "input-shape"),
        (np.zeros(3, np.float32), "input-shape"),
        (np.zeros((0, 3), np.float32), "input-shape"),
        (np.zeros((4, 3), np.float32), "input-shape"),
        (np.full((5, 3), np.nan, np.float32), "input-not-finite"),
        (np.full((5, 3), np.inf, np.float32), "input-not-finite"),
        (np.ma.masked_equal(X, X[0, 0]), "input-dtype"),
    ],
)
def test_wrong_arrays_are_refused(array: np.ndarray[Any, Any], code: str) -> None:
    assert codes_of(array, {"ids": IDS, "k": 2}) == [code]


def test_a_missing_sample_axis_is_told() -> None:
    with pytest.raises(MccError, match=r"x\[None\]"):
        SIGNATURE.flatten_inputs((X[0], {"ids": IDS, "k": 2}), {})


def test_without_samples_shapes_are_exact() -> None:
    fixed = Signature((Parameter("x", IMAGE),), IMAGE, samples=False)
    assert list(fixed.flatten_inputs((X[:1],), {})) == ["x"]
    assert codes_of(X, signature=fixed) == ["input-shape"]
    with pytest.raises(MccError, match="axis 0 does not count independent samples"):
        fixed.flatten_inputs((X,), {})


def test_scalars_stay_scalars() -> None:
    scale = Signature((Parameter("scale", Leaf("scale", "float32", ())),), IMAGE, samples=False)
    feeds = scale.flatten_inputs((np.float32(2).reshape(()),), {})
    assert feeds["scale"].shape == ()


def test_feeds_by_name_offer_the_nearest_name() -> None:
    with pytest.raises(MccError, match=r"did you mean `more\.ids`"):
        SIGNATURE.check_feeds({"x": X, "more.id": IDS})


def test_outputs_get_their_structure_back() -> None:
    values = {"a": np.ones((2, 2), np.float32), "b.0": np.ones(2, np.float32)}
    result = SIGNATURE.unflatten_outputs(values)
    assert type(result).__name__ == "Result"
    assert result.a is values["a"]
    assert result.b[0] is values["b.0"]
    assert result.b[1] is None


@dataclass
class Image:
    image: Any


def test_a_dataclass_gives_its_fields() -> None:
    group = Group(GroupKind.RECORD, (Leaf("d.image", "float32", (1, 3)),), ("image",), "Image")
    nested = Signature((Parameter("d", group),), IMAGE, samples=True)
    for given in (Image(X), {"image": X}):
        assert list(nested.flatten_inputs((given,), {})) == ["d.image"]
    assert codes_of(X, signature=nested) == ["input-structure"]
    assert codes_of(Image, signature=nested) == ["input-structure"]


def test_a_record_is_read_by_attribute_key_and_place() -> None:
    record: Any = Record({"logits": X, "values": IDS})
    assert record.logits is record["logits"] is record[0] is X
    assert record.values is record["values"] is record[-1] is IDS
    assert list(record) == ["logits", "values"]
    assert {**record} == copy.copy(record)
    with pytest.raises(KeyError):
        record["loss"]
    with pytest.raises(AttributeError):
        _ = record.loss


def test_torch_in_gives_torch_out() -> None:
    torch = pytest.importorskip("torch")
    plain = Signature((Parameter("x", IMAGE),), IMAGE, samples=True)
    assert holds_torch({"x": [torch.zeros(1)]})
    assert not holds_torch({"x": [X]})
    assert holds_torch([Image(torch.zeros(1))])
    assert not holds_torch(Image)
    feeds = plain.flatten_inputs((torch.ones(2, 3),), {})
    result = plain.unflatten_outputs(feeds, as_torch=True)
    assert isinstance(result, torch.Tensor)
    assert torch.equal(result, torch.ones(2, 3))
    with pytest.raises(MccError, match="`x` is bfloat16, the network takes float32"):
        plain.flatten_inputs((torch.ones(2, 3, dtype=torch.bfloat16),), {})
