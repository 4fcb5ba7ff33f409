"""Model files: told apart by what is in them."""

from __future__ import annotations

from pathlib import Path

from mcc.frontend.capture import Capture
from mcc.frontend.request import Request
from mcc.ir.diagnostics import MccError, error
from mcc.ir.files import unreadable

TORCH_SUFFIXES = frozenset({".pt", ".pth", ".pt2", ".bin", ".ckpt"})


def capture_file(path: Path, request: Request) -> Capture:
    """Capture the network in a file.

    Raises:
        MccError: The file is missing, of no known kind, damaged, or its network is refused.
    """
    check_kind(path)
    if path.suffix == ".onnx":
        if request.module_factory is not None:
            raise needless_factory(path)
        if request.trust_pickle:
            text = f"`{path.name}` holds no pickle that could be trusted"
            raise error(
                "option-value", text, "leave out `--trust-pickle`, which is for torch files"
            )
        from mcc.frontend.onnx_files import capture_onnx_file

        return capture_onnx_file(path, request)
    try:
        from mcc.frontend.torch_files import capture_torch_file
    except ModuleNotFoundError as problem:
        if problem.name != "torch":
            raise
        text = f"`{path.name}` needs torch, which is not installed"
        raise error("torch-missing", text, "pip install 'mcc[torch]'") from problem
    return capture_torch_file(path, request)


def check_kind(path: Path) -> None:
    """Refuse a path that is no readable file, or whose name is not that of a network.

    Raises:
        MccError: `file-missing`, `file-damaged`, `file-kind`.
    """
    check_readable(path)
    if path.suffix != ".onnx" and path.suffix not in TORCH_SUFFIXES:
        text = f"`{path.name}` is of no known kind"
        raise error("file-kind", text, "known: .pt, .pth, .pt2 and .onnx")


def files_of(path: Path) -> set[Path]:
    """Return the files that a network is read from.

    Raises:
        MccError: It is no file of a network, or damaged.
    """
    check_kind(path)
    if path.suffix != ".onnx":
        return {path}
    from mcc.frontend.onnx_files import external_files

    return {path} | external_files(path)


def brings_examples(path: Path) -> bool:
    """Tell whether a file says itself what its network is called with: exported programs do.

    Raises:
        MccError: It is no file of a network, or damaged.
    """
    from mcc.frontend.pt_files import FileKind, inspect_file

    check_kind(path)
    return path.suffix != ".onnx" and inspect_file(path).kind is FileKind.PROGRAM


def needless_factory(path: Path) -> MccError:
    """Return the refusal of a module factory for a file that has its own network."""
    text = f"`{path.name}` holds a whole network, so there is no module to build for it"
    return error("module-factory", text, "leave out `--module`, which is for state dicts")


def check_readable(path: Path) -> None:
    """Refuse a path that is no readable file."""
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as problem:
        raise unreadable(path, problem) from problem
    if empty:
        raise error("file-damaged", f"`{path.name}` is empty", "fetch or save it again")
