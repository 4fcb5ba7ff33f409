"""Torch files: told apart, and refused, without running what is in them."""

from __future__ import annotations

import io
import json
import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn

from mcc.frontend import Capture, capture
from mcc.frontend.pt_files import FileKind, inspect_file
from mcc.ir.diagnostics import MccError
from mcc.ir.network import ReferenceExecutor

X = torch.linspace(-1, 1, 8).reshape(2, 4)


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 3), nn.ReLU()).eval()


def wrong_network() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 2), nn.ReLU(), nn.Linear(2, 1))


def no_network() -> int:
    return 3


def save_program(module: nn.Module, path: Path) -> None:
    cast(Any, torch.export).save(cast(Any, torch.export).export(module, (X[:1],)), path)


def save_script(module: nn.Module, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cast(Any, torch.jit).script(module).save(path)


def save_state(module: nn.Module, path: Path) -> None:
    torch.save(module.state_dict(), path)


def save_checkpoint(module: nn.Module, path: Path) -> None:
    torch.save({"epoch": 3, "state_dict": module.state_dict()}, path)


def save_old_state(module: nn.Module, path: Path) -> None:
    torch.save(module.state_dict(), path, _use_new_zipfile_serialization=False)


def save_pickle(module: nn.Module, path: Path) -> None:
    torch.save(module, path)


def save_old_pickle(module: nn.Module, path: Path) -> None:
    torch.save(module, path, _use_new_zipfile_serialization=False)


KINDS = [
    (save_program, FileKind.PROGRAM),
    (save_script, FileKind.SCRIPT),
    (save_state, FileKind.STATE),
    (save_checkpoint, FileKind.STATE),
    (save_old_state, FileKind.STATE),
    (save_pickle, FileKind.PICKLE),
    (save_old_pickle, FileKind.PICKLE),
]
Save = Callable[[nn.Module, Path], None]


@pytest.mark.parametrize(("save", "kind"), KINDS)
def test_the_kind_is_found_by_content(save: Save, kind: FileKind, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    save(network(), path)
    found = inspect_file(path)
    assert found.kind is kind
    assert bool(found.imports) == (kind is FileKind.PICKLE)


def code_of(path: Path, **options: Any) -> tuple[str, str]:
    with pytest.raises(MccError) as caught:
        capture(path, **options)
    first = caught.value.diagnostics[0]
    assert caught.value.exit_code == 1
    return first.code, first.message


def check(captured: Capture, module: nn.Module) -> None:
    assert captured.samples
    executor = ReferenceExecutor(captured.network)
    found = executor.run({executor.inputs[0]: X[:1].numpy()})[executor.outputs[0]]
    with torch.no_grad():
        np.testing.assert_allclose(found, module(X[:1]).numpy(), rtol=1e-5)
    assert "/" not in captured.provenance["file"]


def test_program_brings_its_own_examples(tmp_path: Path) -> None:
    module = network()
    save_program(module, tmp_path / "model.pt2")
    check(capture(tmp_path / "model.pt2"), module)


def test_script_is_converted(tmp_path: Path) -> None:
    module = network()
    save_script(module, tmp_path / "model.pt")
    check(capture(tmp_path / "model.pt", X), module)


@pytest.mark.parametrize("save", [save_state, save_checkpoint, save_old_state])
def test_state_dict_needs_its_module(save: Save, tmp_path: Path) -> None:
    module = network()
    path = tmp_path / "model.pt"
    save(module, path)
    code, message = code_of(path)
    assert code == "module-factory"
    assert "state dict" in message
    check(capture(path, X, module_factory=network), module)


def test_factory_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = network()
    save_state(module, tmp_path / "model.pt")
    source = "from torch import nn\ndef make(): return nn.Sequential(nn.Linear(4, 3), nn.ReLU())\n"
    (tmp_path / "factory_for_test.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    check(capture("model.pt", X, module_factory="factory_for_test:make"), module)
    for name in ("factory_for_test:none", "no_such_module:make", "factory_for_test"):
        assert code_of(tmp_path / "model.pt", module_factory=name)[0] == "module-factory"


def test_factory_of_something_else(tmp_path: Path) -> None:
    save_state(network(), tmp_path / "model.pt")
    factory: Any = no_network
    assert code_of(tmp_path / "model.pt", module_factory=factory)[0] == "module-factory"


def test_state_of_another_module_is_refused_with_all_differences(tmp_path: Path) -> None:
    save_state(network(), tmp_path / "model.pt")
    with pytest.raises(MccError) as caught:
        capture(tmp_path / "model.pt", X, module_factory=wrong_network)
    assert {item.code for item in caught.value.diagnostics} == {"state-mismatch"}
    assert len(caught.value.diagnostics) == 4


@pytest.mark.parametrize("save", [save_pickle, save_old_pickle])
def test_pickle_needs_consent(save: Save, tmp_path: Path) -> None:
    module = network()
    path = tmp_path / "model.pt"
    save(module, path)
    code, message = code_of(path, example_inputs=X)
    assert code == "pickle-untrusted"
    assert "torch.nn.modules.linear.Linear" in message
    captured = capture(path, X, trust_pickle=True)
    assert captured.findings[0].code == "pickle-trusted"
    check(captured, module)


class Bomb:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("exploded"),))


def test_no_pickle_runs_without_consent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"a": Bomb()}, tmp_path / "new.pt")
    torch.save({"a": Bomb()}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Bomb()))
    for protocol in range(2, 6):
        (tmp_path / f"p{protocol}.pt").write_bytes(pickle.dumps([Bomb()], protocol))
    for path in tmp_path.glob("*.pt"):
        assert code_of(path)[0] == "pickle-untrusted", path
    assert not (tmp_path / "exploded").exists()


def rewrite(path: Path, change: Callable[[str, bytes], bytes], extra: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path) as archive:
        members = [(item.filename, archive.read(item)) for item in archive.infolist()]
    root = members[0][0].partition("/")[0]
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members:
            archive.writestr(name, change(name, data))
        for name, data in extra.items():
            archive.writestr(f"{root}/{name}", data)


def test_pickles_inside_a_program_need_consent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    buffer = io.BytesIO()
    torch.save(Bomb(), buffer)

    def weights(name: str, data: bytes) -> bytes:
        if not name.endswith("model_weights_config.json"):
            return data
        config = json.loads(data)
        entry = config["config"]["0.bias"]
        entry.update(use_pickle=True, path_name="weight_9", tensor_meta=None)
        return json.dumps(config).encode()

    def inputs(name: str, data: bytes) -> bytes:
        return buffer.getvalue() if "sample_inputs" in name else data

    def guards(name: str, data: bytes) -> bytes:
        if not name.endswith("models/model.json"):
            return data
        return json.dumps(json.loads(data) | {"guards_code": ["Path('exploded').touch()"]}).encode()

    for change in (weights, inputs, guards):
        path = tmp_path / "model.pt2"
        save_program(network(), path)
        rewrite(path, change, {"data/weights/weight_9": buffer.getvalue()})
        assert code_of(path)[0] == "pickle-untrusted", change
    assert not (tmp_path / "exploded").exists()


def test_compiled_code_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.pt2"
    save_program(network(), path)
    rewrite(path, lambda _, data: data, {"data/aotinductor/model/a.so": b"\x7fELF"})
    assert code_of(path)[0] == "file-kind"


@pytest.mark.parametrize(("save", "kind"), KINDS)
@pytest.mark.parametrize("kept", [0, 5, 0.3, 0.9])
def test_truncated_files_are_refused(
    save: Save, kind: FileKind, kept: float, tmp_path: Path
) -> None:
    path = tmp_path / "model.pt"
    save(network(), path)
    data = path.read_bytes()
    path.write_bytes(data[: int(kept) if kept >= 1 else int(kept * len(data))])
    code, _ = code_of(path, trust_pickle=True, module_factory=network, example_inputs=X)
    assert code == "file-damaged"


def test_zip_bombs_are_refused_before_unpacking(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("m/data.pkl", "w") as member:
            for _ in range(64):
                member.write(bytes(1 << 20))
    code, message = code_of(path)
    assert code == "file-too-large"
    assert str(64 << 20) in message


def test_overlapping_members_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("m/data.pkl", b"x" * 100)
        first = archive.infolist()[0]
        twin = zipfile.ZipInfo("m/data/0")
        for name in ("header_offset", "file_size", "compress_size", "CRC"):
            setattr(twin, name, getattr(first, name))
        archive.filelist.append(twin)
        archive.NameToInfo[twin.filename] = twin
    path.write_bytes(buffer.getvalue())
    assert code_of(path)[0] == "file-damaged"


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("model.pt", b"", "file-damaged"),
        ("model.pt", b"hello", "file-damaged"),
        ("model.xyz", b"hello", "file-kind"),
    ],
)
def test_other_files_are_refused(name: str, data: bytes, code: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    assert code_of(tmp_path / name)[0] == code


def test_other_zip_files_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.pt", "w") as archive:
        archive.writestr("a/b", b"c")
    assert code_of(tmp_path / "model.pt")[0] == "file-kind"


def test_missing_files_are_refused(tmp_path: Path) -> None:
    assert code_of(tmp_path / "model.pt")[0] == "file-missing"
    assert code_of(tmp_path)[0] == "file-missing"
