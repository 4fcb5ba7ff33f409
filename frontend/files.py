"""Model files: told apart by what is in them."""

from __future__ import annotations

from pathlib import Path

from mcc.frontend.capture import Capture
from mcc.frontend.request import Request
from mcc.ir.diagnostics import error
from mcc.ir.files import unreadable

TORCH_SUFFIXES = frozenset({".pt", ".pth", ".pt2", ".bin", ".ckpt"})


def capture_file(path: Path, request: Request) -> Capture:
    """Capture the network in a file.

    Raises:
        MccError: The file is missing, of no known kind, damaged, or its network is refused.
    """
    check_readable(path)
    if path.suffix == ".onnx":
        from mcc.frontend.onnx_files import capture_onnx_file

        return capture_onnx_file(path, request)
    if path.suffix not in TORCH_SUFFIXES:
        text = f"`{path.name}` is of no known kind"
        raise error("file-kind", text, "known: .pt, .pth, .pt2 and .onnx")
    try:
        from mcc.frontend.torch_files import capture_torch_file
    except ModuleNotFoundError as problem:
        if problem.name != "torch":
            raise
        text = f"`{path.name}` needs torch, which is not installed"
        raise error("torch-missing", text, "pip install 'mcc[torch]'") from problem
    return capture_torch_file(path, request)


def check_readable(path: Path) -> None:
    """Refuse a path that is no readable file."""
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as problem:
        raise unreadable(path, problem) from problem
    if empty:
        raise error("file-damaged", f"`{path.name}` is empty", "fetch or save it again")
