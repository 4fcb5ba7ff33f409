"""The module as the user wrote it, run on arrays."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager

import torch

from mcc.frontend.quiet import quiet
from mcc.frontend.sources import location_in_traceback
from mcc.frontend.torch_call import to_tensor
from mcc.frontend.torch_flat import Flat
from mcc.frontend.torch_module import versions_of
from mcc.frontend.torch_state import mutated_state
from mcc.ir.diagnostics import MccError, error
from mcc.ir.tensors import Array


@contextmanager
def one_thread() -> Generator[None]:
    """Make float sums come out the same whatever number of threads torch was given."""
    given = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(given)


def run_eager(flat: Flat, inputs: Sequence[Array]) -> list[Array]:
    """Run a module once on copies of `inputs`.

    Raises:
        MccError: A parameter was changed while it ran.
    """
    before = versions_of(flat.module)
    tensors = [to_tensor(array) for array in inputs]
    with quiet(), torch.no_grad(), one_thread():
        outputs = flat(*tensors)
    changed = [
        name for name, version in versions_of(flat.module).items() if version != before[name]
    ]
    if changed:
        raise MccError([mutated_state(changed[0])])
    return [output.numpy(force=True).copy() for output in outputs]


def try_eager(flat: Flat, inputs: Sequence[Array]) -> list[Array]:
    """Run a module once on the example inputs.

    Raises:
        MccError: The module does not run on them.
    """
    try:
        return run_eager(flat, inputs)
    except MccError:
        raise
    except Exception as problem:
        text = f"the module does not run on the example inputs: {problem}"
        where = location_in_traceback(problem.__traceback__)
        help = "give inputs of the shapes and types that the module takes"
        raise error("example-inputs", text, help, where) from problem
