// A program as the clock takes it: flat tables of operations, pipelines and resources.

#pragma once

#include <cstdint>
#include <vector>

namespace mcc {

using Index = std::int32_t;
using Cycle = std::int64_t;

constexpr Index kNone = -1;

// The same numbers as `mcc.runtime.clock.Kind`.
enum Kind : Cycle { kLoop, kEnd, kPost, kWait, kHalt, kUnit, kSend, kRecv };

struct Operation {
  Kind kind;
  Index unit;      // Global number of the unit that executes it.
  Index pipeline;  // Of kUnit and kSend.
  Cycle first;     // Loop: iterations. Post, Wait: semaphore. Send, Recv: the other core.
  Cycle second;    // Wait: count.
};

struct Step {
  Cycle cycles;
  Index resources_begin, resources_end;
};

struct Pipeline {
  Cycle count;
  Index steps_begin, steps_end;
};

// A program as flat arrays; offsets[i] to offsets[i + 1] is the range of item i.
struct Tables {
  std::vector<Operation> operations;
  std::vector<Index> operation_offsets;  // By core.
  std::vector<Index> wait_offsets;       // By operation.
  std::vector<Index> wait_units;
  std::vector<Pipeline> pipelines;
  std::vector<Step> steps;
  std::vector<Index> step_resources;
  std::vector<Index> capacities;
  Index units_per_core, cores, semaphores;
  Cycle queue_depth, sync_cycles;
};

}  // namespace mcc
