"""Source locations: from the traces that torch leaves to `file:line (module.path)`."""

from __future__ import annotations

import re
import traceback
from pathlib import PurePath
from types import TracebackType

import onnx_ir as ir

from mcc.ir.diagnostics import NOWHERE, Location
from mcc.ir.network import locate, location_of

_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+)')
_SCOPES = "pkg.torch.onnx.name_scopes"
_TRACE = "pkg.torch.onnx.stack_trace"
_OURS = str(PurePath(__file__).parent)
_FRAMEWORK = ("torch/", "onnxscript/", "onnx_ir/")


def location_in_trace(trace: str, module: str = "") -> Location:
    """Find the line that the user would look at in a stack trace written as text.

    That is the innermost line outside of torch; in torch itself where there is no other.
    """
    frames = [(item["file"], int(item["line"])) for item in _FRAME.finditer(trace)]
    return _choose(frames, module)


def location_in_traceback(trace: TracebackType | None) -> Location:
    """Find the innermost line of the user's code that an exception went through."""
    frames = [(item.filename, item.lineno or 0) for item in traceback.extract_tb(trace)]
    place = _choose(frames, "")
    return NOWHERE if place.file.startswith(_FRAMEWORK) else place


def published_path(file: str) -> str:
    """Strip what is particular to this machine: keep the path in its package, or the name."""
    parts = PurePath(file).parts
    for folder in ("site-packages", "dist-packages"):
        if folder in parts:
            return PurePath(*parts[parts.index(folder) + 1 :]).as_posix()
    return PurePath(file).name


def take_locations(model: ir.Model, prefix: str, file: str = "") -> None:
    """Turn torch's traces into source locations, and drop every other trace of this machine.

    Args:
        model: Changed in place.
        prefix: What stands before the user's module paths.
        file: The model file, which stands for the source of nodes that tell no other.
    """
    for node in ir.traversal.RecursiveGraphIterator(model.graph):
        properties = node.metadata_props
        module = _module_path(properties.get(_SCOPES, ""), prefix)
        place = location_in_trace(properties.get(_TRACE, ""), module)
        if file and not place.file:
            place = location_of(node)
            place = place if place.file else Location(file, 0, module or node.name or "")
        properties.clear()
        node.doc_string = None
        locate(node, place)
        for value in node.outputs:
            value.metadata_props.clear()
            value.doc_string = None
    for value in (*model.graph.inputs, *model.graph.initializers.values()):
        value.metadata_props.clear()
        value.doc_string = None
    model.metadata_props.clear()
    model.graph.metadata_props.clear()
    model.doc_string = model.graph.doc_string = None


def _choose(frames: list[tuple[str, int]], module: str) -> Location:
    real = [
        (published_path(file), line)
        for file, line in frames
        if not file.startswith("<") and not file.startswith(_OURS)
    ]
    users = [item for item in real if not item[0].startswith(_FRAMEWORK)]
    if not real:
        return Location(module=module)
    file, line = users[-1] if users else real[-1]
    return Location(file, line, module)


def _module_path(scopes: str, prefix: str) -> str:
    """Read the innermost module from the exporter's list of scopes, which ends with the node."""
    names = re.findall(r"'([^']*)'", scopes)[:-1]
    path = next((name for name in reversed(names) if name), "")
    return "" if path == prefix.rstrip(".") else path.removeprefix(prefix)
