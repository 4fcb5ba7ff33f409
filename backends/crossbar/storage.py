"""Where every tensor lies in the chip's buffer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

from mcc.backends.crossbar.buffers import Lifetime, aligned, allocate
from mcc.backends.crossbar.kernels import Kernels
from mcc.backends.crossbar.views import Storage
from mcc.ir.diagnostics import error
from mcc.ir.hardware import Target


@final
@dataclass(frozen=True)
class BufferPlan:
    """Addresses of all storages, constants in front."""

    addresses: dict[str, int]
    bytes: int


def plan_buffer(
    kernels: Kernels, extra: Iterable[tuple[int, Storage]], target: Target
) -> BufferPlan:
    """Give every storage an address; those that are not alive together may share bytes.

    Args:
        kernels: Who reads and makes what.
        extra: Storages that live inside one kernel only, with its index.
        target: The chip.

    Raises:
        MccError: `buffer-too-small`, where they do not fit.
    """
    addresses: dict[str, int] = {}
    end = 0
    for name, array in kernels.constants.items():
        addresses[name] = end
        end += aligned(array.nbytes)
    constant_bytes = end
    layout = allocate(_lifetimes(kernels, extra), end)
    addresses |= {str(key): offset for key, offset in layout.offsets.items()}
    if layout.bytes > target.chip.buffer.bytes:
        raise error(
            "buffer-too-small",
            f"the tensors of the network take {layout.bytes} bytes at once, {constant_bytes} of "
            f"them constants; the chip's buffer has {target.chip.buffer.bytes}",
            "choose a target with a larger `chip.buffer.bytes`, or set it with `--set`",
        )
    return BufferPlan(addresses, layout.bytes)


def _lifetimes(kernels: Kernels, extra: Iterable[tuple[int, Storage]]) -> list[Lifetime]:
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    sizes: dict[str, int] = {}
    for value in kernels.network.graph.inputs:
        storage = kernels.view(value).storage
        first[storage.name], sizes[storage.name] = -1, storage.bytes
    for kernel in kernels.kernels:
        for view in kernel.stores.values():
            first[view.storage.name] = kernel.index
            sizes[view.storage.name] = view.storage.bytes
        for name in kernel.reads:
            last[name] = kernel.index
    for _, view in kernels.outputs:
        last[view.storage.name] = len(kernels.kernels)
    for index, storage in extra:
        first[storage.name] = last[storage.name] = index
        sizes[storage.name] = storage.bytes
    return [
        Lifetime(name, sizes[name], start, max(last.get(name, start), start))
        for name, start in first.items()
    ]
