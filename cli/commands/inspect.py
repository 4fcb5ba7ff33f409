"""`mcc inspect`: what is in a compiled file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mcc.cli.console import json_option, make_table, print_json, print_tables


@click.command(short_help="Show what is in a compiled file.")
@click.argument("model", type=click.Path(path_type=Path))
@json_option
def command(model: Path, as_json: bool) -> None:
    """Show the members of MODEL, its inputs and outputs, its proofs, and what it was made from."""
    from mcc.ir.artifact import REPORT, load, read_members
    from mcc.ir.container import parsed
    from mcc.ir.files import read_file

    artifact = load(model)
    _, manifest = read_members(read_file(model))
    plain: dict[str, Any] = {
        "format": manifest["version"],
        "mcc": manifest["mcc"],
        "target": manifest["target"]["name"],
        "target_digest": manifest["target_digest"],
        "signature": manifest["signature"],
        "provenance": manifest["provenance"],
        "members": manifest["members"],
        "certificates": [item.to_dict() for item in artifact.certificates],
        "sizes": parsed(REPORT, lambda: artifact.report["sizes"], str(model)),
    }
    if as_json:
        print_json(plain)
        return
    samples = artifact.signature.samples
    leaves = [("input", leaf) for leaf in artifact.signature.input_leaves]
    leaves += [("output", leaf) for leaf in artifact.signature.output_leaves]
    tensors = [
        (kind, leaf.name, leaf.dtype, "x".join(map(str, _shape(leaf.shape, samples))))
        for kind, leaf in leaves
    ]
    members = [
        (name, f"{item['bytes']:,}", item["sha256"][:16]) for name, item in plain["members"].items()
    ]
    proofs = [
        (it.subject, str(it.contract), f"{it.measured:.3g}", f"{it.bound:.3g}", it.inputs)
        for it in artifact.certificates
    ]
    about = [
        ("written by", f"mcc {plain['mcc']}, format {plain['format']}"),
        ("target", plain["target"]),
        *((key, str(value)) for key, value in plain["provenance"].items()),
    ]
    print_tables(
        make_table(str(model), ("", ""), about),
        make_table("inputs and outputs", ("", "name", "type", "shape"), tensors),
        make_table("proofs", ("of", "contract", ">measured", ">bound", "inputs"), proofs),
        make_table("members", ("name", ">bytes", "sha256"), members),
    )


def _shape(shape: tuple[int, ...], samples: bool) -> tuple[int | str, ...]:
    return ("n", *shape[1:]) if samples else shape
