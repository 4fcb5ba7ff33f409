from __future__ import annotations

from mcc.frontend.sources import location_in_trace, published_path
from mcc.ir.diagnostics import Location

TORCH = 'File "/opt/lib/site-packages/torch/nn/modules/linear.py", line 134, in forward\n  x\n'
USER = 'File "/home/me/work/net.py", line 7, in forward\n  self.linear(x)\n'
LIBRARY = 'File "/opt/lib/site-packages/transformers/models/bert/bert.py", line 3, in forward\n'
MADE = 'File "<eval_with_key>.3", line 4, in forward\n'


def test_the_innermost_line_of_the_user_is_shown() -> None:
    assert location_in_trace(USER + TORCH, "linear") == Location("net.py", 7, "linear")
    assert location_in_trace(USER + LIBRARY + TORCH).file == "transformers/models/bert/bert.py"


def test_torch_is_shown_where_there_is_nothing_else() -> None:
    assert location_in_trace(MADE + TORCH) == Location("torch/nn/modules/linear.py", 134)
    assert location_in_trace(MADE, "a.b") == Location(module="a.b")
    assert location_in_trace("") == Location()


def test_paths_of_this_machine_are_stripped() -> None:
    assert published_path("/home/me/secret/net.py") == "net.py"
    assert published_path("/opt/dist-packages/lib/a.py") == "lib/a.py"
