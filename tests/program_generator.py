"""Seeded random programs that are legal and cannot deadlock, for tests of clocks and encodings.

Instructions are drawn in one global order in which every post comes before its wait and both sides
of a message at once; so the earliest instruction that is not done can always go on.
"""

from __future__ import annotations

import random
from functools import cache
from typing import final

import numpy as np

from mcc.backends.crossbar import targets
from mcc.ir.hardware import Target
from mcc.ir.hardware.encoding import physical_columns
from mcc.ir.program import (
    HOST,
    MOVER,
    VECTOR,
    Constant,
    DType,
    HostCall,
    Image,
    Program,
    Region,
    Stream,
    Tile,
    Unit,
    array,
)
from mcc.ir.program.instructions import (
    Binary,
    BinaryOperation,
    CallHost,
    Copy,
    Dequantize,
    EndLoop,
    Fill,
    Halt,
    Instruction,
    Load,
    Loop,
    Mvm,
    Post,
    ProgramMacro,
    Quantize,
    Recv,
    Reduce,
    ReduceOperation,
    Send,
    Store,
    Unary,
    UnaryOperation,
    Wait,
)

BUFFER_BYTES = 4096
MEMORY_BYTES = 4096
F32, I32 = DType.FLOAT32, DType.INT32


@cache
def _base() -> Target:
    return targets.load("rram40nm")


def small_target(random_: random.Random) -> Target:
    """Return a target of a few cores with short times, so that everything collides."""
    choose = random_.choice
    return _base().with_values(
        {
            "chip.mesh_rows": random_.randint(1, 2),
            "chip.mesh_cols": random_.randint(1, 3),
            "chip.link_bytes_per_cycle": choose([4, 16]),
            "chip.hop_cycles": random_.randint(0, 2),
            "chip.sync_cycles": random_.randint(0, 4),
            "chip.buffer.ports": random_.randint(1, 2),
            "chip.buffer.port_bytes": choose([8, 32]),
            "core.macros": random_.randint(1, 3),
            "core.queue_depth": random_.randint(1, 3),
            "core.memory.ports": random_.randint(1, 2),
            "core.memory.port_bytes": choose([4, 8, 32]),
            "core.vector.lanes": choose([4, 16]),
            "macro.rows": 16,
            "macro.cols": 64,
            "macro.active_rows": choose([4, 16]),
            "macro.dac_bits": choose([1, 4]),
            "macro.accumulation": choose(["digital", "analog"]),
            "macro.input_coding": choose(["level", "pulse_width"]),
            "macro.subtraction": choose(["before", "after"]),
            "macro.settle_cycles": random_.randint(1, 3),
            "macro.sample_and_hold": random_.random() < 0.5,
            "macro.adc.cycles": random_.randint(1, 2),
            "macro.adc.columns_per_adc": choose([2, 4]),
            "cell.bits": 4,
            "cell.write_pulses": 1,
            "cell.write_pulse_seconds": 1e-8,
            "host.call_seconds": choose([1e-8, 3e-7]),
        }
    )


@final
class Generator:
    """Draws one program."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.target = small_target(self.random)
        self.cores = self.target.chip.mesh_rows * self.target.chip.mesh_cols
        self.code: list[list[Instruction]] = [[] for _ in range(self.cores)]
        self.depth = 0
        self.budget = self.random.randint(10, 50)
        self.images = tuple(self.image(core, 0) for core in range(self.cores))
        self.tiles = tuple(self.tile(core) for core in range(self.cores) for _ in range(2))
        self.calls = (self.call(10), self.call(2000))

    def program(self) -> Program:
        """Return the program."""
        self.block(tuple(range(self.cores)))
        for core in self.code:
            core.append(
                Halt(wait=frozenset({VECTOR}) if self.random.random() < 0.3 else frozenset())
            )
        values = np.arange(7, dtype=np.float32)
        return Program(
            target=self.target,
            cores=tuple(tuple(core) for core in self.code),
            tiles=self.tiles,
            images=self.images,
            constants=(Constant.of("weights", 128, values),),
            host_calls=self.calls,
            host_graphs=(b"a graph",),
            inputs=(Region("x", 0, DType.UINT8, (1, 16)),),
            outputs=(Region("y", 64, F32, (2, 3)),),
            semaphores=2 * self.cores,
            buffer_bytes=BUFFER_BYTES,
            memory_bytes=(MEMORY_BYTES,) * self.cores,
            source_map=tuple(tuple(f"node{i % 3}" for i in range(len(c))) for c in self.code),
        )

    def image(self, core: int, macro: int) -> Image:
        """Return cells of a macro."""
        cells = np.random.default_rng(core).integers(0, 16, (16, 64), np.uint8)
        return Image(core, macro, cells)

    def tile(self, core: int) -> Tile:
        """Return a tile somewhere in macro 0 of a core."""
        rows, bits = self.random.randint(1, 8), self.random.choice([4, 8])
        columns = physical_columns(self.target.macro, self.target.cell, bits)
        cols = self.random.randint(1, 32 // columns)
        return Tile(
            core=core,
            macro=0,
            row=self.random.randint(0, 8),
            col=self.random.randint(0, 32),
            rows=rows,
            cols=cols,
            weight_bits=bits,
            input_bits=self.random.choice([4, 8]),
            input_signed=self.random.random() < 0.5,
            shift=self.random.randint(0, 3),
            flips=b"",
            image=core,
            node=f"layer{core}",
            block=(0, core),
        )

    def call(self, operations: int) -> HostCall:
        """Return a host call."""
        inputs = (Region("a", 0, F32, (4, 4)), Region("b", 64, DType.INT64, ()))
        return HostCall(0, inputs, (Region("c", 256, F32, (16,)),), operations)

    def block(self, members: tuple[int, ...]) -> None:
        """Draw code for some cores."""
        for _ in range(self.random.randint(2, 8)):
            if self.budget <= 0:
                return
            self.budget -= 1
            kind = self.random.random()
            if kind < 0.12 and self.depth < 3:
                self.loop(members)
            elif kind < 0.22 and len(members) > 1:
                self.message(members)
            elif kind < 0.32:
                self.semaphore(members)
            else:
                core = self.random.choice(members)
                for _ in range(self.random.randint(1, 4)):
                    self.code[core].append(self.unit_instruction(core))

    def loop(self, members: tuple[int, ...]) -> None:
        """Draw a loop that some cores run the same number of times."""
        chosen = tuple(core for core in members if self.random.random() < 0.7)
        count = self.random.randint(1, 4)
        for core in chosen:
            self.code[core].append(Loop(count, wait=self.wait(core)))
        self.depth += 1
        if chosen:
            self.block(chosen)
        self.depth -= 1
        for core in chosen:
            self.code[core].append(EndLoop())

    def message(self, members: tuple[int, ...]) -> None:
        """Draw both sides of a message."""
        sender, receiver = self.random.sample(members, 2)
        count = self.random.randint(1, 24)
        self.code[sender].append(Send(receiver, self.stream(F32, (count,)), wait=self.wait(sender)))
        self.code[receiver].append(
            Recv(sender, self.stream(F32, (count,)), wait=self.wait(receiver))
        )

    def semaphore(self, members: tuple[int, ...]) -> None:
        """Draw some posts and the wait for them; a semaphore has one core that waits."""
        waiter = self.random.choice(members)
        number = 2 * waiter + self.random.randint(0, 1)
        count = self.random.randint(1, 3)
        for _ in range(count):
            self.code[self.random.choice(members)].append(Post(number))
        self.code[waiter].append(Wait(number, count))

    def wait(self, core: int) -> frozenset[Unit]:
        """Draw units to wait for."""
        units = [VECTOR, MOVER, *(array(i) for i in range(self.target.core.macros))]
        if core == 0:
            units.append(HOST)
        return frozenset(unit for unit in units if self.random.random() < 0.15)

    def stream(self, dtype: DType, shape: tuple[int, ...]) -> Stream:
        """Draw a dense stream with room for the steps of all loops."""
        steps = tuple(self.random.choice([0, 4, 8]) for _ in range(self.depth))
        base = 4 * self.random.randint(0, 500)
        return Stream.dense(dtype, base, shape, steps)

    def unit_instruction(self, core: int) -> Instruction:
        """Draw an instruction of a unit."""
        wait, count = self.wait(core), self.random.randint(1, 40)
        shape = (count,)
        real = [self.stream(F32, shape) for _ in range(3)]
        codes, sums = self.stream(DType.UINT8, shape), self.stream(I32, shape)
        kind = self.random.randint(0, 12)
        if kind <= 3:
            return self.mvm(core, wait)
        if kind == 4 and core == 0:
            return CallHost(self.random.randint(0, 1), wait=wait)
        if kind == 5:
            return Quantize(codes, real[0], real[1], 3, 0, 255, wait=wait)
        if kind == 6:
            bias = real[2] if self.random.random() < 0.5 else None
            source = self.random.choice((sums, codes))
            return Dequantize(real[0], source, real[1], bias, wait=wait)
        if kind == 7:
            operation = self.random.choice(list(BinaryOperation))
            return Binary(operation, real[0], real[1], real[2], wait=wait)
        if kind == 8:
            clip = UnaryOperation.CLIP
            return Unary(clip, real[0], real[1], -0.1, float("inf"), wait=wait)
        if kind == 9:
            source = self.stream(F32, (count, 3))
            return Reduce(self.random.choice(list(ReduceOperation)), real[0], source, 1, wait=wait)
        if kind == 10:
            return self.random.choice([Load, Store])(real[0], real[1], wait=wait)
        if kind == 11:
            return self.random.choice(
                [Copy(real[0], real[1], wait=wait), Fill(real[0], 0.1, wait=wait)]
            )
        macro = self.random.randrange(self.target.core.macros)
        if macro == 0 and self.random.random() < 0.3:
            return ProgramMacro(0, core, wait=wait)
        return Load(real[0], real[1], wait=wait)

    def mvm(self, core: int, wait: frozenset[Unit]) -> Instruction:
        """Draw a product with one of the tiles of a core."""
        index = 2 * core + self.random.randint(0, 1)
        tile, positions = self.tiles[index], self.random.randint(1, 6)
        dtype = DType.INT8 if tile.input_signed else DType.UINT8
        source = self.stream(dtype, (positions, tile.rows))
        return Mvm(index, source, 1, self.stream(I32, (positions, tile.cols)), wait=wait)


def random_program(seed: int) -> Program:
    """Return the random program of a seed."""
    return Generator(seed).program()
