"""The binary form of a program.

A header, a table of sections with their lengths and checksums, a checksum of all that, and the
sections in a fixed order. Cells and host graphs are kept elsewhere; sections hold their checksums.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from mcc.ir.diagnostics import error
from mcc.ir.hardware.target import Target
from mcc.ir.program.binary import U32, Reader, Writer
from mcc.ir.program.checks import problems
from mcc.ir.program.code import read_cores, write_cores
from mcc.ir.program.program import Program
from mcc.ir.program.records import (
    read_calls,
    read_constants,
    read_images,
    read_memory,
    read_nodes,
    read_ports,
    read_target,
    read_tiles,
    write_calls,
    write_constants,
    write_images,
    write_memory,
    write_nodes,
    write_ports,
    write_target,
    write_tiles,
)

MAGIC = b"mccprog\0"
VERSION = 1
_HEADER = struct.Struct("<8sHH")
_ENTRY = struct.Struct("<8sIQ")

SECTIONS: dict[str, Callable[[Program, Writer], None]] = {
    "target": write_target,
    "memory": write_memory,
    "ports": write_ports,
    "tiles": write_tiles,
    "images": write_images,
    "calls": write_calls,
    "consts": write_constants,
    "cores": write_cores,
    "nodes": write_nodes,
}
"""The sections in their order, each with its writer."""


def encode(program: Program) -> bytes:
    """Return the binary form.

    Raises:
        MccError: A number does not fit its field.
    """
    payloads: list[bytes] = []
    for name, write in SECTIONS.items():
        writer = Writer()
        try:
            write(program, writer)
        except struct.error as cause:
            raise error("program-invalid", f"section {name}: {cause}") from cause
        payloads.append(bytes(writer.data))
    header = _HEADER.pack(MAGIC, VERSION, len(payloads))
    for name, payload in zip(SECTIONS, payloads, strict=True):
        header += _ENTRY.pack(name.encode(), zlib.crc32(payload), len(payload))
    return b"".join([header, U32.pack(zlib.crc32(header)), *payloads])


def decode(
    data: bytes,
    target: Target,
    cells: Sequence[NDArray[np.uint8]],
    host_graphs: Sequence[bytes],
) -> Program:
    """Return the program of a binary form.

    Args:
        data: What `encode` returned.
        target: The target it was compiled for.
        cells: States of the cells of every image.
        host_graphs: The ONNX models.

    Raises:
        MccError: `program-damaged`, naming the section and the byte.
    """
    readers = _sections(data)
    read_target(readers["target"], target)
    semaphores, buffer_bytes, memory_bytes = read_memory(readers["memory"])
    inputs, outputs = read_ports(readers["ports"])
    cores = read_cores(readers["cores"])
    program = Program(
        target=target,
        cores=cores,
        tiles=read_tiles(readers["tiles"]),
        images=read_images(readers["images"], cells),
        constants=read_constants(readers["consts"]),
        host_calls=read_calls(readers["calls"], host_graphs),
        host_graphs=tuple(host_graphs),
        inputs=inputs,
        outputs=outputs,
        semaphores=semaphores,
        buffer_bytes=buffer_bytes,
        memory_bytes=memory_bytes,
        source_map=read_nodes(readers["nodes"], [len(core) for core in cores]),
    )
    for reader in readers.values():
        reader.end()
    for where, problem in problems(program):
        raise error("program-damaged", f"{where}: {problem}")
    return program


def _sections(data: bytes) -> dict[str, Reader]:
    size = _HEADER.size + len(SECTIONS) * _ENTRY.size
    header = Reader("header", data[: size + U32.size])
    if len(data) < size + U32.size:
        header.fail("the file ends inside of the header")
    magic, version, count = _HEADER.unpack_from(data)
    if magic != MAGIC or version != VERSION or count != len(SECTIONS):
        header.fail(f"this is no program of version {VERSION}")
    if U32.unpack_from(data, size)[0] != zlib.crc32(data[:size]):
        header.fail("the checksum differs")
    readers: dict[str, Reader] = {}
    position = size + U32.size
    for index, name in enumerate(SECTIONS):
        tag, checksum, length = _ENTRY.unpack_from(data, _HEADER.size + index * _ENTRY.size)
        if tag.rstrip(b"\0") != name.encode():
            header.fail(f"section {index} is not {name}")
        payload = data[position : position + length]
        reader = Reader(name, payload)
        if len(payload) != length:
            reader.fail("the file ends inside of this section")
        if zlib.crc32(payload) != checksum:
            reader.fail("the checksum differs")
        readers[name] = reader
        position += length
    if position != len(data):
        header.fail(f"{len(data) - position} bytes follow the last section")
    return readers
