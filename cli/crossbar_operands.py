"""What users multiply with: NumPy arrays, torch tensors and sequences, checked."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcc.ir.diagnostics import error
from mcc.ir.tensors import Array, is_dense, is_torch, to_array, type_name

_DENSE = "give a dense tensor that holds them, such as `x.to_dense()`"


def as_numbers(value: Any, code: str, name: str) -> Array:
    """Return finite numbers as an array.

    Args:
        value: What a user gave.
        code: Of the errors.
        name: What the user calls it.

    Raises:
        MccError: With that code.
    """
    if np.ma.is_masked(value):
        raise error(code, f"some numbers are masked in {name}", "fill them: `x.filled(0)`")
    if is_torch(value) and not is_dense(value):
        where = f"{value.layout} on {value.device.type}"
        raise error(code, f"there is a tensor without all its numbers ({where}) in {name}", _DENSE)
    array = _as_array(value)
    if array.dtype.kind not in "biufc":
        kind = type_name(array.dtype)
        raise error(
            code, f"there is {kind}, not numbers, in {name}", "give real or complex numbers"
        )
    if array.dtype.kind in "fc" and not np.isfinite(array).all():
        at = tuple(map(int, np.argwhere(~np.isfinite(array))[0]))
        message = f"there is {array[at]} at {list(at)} of {name}"
        raise error(code, message, "conductances and voltages are finite: replace it")
    return array


def as_weights(weights: Any) -> Array:
    """Return a finite real or complex matrix.

    Raises:
        MccError: `crossbar-weights`.
    """
    array = as_numbers(weights, "crossbar-weights", "the weights")
    if array.ndim != 2:
        shape = "x".join(map(str, array.shape)) or "a number"
        message = f"the weights have {array.ndim} axes ({shape}), not 2"
        help = "give a matrix (outputs, inputs); a vector `w` is the matrix `w[None, :]`"
        raise error("crossbar-weights", message, help)
    return array


def as_operand(operand: Any) -> Array:
    """Return finite real or complex numbers with at least one axis.

    Raises:
        MccError: `crossbar-input`, `crossbar-gradient`.
    """
    if is_torch(operand) and operand.requires_grad and _torch().is_grad_enabled():
        help = "multiply with `A.layer()`, which has one, or with `x.detach()`"
        raise error("crossbar-gradient", "a product with `@` has no gradient", help)
    array = as_numbers(operand, "crossbar-input", "the operand")
    if array.ndim == 0:
        raise error("crossbar-input", "the operand is a number", "scale the result instead")
    return array


def check_place(first_macro: object) -> None:
    """Refuse what is no number of a macro.

    Raises:
        MccError: `option-value`.
    """
    if not isinstance(first_macro, int) or isinstance(first_macro, bool) or first_macro < 0:
        raise error("option-value", f"first_macro is {first_macro!r}", "give a whole number from 0")


def real_parts(array: Array) -> list[NDArray[np.float64]]:
    """Return real numbers as they are, complex ones as their real and imaginary parts."""
    if array.dtype.kind != "c":
        return [array.astype(np.float64)]
    return [np.real(array).astype(np.float64), np.imag(array).astype(np.float64)]


def check_length(found: int, shape: tuple[int, int], *, left: bool) -> None:
    """Refuse vectors of another length than a matrix takes from that side."""
    wanted = shape[0] if left else shape[1]
    if found != wanted:
        form = f"x @ A takes x of shape (..., {wanted})"
        if not left:
            form = f"A @ x takes x of shape ({wanted},) or (..., {wanted}, k)"
        sizes = "x".join(map(str, shape))
        message = f"the operand has {found} elements along its axis, the matrix is {sizes}"
        raise error("crossbar-input", message, form)


def like(result: Array, operand: Any) -> Any:
    """Return a result in the kind of the operand: a tensor on its device, or an array."""
    if not is_torch(operand):
        return result
    return _torch().from_numpy(np.ascontiguousarray(result)).to(operand.device)


def float_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the floating or complex type that stands for numbers of a type."""
    return dtype if dtype.kind in "fc" else np.dtype(np.float64)


def _as_array(value: Any) -> Array:
    if is_torch(value) and str(value.dtype) == "torch.bfloat16":
        value = value.float()
    found = to_array(value)
    if found is not None:
        return found
    try:
        return np.asarray(value)
    except (TypeError, ValueError, RuntimeError):
        return np.empty(0, object)


def _torch() -> Any:
    return sys.modules["torch"]
