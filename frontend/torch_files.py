"""Loading torch files, each kind in its own way, and only what the user agreed to."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from torch.export import ExportedProgram

from mcc.frontend.capture import Capture
from mcc.frontend.files import needless_factory
from mcc.frontend.pt_files import FileKind, Inspection, inspect_file
from mcc.frontend.quiet import quiet
from mcc.frontend.request import Request
from mcc.frontend.torch_capture import capture_module
from mcc.frontend.torch_script import capture_script
from mcc.frontend.torch_sources import argument_names, capture_program, capture_torch
from mcc.ir.diagnostics import Diagnostic, MccError, Severity, error

_STATE_KEYS = ("state_dict", "model_state_dict", "model")


def capture_torch_file(path: Path, request: Request) -> Capture:
    """Capture a file that torch wrote.

    Raises:
        MccError: It is damaged, it would run code that the user did not agree to, or the network
            in it is refused.
    """
    inspection = inspect_file(path)
    if inspection.imports and not request.trust_pickle:
        raise _untrusted(path, inspection)
    whole = inspection.kind in (FileKind.PROGRAM, FileKind.SCRIPT)
    if whole and request.module_factory is not None:
        raise needless_factory(path)
    if inspection.kind is FileKind.PROGRAM:
        found = capture_program(_load(path, lambda: torch.export.load(path)), request)
    elif inspection.kind is FileKind.SCRIPT:
        found = capture_script(_load(path, lambda: cast(Any, torch.jit).load(path, "cpu")), request)
    elif inspection.kind is FileKind.STATE:
        loaded = _load(path, lambda: torch.load(path, "cpu", weights_only=True))
        found = _capture_state(path, loaded, request)
    else:
        with _beside_user_code():
            loaded = _load(path, lambda: torch.load(path, "cpu", weights_only=False))
        found = _capture_pickled(path, loaded, request)
    findings = (*_trusted(path, inspection), *found.findings)
    provenance = {**found.provenance, "file": path.name, "kind": str(inspection.kind)}
    return replace(found, findings=findings, provenance=provenance)


def _load(path: Path, load: Callable[[], Any]) -> Any:
    try:
        with quiet():
            return load()
    except Exception as problem:
        reason = str(problem).strip().splitlines()
        text = f"torch cannot load `{path.name}`: {reason[0] if reason else type(problem).__name__}"
        raise error("file-damaged", text, "fetch or save it again") from problem


def _capture_pickled(path: Path, loaded: Any, request: Request) -> Capture:
    if isinstance(loaded, Mapping):
        return _capture_state(path, loaded, request)
    if request.module_factory is not None:
        raise needless_factory(path)
    if isinstance(loaded, (torch.nn.Module, ExportedProgram)):
        found = capture_torch(loaded, request)
        assert found is not None
        return found
    text = f"the pickle in `{path.name}` is {type(loaded).__name__}, no module"
    raise error("file-kind", text, "save the module or its state dict")


def _capture_state(path: Path, loaded: Any, request: Request) -> Capture:
    state = _state_in(path, loaded)
    if request.module_factory is None:
        raise error(
            "module-factory",
            f"`{path.name}` is a state dict: {len(state)} tensors without the module they are for",
            "name the function that builds the module: `--module pkg.mod:factory`",
        )
    module = build_module(request.module_factory)
    _fit(path, module, state)
    args, kwargs = request.arguments(argument_names(module))
    return capture_module(module, args, kwargs)


def _state_in(path: Path, loaded: Any) -> dict[str, torch.Tensor]:
    """Find the tensors by name, at the top or under one of the usual keys of a checkpoint."""
    top = dict(cast("Mapping[Any, Any]", loaded)) if isinstance(loaded, Mapping) else {}
    for candidate in (top, *(top.get(key) for key in _STATE_KEYS)):
        items = cast("dict[Any, Any]", candidate) if isinstance(candidate, dict) else {}
        if items and all(isinstance(item, torch.Tensor) for item in items.values()):
            return {str(name): tensor for name, tensor in items.items()}
    text = f"`{path.name}` holds no state dict"
    raise error("file-kind", text, "save `module.state_dict()`")


def _fit(path: Path, module: torch.nn.Module, state: dict[str, torch.Tensor]) -> None:
    """Load a state dict strictly, and say every difference."""
    own = module.state_dict()
    problems = [f"`{name}` is missing in the file" for name in own if name not in state]
    problems += [f"`{name}` is not in the module" for name in state if name not in own]
    problems += [
        f"`{name}` is {tuple(state[name].shape)} in the file, {tuple(own[name].shape)} in the"
        " module"
        for name in own
        if name in state and own[name].shape != state[name].shape
    ]
    if problems:
        help = f"`{path.name}` belongs to another module or configuration"
        raise MccError([Diagnostic("state-mismatch", text, help) for text in problems])
    module.load_state_dict(state)


def build_module(factory: str | Callable[[], Any]) -> torch.nn.Module:
    """Call the user's function that builds a module.

    Raises:
        MccError: It is not found, fails, or gives something else.
    """
    name = factory if isinstance(factory, str) else getattr(factory, "__name__", "the factory")
    with _beside_user_code():
        try:
            function = _find(factory) if isinstance(factory, str) else factory
            module = function()
        except MccError:
            raise
        except Exception as problem:
            text = f"`{name}` fails: {type(problem).__name__}: {problem}"
            help = "it is called without arguments, from the working directory"
            raise error("module-factory", text, help) from problem
    if not isinstance(module, torch.nn.Module):
        text = f"`{name}` returns {type(module).__name__}, no nn.Module"
        raise error("module-factory", text, "name a function that returns the module")
    return module


def _find(factory: str) -> Callable[[], Any]:
    module_name, _, function_name = factory.partition(":")
    if not module_name or not function_name:
        text = f"`{factory}` is not of the form `pkg.mod:function`"
        raise error("module-factory", text, "for example `--module models.digits:network`")
    try:
        found = getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError, TypeError) as problem:
        help = "it is imported from the working directory or the environment"
        raise error("module-factory", f"cannot find `{factory}`: {problem}", help) from problem
    return found


@contextmanager
def _beside_user_code() -> Generator[None]:
    """Let modules be imported from the working directory."""
    folder = os.getcwd()
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        if folder in sys.path:
            sys.path.remove(folder)


def _untrusted(path: Path, inspection: Inspection) -> MccError:
    a = "an" if inspection.kind is FileKind.PROGRAM else "a"
    listed = ", ".join(inspection.imports[:5])
    more = f" and {len(inspection.imports) - 5} more" if len(inspection.imports) > 5 else ""
    return error(
        "pickle-untrusted",
        f"`{path.name}` is {a} {inspection.kind} with a pickle in it: loading it runs whatever its"
        f" author put there, with your rights. It uses {listed}{more}",
        "if you trust its author, allow it with `--trust-pickle` (`trust_pickle=True`); else ask"
        " for an exported program or a state dict",
    )


def _trusted(path: Path, inspection: Inspection) -> tuple[Diagnostic, ...]:
    if not inspection.imports:
        return ()
    text = f"`{path.name}` was unpickled, which ran what its author put there"
    return (Diagnostic("pickle-trusted", text, severity=Severity.WARNING),)
