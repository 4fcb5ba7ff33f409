// Checks the tables of a program, runs the clock over them and gives its results to Python.

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "clock_engine.hpp"

namespace nb = nanobind;

using namespace mcc;

namespace {

using Vector = nb::ndarray<const Cycle, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

Index narrow(Cycle value, Cycle low, Cycle high) {
  if (value < low || value >= high) throw nb::value_error("the tables of the clock are damaged");
  return static_cast<Index>(value);
}

std::vector<Index> indices(const Vector& values, Cycle low, Cycle high) {
  std::vector<Index> result(values.shape(0));
  for (std::size_t i = 0; i < result.size(); ++i) result[i] = narrow(values.data()[i], low, high);
  return result;
}

// Offsets that rise from 0 to `items`.
std::vector<Index> offsets(const Vector& values, std::size_t items) {
  std::vector<Index> result = indices(values, 0, static_cast<Cycle>(items) + 1);
  const bool rising = std::is_sorted(result.begin(), result.end());
  const bool whole = !result.empty() && result.front() == 0 &&
                     static_cast<std::size_t>(result.back()) == items;
  if (!rising || !whole) throw nb::value_error("offsets of the clock's tables are damaged");
  return result;
}

Operation operation_of(const Cycle* row, const Tables& tables) {
  const Cycle units = static_cast<Cycle>(tables.cores) * tables.units_per_core;
  Operation operation{};
  operation.kind = static_cast<Kind>(narrow(row[0], kLoop, kRecv + 1));
  operation.first = row[3];
  operation.second = row[4];
  const Kind kind = operation.kind;
  if (kind >= kUnit) operation.unit = narrow(row[1], 0, units);
  if (kind == kUnit || kind == kSend) {
    operation.pipeline = narrow(row[2], 0, static_cast<Cycle>(tables.pipelines.size()));
  }
  if (kind == kPost || kind == kWait) narrow(row[3], 0, tables.semaphores);
  if (kind == kSend || kind == kRecv) narrow(row[3], 0, tables.cores);
  return operation;
}

// Every core closes its loops and ends in its only halt.
void check_flow(const Tables& tables) {
  for (Index core = 0; core < tables.cores; ++core) {
    const Index end = tables.operation_offsets[core + 1];
    Index depth = 0, halt = kNone;
    for (Index i = tables.operation_offsets[core]; i < end && depth >= 0; ++i) {
      const Kind kind = tables.operations[i].kind;
      depth += kind == kLoop ? 1 : kind == kEnd ? -1 : 0;
      if (kind == kHalt && halt == kNone) halt = i;
    }
    if (depth != 0 || halt != end - 1) throw nb::value_error("loops or halts do not match");
  }
}

template <typename Get>
nb::object array_of(std::size_t size, Get get) {
  auto* data = new Cycle[size];
  const nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<Cycle*>(p); });
  for (std::size_t i = 0; i < size; ++i) data[i] = get(i);
  return nb::cast(nb::ndarray<nb::numpy, Cycle, nb::ndim<1>>(data, {size}, owner));
}

// Lets Python handle the signals that have come, and raises what the handlers raise.
void obey_signals() {
  const nb::gil_scoped_acquire acquire;
  if (PyErr_CheckSignals() != 0) throw nb::python_error();
}

nb::tuple run_clock(const Vector& operations, const Vector& operation_offsets,
                    const Vector& wait_offsets, const Vector& wait_units,
                    const Vector& pipeline_counts, const Vector& step_offsets,
                    const Vector& step_cycles, const Vector& resource_offsets,
                    const Vector& step_resources, const Vector& capacities,
                    Cycle units_per_core, Cycle semaphores, Cycle queue_depth, Cycle sync_cycles,
                    bool traced) {
  constexpr Cycle most = 1 << 30;
  Tables tables;
  tables.units_per_core = narrow(units_per_core, 2, most);
  tables.cores = narrow(static_cast<Cycle>(operation_offsets.shape(0)) - 1, 0, most);
  tables.semaphores = narrow(semaphores, 0, most);
  tables.queue_depth = queue_depth;
  tables.sync_cycles = narrow(sync_cycles, 1, most);
  tables.capacities = indices(capacities, 1, most);
  tables.step_resources = indices(step_resources, 0, static_cast<Cycle>(capacities.shape(0)));
  const auto of_step = offsets(resource_offsets, tables.step_resources.size());
  const auto of_pipeline = offsets(step_offsets, step_cycles.shape(0));
  if (of_step.size() != step_cycles.shape(0) + 1 ||
      of_pipeline.size() != pipeline_counts.shape(0) + 1) {
    throw nb::value_error("the tables of the clock have different lengths");
  }
  for (std::size_t i = 0; i + 1 < of_step.size(); ++i) {
    if (step_cycles.data()[i] < 1) throw nb::value_error("a step takes at least one cycle");
    tables.steps.push_back({step_cycles.data()[i], of_step[i], of_step[i + 1]});
  }
  for (std::size_t i = 0; i + 1 < of_pipeline.size(); ++i) {
    const Cycle count = pipeline_counts.data()[i];
    if (count < 1 || of_pipeline[i] == of_pipeline[i + 1]) throw nb::value_error("empty pipeline");
    tables.pipelines.push_back({count, of_pipeline[i], of_pipeline[i + 1]});
  }
  const Cycle units = static_cast<Cycle>(tables.cores) * tables.units_per_core;
  tables.wait_units = indices(wait_units, 0, units);
  tables.wait_offsets = offsets(wait_offsets, tables.wait_units.size());
  const std::size_t count = tables.wait_offsets.size() - 1;
  if (operations.shape(0) != 5 * count) throw nb::value_error("operations have five numbers each");
  tables.operation_offsets = offsets(operation_offsets, count);
  for (std::size_t i = 0; i < count; ++i) {
    tables.operations.push_back(operation_of(operations.data() + 5 * i, tables));
  }
  check_flow(tables);

  Clock clock(std::move(tables), traced);
  {
    const nb::gil_scoped_release release;
    clock.run(obey_signals);
  }
  const auto& all_units = clock.units();
  const auto& all_resources = clock.resources();
  const auto stopped = clock.stopped_at();
  return nb::make_tuple(
      clock.finished() ? clock.cycles() : kNone,
      array_of(all_units.size(), [&](std::size_t i) { return all_units[i].busy; }),
      array_of(all_resources.size(), [&](std::size_t i) { return all_resources[i].busy; }),
      array_of(clock.records().size(), [&](std::size_t i) { return clock.records()[i]; }),
      array_of(stopped.size(), [&](std::size_t i) { return stopped[i]; }));
}

}  // namespace

void bind_clock(nb::module_& module) {
  module.def("run_clock", &run_clock, nb::arg("operations").noconvert(),
             nb::arg("operation_offsets").noconvert(), nb::arg("wait_offsets").noconvert(),
             nb::arg("wait_units").noconvert(), nb::arg("pipeline_counts").noconvert(),
             nb::arg("step_offsets").noconvert(), nb::arg("step_cycles").noconvert(),
             nb::arg("resource_offsets").noconvert(), nb::arg("step_resources").noconvert(),
             nb::arg("capacities").noconvert(), nb::kw_only(), nb::arg("units_per_core"),
             nb::arg("semaphores"), nb::arg("queue_depth"), nb::arg("sync_cycles"),
             nb::arg("traced"),
             "Run the clock over a program as flat tables; see mcc.runtime.clock.");
}
