"""The binary form of the tables of a program, one writer and one reader a section."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mcc.ir.hardware.target import Target
from mcc.ir.program.binary import U8, U16, U32, U64, Reader, Writer
from mcc.ir.program.kinds import DTYPES
from mcc.ir.program.program import Program
from mcc.ir.program.tables import Constant, HostCall, Image, Region, Tile

_REGION_BYTES = 4 + 1 + 1 + 8
_TILE_BYTES = 11 * 4 + 1 + 4 + 4
_IMAGE_BYTES = 12
_CALL_BYTES = 4 + 4 + 8 + 8

TileNumbers = ("core", "macro", "row", "col", "rows", "cols", "weight_bits", "input_bits")


def write_target(program: Program, writer: Writer) -> None:
    """Append the digest of the target."""
    writer.text(program.target.digest())


def read_target(reader: Reader, target: Target) -> None:
    """Refuse a target with another digest."""
    if reader.text() != target.digest():
        reader.fail(f"the program was compiled for another target than this {target.name}")


def write_memory(program: Program, writer: Writer) -> None:
    """Append semaphores, used bytes of the buffer and of each local memory."""
    writer.put(U32, program.semaphores)
    writer.put(U64, program.buffer_bytes)
    writer.put(U16, len(program.memory_bytes))
    for size in program.memory_bytes:
        writer.put(U32, size)


def read_memory(reader: Reader) -> tuple[int, int, tuple[int, ...]]:
    """Take semaphores, used bytes of the buffer and of each local memory."""
    semaphores, size = reader.integer(U32), reader.integer(U64)
    cores = reader.count(U16, U32.size)
    return semaphores, size, tuple(reader.integer(U32) for _ in range(cores))


def write_region(region: Region, writer: Writer) -> None:
    """Append name, type, number of dimensions, address and shape."""
    writer.text(region.name)
    writer.put(U8, DTYPES.index(region.dtype))
    writer.put(U8, len(region.shape))
    writer.put(U64, region.address)
    for size in region.shape:
        writer.put(U32, size)


def read_region(reader: Reader) -> Region:
    """Take a region."""
    name, code = reader.text(), reader.integer(U8)
    if code >= len(DTYPES):
        reader.fail(f"there is no element type {code}")
    rank, address = reader.integer(U8), reader.integer(U64)
    shape = tuple(reader.integer(U32) for _ in range(rank))
    return Region(name, address, DTYPES[code], shape)


def _write_regions(regions: tuple[Region, ...], writer: Writer) -> None:
    writer.put(U32, len(regions))
    for region in regions:
        write_region(region, writer)


def _read_regions(reader: Reader) -> tuple[Region, ...]:
    return tuple(read_region(reader) for _ in range(reader.count(U32, _REGION_BYTES)))


def write_ports(program: Program, writer: Writer) -> None:
    """Append inputs and outputs."""
    _write_regions(program.inputs, writer)
    _write_regions(program.outputs, writer)


def read_ports(reader: Reader) -> tuple[tuple[Region, ...], tuple[Region, ...]]:
    """Take inputs and outputs."""
    return _read_regions(reader), _read_regions(reader)


def write_tiles(program: Program, writer: Writer) -> None:
    """Append the tiles."""
    writer.put(U32, len(program.tiles))
    for tile in program.tiles:
        for name in TileNumbers:
            writer.put(U32, getattr(tile, name))
        writer.put(U8, tile.input_signed)
        writer.put(U8, tile.shift)
        writer.put(U32, tile.image)
        writer.put(U32, tile.block[0])
        writer.put(U32, tile.block[1])
        writer.blob(tile.flips)
        writer.text(tile.node)


def read_tiles(reader: Reader) -> tuple[Tile, ...]:
    """Take the tiles."""
    return tuple(_read_tile(reader) for _ in range(reader.count(U32, _TILE_BYTES)))


def _read_tile(reader: Reader) -> Tile:
    numbers = {name: reader.integer(U32) for name in TileNumbers}
    signed = reader.integer(U8)
    if signed > 1:
        reader.fail("a mark of signed inputs is neither 0 nor 1")
    shift, image = reader.integer(U8), reader.integer(U32)
    block = (reader.integer(U32), reader.integer(U32))
    flips, node = reader.blob(), reader.text()
    return Tile(
        **numbers,
        input_signed=bool(signed),
        shift=shift,
        flips=flips,
        image=image,
        node=node,
        block=block,
    )


def write_images(program: Program, writer: Writer) -> None:
    """Append core, macro and checksum of the cells of every image."""
    writer.put(U32, len(program.images))
    for image in program.images:
        writer.put(U32, image.core)
        writer.put(U32, image.macro)
        writer.put(U32, _checksum(image.cells))


def read_images(reader: Reader, cells: Sequence[NDArray[np.uint8]]) -> tuple[Image, ...]:
    """Take the images; refuse cells that are not those that were written."""
    count = reader.count(U32, _IMAGE_BYTES)
    if count != len(cells):
        reader.fail(f"the program has {count} images, but {len(cells)} are given")
    images: list[Image] = []
    for index, states in enumerate(cells):
        core, macro = reader.integer(U32), reader.integer(U32)
        if states.dtype != np.uint8 or reader.integer(U32) != _checksum(states):
            reader.fail(f"the cells of image {index} (cells.npz) are not those of the program")
        images.append(Image(core, macro, states))
    return tuple(images)


def _checksum(cells: NDArray[np.uint8]) -> int:
    return zlib.crc32(np.ascontiguousarray(cells).data, zlib.crc32(repr(cells.shape).encode()))


def write_calls(program: Program, writer: Writer) -> None:
    """Append checksums of the host graphs, then the host calls."""
    writer.put(U32, len(program.host_graphs))
    for graph in program.host_graphs:
        writer.put(U32, zlib.crc32(graph))
    writer.put(U32, len(program.host_calls))
    for call in program.host_calls:
        writer.put(U32, call.graph)
        writer.put(U64, call.operations)
        _write_regions(call.inputs, writer)
        _write_regions(call.outputs, writer)


def read_calls(reader: Reader, host_graphs: Sequence[bytes]) -> tuple[HostCall, ...]:
    """Take the host calls; refuse graphs that are not those that were written."""
    count = reader.count(U32, U32.size)
    if count != len(host_graphs):
        reader.fail(f"the program has {count} host graphs, but {len(host_graphs)} are given")
    for index, graph in enumerate(host_graphs):
        if reader.integer(U32) != zlib.crc32(graph):
            reader.fail(f"host graph {index} (host/{index:04}.onnx) is not that of the program")
    calls: list[HostCall] = []
    for _ in range(reader.count(U32, _CALL_BYTES)):
        index, operations = reader.integer(U32), reader.integer(U64)
        calls.append(HostCall(index, _read_regions(reader), _read_regions(reader), operations))
    return tuple(calls)


def write_constants(program: Program, writer: Writer) -> None:
    """Append the constants."""
    writer.put(U32, len(program.constants))
    for constant in program.constants:
        write_region(constant.region, writer)
        writer.blob(constant.data)


def read_constants(reader: Reader) -> tuple[Constant, ...]:
    """Take the constants."""
    count = reader.count(U32, _REGION_BYTES + U32.size)
    return tuple(Constant(read_region(reader), reader.blob()) for _ in range(count))


def write_nodes(program: Program, writer: Writer) -> None:
    """Append the names of network nodes, then which of them every instruction belongs to."""
    names = sorted({node for nodes in program.source_map for node in nodes})
    numbers = {name: index for index, name in enumerate(names)}
    writer.put(U32, len(names))
    for name in names:
        writer.text(name)
    writer.put(U16, len(program.source_map))
    for nodes in program.source_map:
        flat = np.array([numbers[node] for node in nodes], "<u4")
        writer.blob(flat.tobytes())


def read_nodes(reader: Reader, lengths: list[int]) -> tuple[tuple[str, ...], ...]:
    """Take the network node of every instruction."""
    names = [reader.text() for _ in range(reader.count(U32, U32.size))]
    cores = reader.count(U16, U32.size)
    if cores not in (0, len(lengths)):
        reader.fail(f"the source map has {cores} cores, the program {len(lengths)}")
    found: list[tuple[str, ...]] = []
    for length in lengths[:cores]:
        data = reader.blob()
        if len(data) != 4 * length:
            reader.fail("the source map does not name every instruction")
        flat = np.frombuffer(data, "<u4")
        if length and int(flat.max()) >= len(names):
            reader.fail("the source map names a node that is not listed")
        found.append(tuple(names[int(number)] for number in flat))
    return tuple(found)
