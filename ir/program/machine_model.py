"""The text of the manual that no declaration holds: memories, units and the rules of time."""

INTRODUCTION = """# The machine

Generated from the declarations in `ir/program`; do not edit. This page is normative: what a
program computes and in which cycle everything happens follows from it. Names such as
`core.queue_depth` are fields of the target ([hardware.md](hardware.md)). `ceil` rounds up.
"""

MODEL = """## Parts

A chip has `chip.mesh_rows * chip.mesh_cols` cores, numbered row by row, one **global buffer**,
and a host beside it. A core has

- a **sequencer**, which takes the instructions of the core in order and hands them to units;
- a **local memory** of `core.memory.bytes`;
- one **array unit** per macro (`a0`, `a1`, …), a **vector unit** (`v`) and a **mover** (`m`);
- core 0 also the **host unit** (`h`).

Every unit has a queue of `core.queue_depth` instructions in front of it, besides the one that it
executes. A unit executes its instructions one after another, in the order of the queue; different
units work side by side. A unit is **idle** when it executes nothing and its queue is empty.

Semaphores are counters that start at 0; a semaphore is waited for by one core only. Memories are
addressed in bytes, the lowest byte of a number first. Before the first cycle the global buffer
holds the constants and the network inputs, every macro the first of its cell images, and
everything else is undefined.

## Streams

A stream is an element type, a base address, dimensions (count and stride in bytes, outermost
first) and steps (bytes per iteration of each enclosing loop, outermost first; missing ones are
0). In the iterations `n_0, n_1, …` of the enclosing loops, element `(i_0, i_1, …)` lies at `base
+ sum(step_l * n_l) + sum(i_d * stride_d)`. Elements are taken in row-major order. A stride of 0
repeats elements and is for sources only. An instruction reads its sources and writes its result
as if alone, provided that no other instruction in flight touches the same bytes; it may write
where it reads only if every element is written exactly where the same element was read. Two
instructions of different units that touch the same bytes, one of them writing, need a `wait`
between them; sums to which several `mvm` add are the exception.

## Resources

Steps of instructions hold shared resources. A resource is held by at most as many steps at a time
as its capacity.

| resource | number | capacity |
|---|---|---|
| local memory ports of core c | c | `core.memory.ports` |
| global buffer ports | cores | `chip.buffer.ports` |
| host | cores + 1 | 1 |
| link that leaves core c to the east, west, south, north | cores + 2 + 4 c + 0, 1, 2, 3 | 1 |
| link from the buffer into row r | cores + 2 + 4 cores + r | 1 |

The global buffer lies along the west edge of the mesh: the core in column 0 of every row reaches
it by its west link and is reached by the link into its row. A message goes along its row first,
then along its column, and holds all links of its path at once.

## Pipelines

The timing rule of an instruction gives a **pipeline**: stages, each of which is one **step** (a
number of cycles, at least one, and the resources that it holds for all of them), and a count of
iterations, each of which passes all stages in order. Most instructions are one stage, once. Step
(s, i), that is stage s of iteration i, is **ready** when

1. the unit has started the instruction,
2. step (s - 1, i) has ended (for s > 0),
3. step (s, i - 1) has ended (for i > 0), and
4. step (s + 1, i - 1) has started (for i > 0 and all but the last stage): the stage has handed on
   what it held.

The instruction ends when the last stage of the last iteration ends.

## A cycle

Cycle 0 is the first. Every cycle t has four phases. Within a phase the order of cores is that of
their numbers, which matters for nothing but what is said below.

1. **End.** Every step that was started with c cycles in cycle t - c ends and gives its resources
   back. An instruction whose last step ended is done, and its unit executes nothing. Semaphores
   posted `max(1, chip.sync_cycles)` cycles ago rise by one.
2. **Issue.** Every sequencer that has not halted looks at its next instruction and issues it if
   all units in its `wait` are idle and
   - for an instruction of a unit: the queue of the unit holds fewer than `core.queue_depth`
     instructions; it is put into the queue;
   - for `post` and `halt`: all units of the core are idle;
   - for `wait`: the semaphore is at least `count`, which is then subtracted;
   - for `loop` and `end`: nothing more.

   A sequencer issues at most one instruction a cycle; if it issued one, it looks at the following
   one in cycle t + 1, else at the same one.
3. **Start.** Every unit that executes nothing and has a queue that is not empty takes the first
   instruction of its queue, which starts in cycle t. `send` and `recv` start together only, when
   each is first in the queue of its mover, names the core of the other, and both movers execute
   nothing.
4. **Grant.** In rounds. In every round, all steps that are ready and have not started request
   their resources; the first cycle in which a step does so is its request cycle. Requests are
   visited in order of (request cycle, core, unit, stage), units being ordered `v`, `m`, `h`,
   `a0`, `a1`, … A step all of whose resources have room is granted: it starts in cycle t and
   holds them from now on; a step for which one has no room is passed over and holds nothing. When
   a round granted something, another round follows in the same cycle, as further steps may be
   ready now.

   A `send` and its `recv` are one step of the sending core's mover.

A program ends when every sequencer has halted; it took one cycle more than the number of the
cycle of the last `halt`. A unit is **busy** in the cycles from the start of an instruction to its
end, a resource in the cycles of every step that holds it. No program is faster than the busy
cycles of its busiest unit, or the busy cycles of a resource over its capacity. When no step runs,
no semaphore is about to rise and nothing was issued or started in a cycle, a program that has not
ended never will: it is deadlocked.

## Energy

A run costs `count * joules` summed over the events that each executed instruction declares (the
fields of `energy`), `core_static_watts` for every core and `chip_static_watts` once, times the
time of the run.
"""

ENCODING = """## Binary form

Numbers are little-endian: `u8`, `u16`, `u32`, `i32`, `f64`. The header is the magic `mccprog\\0`,
a `u16` version and a `u16` number of sections; for each section its name (8 bytes, padded with
zeros), a `u32` CRC-32 of its bytes and a `u64` length; and a `u32` CRC-32 of all of this. The
sections follow without gaps. Section `cores` holds the `u16` number of cores and for each a `u32`
number of instructions and the instructions. An instruction is its opcode (`u8`), its `wait`
(units as below), then its fields in the order of their tables.

| kind | bytes |
|---|---|
| units | `u16` count, then a `u16` per unit in rising order: `v` 0, `m` 1, `h` 2, `a<i>` 3 + i |
| stream | `u8` type, dimensions, steps; `u32` base; `u32` count, `i32` stride each; `i32` steps |
| word | `u8`, its place in the list of words |
| absent or present | `u8` 0 or 1, then the field if present |

Element types by number: TYPES.

## Assembly text

One instruction a line: the mnemonic, a dot and a word where the instruction has one, then
`field=value` in any order, then `wait=` and the units to wait for, as in `wait=v,m,a0-a7`. `core
N` begins the code of a core. What follows `;` is a remark. A stream is
`type@base[count:stride,…]+{step,…}`, for example `u8@416[28:84,3:1]+{84}`, with the types
TEXT_TYPES; an absent one is `-` or left out.
"""
