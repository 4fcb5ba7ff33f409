"""Reading ONNX files, with the data that lies outside of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, cast

import onnx_ir as ir

from mcc.frontend.capture import Capture
from mcc.frontend.onnx_capture import capture_model
from mcc.frontend.quiet import quiet
from mcc.frontend.request import Request
from mcc.ir.diagnostics import Diagnostic, MccError, error


def capture_onnx_file(path: Path, request: Request) -> Capture:
    """Capture an ONNX file.

    Raises:
        MccError: The file or its external data is damaged, missing or outside its folder, or the
            network in it is refused.
    """
    model = _load(path)
    if not len(model.graph) and not model.graph.outputs:
        raise error("file-damaged", f"`{path.name}` holds no network", "fetch or save it again")
    problems = [item for tensor in tensors_of(model) for item in check_tensor(tensor, path.parent)]
    if problems:
        raise MccError(problems)
    keep_external(model)
    return capture_model(model, request, path.name)


def external_files(path: Path) -> set[Path]:
    """Return the files beside an ONNX file that its constants lie in, whether they exist or not.

    Raises:
        MccError: `file-damaged`.
    """
    outside = [it for it in tensors_of(_load(path)) if isinstance(it, ir.ExternalTensor)]
    return {path.parent / str(cast(Any, it).location) for it in outside}


def tensors_of(model: ir.Model) -> Iterator[ir.TensorProtocol]:
    """Walk every stored tensor: initializers and attributes, of subgraphs and functions too."""
    for graph in (model.graph, *model.graph.subgraphs()):
        for value in graph.initializers.values():
            if value.const_value is not None:
                yield value.const_value
    for graph in (model.graph, *model.functions.values()):
        for node in graph.all_nodes():
            for attribute in node.attributes.values():
                if attribute.type == ir.AttributeType.TENSOR:
                    yield cast(ir.TensorProtocol, attribute.value)


def check_tensor(tensor: ir.TensorProtocol, folder: Path) -> list[Diagnostic]:
    """Check that a tensor has the data that its shape asks for, and where it lies."""
    if isinstance(tensor, ir.ExternalTensor):
        return _check_external(tensor, folder)
    if isinstance(tensor, ir.TensorProtoTensor):
        raw = tensor.raw
        if raw.HasField("raw_data") and len(raw.raw_data) != tensor.nbytes:
            text = f"constant `{tensor.name}` has {len(raw.raw_data)} of {tensor.nbytes} bytes"
            return [Diagnostic("file-damaged", text, "fetch or save the file again")]
    return []


def keep_external(model: ir.Model) -> None:
    """Replace external data by arrays that are mapped into memory."""
    for graph in (model.graph, *model.graph.subgraphs()):
        for value in graph.initializers.values():
            tensor = value.const_value
            if isinstance(tensor, ir.ExternalTensor):
                value.const_value = ir.Tensor(tensor.numpy(), tensor.dtype, name=tensor.name)
    for node in model.graph.all_nodes():
        for name, attribute in list(node.attributes.items()):
            if isinstance(attribute.value, ir.ExternalTensor):
                inner = attribute.value
                copy = ir.Tensor(inner.numpy(), inner.dtype, name=inner.name)
                node.attributes[name] = ir.AttrTensor(name, copy)


def _load(path: Path) -> ir.Model:
    try:
        with quiet():
            return cast(Any, ir).load(path)
    except Exception as problem:
        text = f"`{path.name}` is no ONNX model, or is cut off: {_short(_first(problem))}"
        raise error("file-damaged", text, "fetch or save it again") from problem


def _check_external(tensor: ir.ExternalTensor, folder: Path) -> list[Diagnostic]:
    location = str(cast(Any, tensor).location)
    what = f"constant `{tensor.name}` lies in `{location}`"
    parts = {*PurePosixPath(location).parts, *PureWindowsPath(location).parts}
    absolute = PurePosixPath(location).is_absolute() or bool(PureWindowsPath(location).drive)
    target = folder / location
    inside = target.resolve().is_relative_to(folder.resolve())
    if absolute or ".." in parts or not location or not inside:
        text = f"{what}, outside the folder of the model"
        return [Diagnostic("path-unsafe", text, "do not use files that do this")]
    if not target.is_file():
        text = f"{what}, and there is no such file"
        return [Diagnostic("file-missing", text, "put the file beside the model")]
    start, length = tensor.offset or 0, tensor.length
    needed = tensor.nbytes if length is None else length
    if start < 0 or needed != tensor.nbytes or start + needed > target.stat().st_size:
        size = target.stat().st_size
        text = f"{what} at byte {start}, {needed} bytes long: the file has {size},"
        text += f" the constant needs {tensor.nbytes}"
        return [Diagnostic("file-damaged", text, "fetch or save both files again")]
    return []


def _first(problem: BaseException) -> BaseException:
    """Return the cause of the causes: onnx_ir says at each level that it could not read on."""
    return problem if problem.__cause__ is None else _first(problem.__cause__)


def _short(problem: BaseException) -> str:
    lines = str(problem).strip().splitlines()
    return lines[0][:200] if lines else type(problem).__name__
