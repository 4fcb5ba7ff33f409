// Tasks on threads that live for one call; the interpreter's lock is the caller's business.
#pragma once

#include <atomic>
#include <cstddef>
#include <system_error>
#include <thread>
#include <vector>

namespace mcc {

// Calls run(task, worker) for every task below `tasks`, on at most `threads` threads, one of which
// is the caller's. `run` must not throw.
template <class Run>
void run_tasks(std::size_t tasks, std::size_t threads, const Run& run) {
  std::atomic<std::size_t> next{0};
  const auto work = [&](std::size_t worker) {
    for (std::size_t task = next++; task < tasks; task = next++) run(task, worker);
  };
  std::vector<std::thread> workers;
  workers.reserve(threads);
  try {
    for (std::size_t worker = 1; worker < threads; ++worker) workers.emplace_back(work, worker);
  } catch (const std::system_error&) {
    // The system gives no more threads: those that are there do all the tasks.
  }
  work(0);
  for (std::thread& worker : workers) worker.join();
}

}  // namespace mcc
