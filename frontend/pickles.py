"""What a pickle would import, read from its opcodes without running it."""

from __future__ import annotations

import io
import pickletools
from collections.abc import Iterator
from typing import Any

MOST_BYTES = 256 << 20
"""Longest pickle that is read; tensors lie outside of the pickle in all torch files."""

UNKNOWN = "?"
"""Stands for an import whose name is made at run time."""

_TENSORS = frozenset(
    {
        "collections.OrderedDict",
        "torch.Size",
        "torch.Tensor",
        "torch.device",
        "torch.serialization._get_layout",
        "torch.storage.TypedStorage",
        "torch.storage.UntypedStorage",
        "torch._tensor._rebuild_from_type_v2",
        "torch._utils._rebuild_parameter",
        "torch._utils._rebuild_tensor",
        "torch._utils._rebuild_tensor_v2",
        "torch._utils._rebuild_tensor_v3",
        "torch.nn.parameter.Parameter",
    }
)
_TEXT = frozenset({"UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "STRING"})
_GETS = frozenset({"GET", "BINGET", "LONG_BINGET"})
_PUTS = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
_OTHER_IMPORTS = frozenset({"INST", "EXT1", "EXT2", "EXT4"})


def imports_of(stream: io.BytesIO) -> set[str]:
    """List what one pickle imports, and leave `stream` after it.

    Raises:
        ValueError: There is no whole pickle.
    """
    found: set[str] = set()
    memory: dict[int, str] = {}
    recent: list[str] = []
    for name, argument in _operations(stream):
        if name in _TEXT:
            recent.append(str(argument))
        elif name in _PUTS or name == "MEMOIZE":
            place = len(memory) if name == "MEMOIZE" else int(argument)
            memory[place] = recent[-1] if recent else UNKNOWN
        elif name in _GETS:
            recent.append(memory.get(int(argument), UNKNOWN))
        elif name == "GLOBAL":
            found.add(str(argument).replace(" ", "."))
            recent.append(UNKNOWN)
        elif name == "STACK_GLOBAL":
            found.add(".".join(recent[-2:]) if len(recent) > 1 else UNKNOWN)
            recent.append(UNKNOWN)
        elif name in _OTHER_IMPORTS:
            found.add(UNKNOWN)
        elif name not in ("PROTO", "FRAME"):
            recent.append(UNKNOWN)
    return found


def imports_of_file(stream: io.BytesIO) -> set[str]:
    """List what a torch file imports that is no zip file.

    That is a number, a version, a description of the machine and the object, each a pickle, and
    then data; or a single pickle.

    Raises:
        ValueError: There are no whole pickles.
    """
    first = imports_of(stream)
    if first or not stream.getbuffer()[:14].tobytes().startswith(_MAGIC):
        return first
    return first.union(*(imports_of(stream) for _ in range(3)))


_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19"
"""The start of torch's older files: protocol 2, and a number of ten bytes."""


def suspicious(imports: set[str]) -> list[str]:
    """List the imports that tensors in plain containers do not need."""
    return sorted(name for name in imports if not _is_tensor_part(name))


def _is_tensor_part(name: str) -> bool:
    module, _, last = name.rpartition(".")
    storage = module == "torch" and last.endswith("Storage")
    dtype = module == "torch" and last.rstrip("0123456789") in {"float", "int", "uint", "bfloat"}
    return name in _TENSORS or storage or dtype or name == "torch.bool"


def _operations(stream: io.BytesIO) -> Iterator[tuple[str, Any]]:
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            yield opcode.name, argument
    except (ValueError, IndexError, KeyError, UnicodeDecodeError, OverflowError) as problem:
        raise ValueError(f"no whole pickle: {problem}") from problem
