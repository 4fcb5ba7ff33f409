// The clock of programs, event by event; docs/machine.md states the rules.
//
// Cycles without an event are skipped. In a cycle with events the four phases of the manual (end,
// issue, start, grant) run in order, each on the cores, units and steps that something happened to.

#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>
#include <queue>
#include <tuple>
#include <utility>
#include <vector>

#include "clock_tables.hpp"

namespace mcc {

// Some 10 ms.
constexpr Cycle kRoundsBetweenPolls = 1 << 14;

struct Loop {
  Index begin;
  Cycle left;
};

struct Sequencer {
  Index next = 0;
  std::vector<Loop> loops;
  bool halted = false;
  Cycle awake = -1;  // Latest cycle in which it was or will be asked to issue.
  Index idle_units = 0;
};

struct Stage {
  Cycle started = 0, ended = 0, requested = 0;
};

struct Unit {
  Index running = kNone;  // Operation.
  Index pipeline = kNone;
  Cycle start = 0, busy = 0;
  std::deque<Index> queue;
  std::vector<Stage> stages;
};

struct Event {
  Cycle time;
  Index unit;   // kNone: a semaphore rises.
  Index stage;  // Or the semaphore.
  bool operator>(const Event& other) const { return time > other.time; }
};

struct Request {
  Cycle time;
  Index unit, stage;
  bool operator<(const Request& other) const {
    return std::tie(time, unit, stage) < std::tie(other.time, other.unit, other.stage);
  }
  bool operator==(const Request& other) const {
    return std::tie(time, unit, stage) == std::tie(other.time, other.unit, other.stage);
  }
};

struct Resource {
  Index free;
  Cycle busy = 0;
  bool released = false;          // In the cycle at hand.
  std::vector<Request> waiting;   // In rising order.
};

class Clock {
 public:
  Clock(Tables tables, bool traced) : tables_(std::move(tables)), traced_(traced) {
    const Index cores = tables_.cores;
    sequencers_.resize(cores);
    units_.resize(static_cast<std::size_t>(cores) * tables_.units_per_core);
    semaphores_.resize(tables_.semaphores);
    for (const Index capacity : tables_.capacities) resources_.push_back({capacity, 0, false, {}});
    for (Index core = 0; core < cores; ++core) {
      sequencers_[core].idle_units = tables_.units_per_core;
      sequencers_[core].next = tables_.operation_offsets[core];
      wake(core, 0);
    }
  }

  // Runs until all cores have halted or nothing can happen any more; calls `poll`, which may throw,
  // once in many cycles.
  template <typename Poll>
  void run(Poll poll) {
    for (Cycle round = 1; !tries_next_.empty() || !events_.empty(); ++round) {
      if (round % kRoundsBetweenPolls == 0) poll();
      Cycle time = now_ + 1;
      if (tries_next_.empty()) time = std::max(events_.top().time, time);
      now_ = time;
      tries_.swap(tries_next_);
      tries_next_.clear();
      end_steps();
      issue();
      start_units();
      grant();
    }
  }

  bool finished() const {
    return std::all_of(sequencers_.begin(), sequencers_.end(),
                       [](const Sequencer& sequencer) { return sequencer.halted; });
  }
  Cycle cycles() const { return cycles_; }
  const std::vector<Unit>& units() const { return units_; }
  const std::vector<Resource>& resources() const { return resources_; }
  const std::vector<Cycle>& records() const { return records_; }
  std::vector<Cycle> stopped_at() const {
    std::vector<Cycle> places;
    for (Index core = 0; core < tables_.cores; ++core) {
      const Sequencer& sequencer = sequencers_[core];
      const Index place = sequencer.next - tables_.operation_offsets[core];
      places.push_back(sequencer.halted ? kNone : place);
    }
    return places;
  }

 private:
  // Lets the sequencer of a core try to issue: in this cycle, or in the next.
  void wake(Index core, Cycle time) {
    Sequencer& sequencer = sequencers_[core];
    if (sequencer.halted || sequencer.awake >= time) return;
    sequencer.awake = time;
    (time == now_ ? tries_ : tries_next_).push_back(core);
  }

  void end_steps() {
    while (!events_.empty() && events_.top().time == now_) {
      const Event event = events_.top();
      events_.pop();
      if (event.unit == kNone) {
        ++semaphores_[event.stage].value;
        for (const Index core : semaphores_[event.stage].waiting) wake(core, now_);
        semaphores_[event.stage].waiting.clear();
      } else {
        end_step(event.unit, event.stage);
      }
    }
  }

  const Step& step_of(Index unit, Index stage) const {
    return tables_.steps[tables_.pipelines[units_[unit].pipeline].steps_begin + stage];
  }

  void end_step(Index number, Index stage) {
    Unit& unit = units_[number];
    const Step& step = step_of(number, stage);
    for (Index i = step.resources_begin; i < step.resources_end; ++i) {
      Resource& resource = resources_[tables_.step_resources[i]];
      ++resource.free;
      if (!resource.released && !resource.waiting.empty()) {
        resource.released = true;
        released_.push_back(tables_.step_resources[i]);
      }
    }
    ++unit.stages[stage].ended;
    const bool last = stage + 1 == static_cast<Index>(unit.stages.size());
    if (last && unit.stages[stage].ended == tables_.pipelines[unit.pipeline].count) {
      const Operation& operation = tables_.operations[unit.running];
      if (operation.kind == kSend) end_instruction(mover(operation.first));
      end_instruction(number);
      return;
    }
    request(number, stage);
    if (!last) request(number, stage + 1);
  }

  void end_instruction(Index number) {
    Unit& unit = units_[number];
    const Index core = number / tables_.units_per_core;
    unit.busy += now_ - unit.start;
    if (traced_) {
      const Index place = unit.running - tables_.operation_offsets[core];
      records_.insert(records_.end(), {core, place, unit.start, now_});
    }
    unit.running = kNone;
    if (unit.queue.empty()) ++sequencers_[core].idle_units;
    startable_.push_back(number);
    wake(core, now_);
  }

  // Requests the next step of a stage if the pipeline allows it.
  void request(Index number, Index stage) {
    const Unit& unit = units_[number];
    Stage& own = units_[number].stages[stage];
    const Cycle iteration = own.started;
    const bool last = stage + 1 == static_cast<Index>(unit.stages.size());
    if (own.requested > iteration || iteration == tables_.pipelines[unit.pipeline].count) return;
    if (own.ended < iteration) return;
    if (stage > 0 && unit.stages[stage - 1].ended <= iteration) return;
    if (!last && unit.stages[stage + 1].started < iteration) return;
    own.requested = iteration + 1;
    fresh_.push_back({now_, number, stage});
  }

  bool is_idle(Index number) const {
    return units_[number].running == kNone && units_[number].queue.empty();
  }

  void issue() {
    std::sort(tries_.begin(), tries_.end());
    for (const Index core : tries_) {
      if (try_issue(core)) wake(core, now_ + 1);
    }
    tries_.clear();
  }

  bool try_issue(Index core) {
    Sequencer& sequencer = sequencers_[core];
    const Operation& operation = tables_.operations[sequencer.next];
    const Index* waits = tables_.wait_units.data();
    const Index end = tables_.wait_offsets[sequencer.next + 1];
    for (Index i = tables_.wait_offsets[sequencer.next]; i < end; ++i) {
      if (!is_idle(waits[i])) return false;
    }
    switch (operation.kind) {
      case kLoop:
        sequencer.loops.push_back({sequencer.next + 1, operation.first});
        break;
      case kEnd:
        if (--sequencer.loops.back().left > 0) {
          sequencer.next = sequencer.loops.back().begin;
          return true;
        }
        sequencer.loops.pop_back();
        break;
      case kPost:
        if (sequencer.idle_units < tables_.units_per_core) return false;
        events_.push({now_ + tables_.sync_cycles, kNone, static_cast<Index>(operation.first)});
        break;
      case kWait: {
        Semaphore& semaphore = semaphores_[operation.first];
        if (semaphore.value < operation.second) {
          auto& waiting = semaphore.waiting;
          const bool there = std::find(waiting.begin(), waiting.end(), core) != waiting.end();
          if (!there) waiting.push_back(core);
          return false;
        }
        semaphore.value -= operation.second;
        break;
      }
      case kHalt:
        if (sequencer.idle_units < tables_.units_per_core) return false;
        sequencer.halted = true;
        cycles_ = std::max(cycles_, now_ + 1);
        return false;
      default:
        return enqueue(core, operation);
    }
    ++sequencer.next;
    return true;
  }

  bool enqueue(Index core, const Operation& operation) {
    Unit& unit = units_[operation.unit];
    if (static_cast<Cycle>(unit.queue.size()) >= tables_.queue_depth) return false;
    if (is_idle(operation.unit)) --sequencers_[core].idle_units;
    if (unit.queue.empty()) startable_.push_back(operation.unit);
    unit.queue.push_back(sequencers_[core].next++);
    return true;
  }

  Index mover(Cycle core) const { return static_cast<Index>(core) * tables_.units_per_core + 1; }

  void start_units() {
    for (const Index number : startable_) {
      Unit& unit = units_[number];
      if (unit.running != kNone || unit.queue.empty()) continue;
      const Operation& operation = tables_.operations[unit.queue.front()];
      if (operation.kind == kUnit) {
        begin(number);
        fill(number, operation.pipeline);
        continue;
      }
      const Index other = mover(operation.first);
      if (!meets(other, operation.kind, number / tables_.units_per_core)) continue;
      const Index sender = operation.kind == kSend ? number : other;
      const Index pipeline = tables_.operations[units_[sender].queue.front()].pipeline;
      begin(number);
      begin(other);
      fill(sender, pipeline);
    }
    startable_.clear();
  }

  // Whether a mover is free and its next instruction is the other side of a message.
  bool meets(Index number, Kind kind, Index core) const {
    const Unit& unit = units_[number];
    if (unit.running != kNone || unit.queue.empty()) return false;
    const Operation& operation = tables_.operations[unit.queue.front()];
    return operation.kind == (kind == kSend ? kRecv : kSend) && operation.first == core;
  }

  void begin(Index number) {
    Unit& unit = units_[number];
    unit.running = unit.queue.front();
    unit.queue.pop_front();
    unit.start = now_;
    wake(number / tables_.units_per_core, now_ + 1);
  }

  void fill(Index number, Index pipeline) {
    Unit& unit = units_[number];
    unit.pipeline = pipeline;
    const Pipeline& shape = tables_.pipelines[pipeline];
    unit.stages.assign(shape.steps_end - shape.steps_begin, Stage());
    request(number, 0);
  }

  void grant() {
    candidates_.clear();
    for (const Index number : released_) {
      Resource& resource = resources_[number];
      resource.released = false;
      candidates_.insert(candidates_.end(), resource.waiting.begin(), resource.waiting.end());
    }
    released_.clear();
    // Steps that were refused wait for a release, so later rounds visit new requests only.
    while (!candidates_.empty() || !fresh_.empty()) {
      candidates_.insert(candidates_.end(), fresh_.begin(), fresh_.end());
      fresh_.clear();
      std::sort(candidates_.begin(), candidates_.end());
      const auto end = std::unique(candidates_.begin(), candidates_.end());
      for (auto candidate = candidates_.begin(); candidate != end; ++candidate) visit(*candidate);
      candidates_.clear();
    }
  }

  // Starts a step whose resources are free, or leaves it waiting.
  void visit(const Request& candidate) {
    const Step& step = step_of(candidate.unit, candidate.stage);
    const Index* resources = tables_.step_resources.data();
    bool free = true;
    for (Index i = step.resources_begin; i < step.resources_end; ++i) {
      free = free && resources_[resources[i]].free > 0;
    }
    Stage& stage = units_[candidate.unit].stages[candidate.stage];
    for (Index i = step.resources_begin; i < step.resources_end; ++i) {
      Resource& resource = resources_[resources[i]];
      auto& waiting = resource.waiting;
      const auto place = std::lower_bound(waiting.begin(), waiting.end(), candidate);
      const bool there = place != waiting.end() && *place == candidate;
      if (free && there) waiting.erase(place);
      if (!free && !there) waiting.insert(place, candidate);
      if (free) {
        --resource.free;
        resource.busy += step.cycles;
      }
    }
    if (!free) return;
    ++stage.started;
    events_.push({now_ + step.cycles, candidate.unit, candidate.stage});
    if (candidate.stage > 0) request(candidate.unit, candidate.stage - 1);
  }

  struct Semaphore {
    Cycle value = 0;
    std::vector<Index> waiting;
  };

  Tables tables_;
  bool traced_;
  Cycle now_ = -1, cycles_ = 0;
  std::vector<Sequencer> sequencers_;
  std::vector<Unit> units_;
  std::vector<Resource> resources_;
  std::vector<Semaphore> semaphores_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::vector<Index> tries_, tries_next_, startable_, released_;
  std::vector<Request> fresh_, candidates_;
  std::vector<Cycle> records_;
};

}  // namespace mcc
