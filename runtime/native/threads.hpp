// Tasks on threads that live for one call; the interpreter's lock is the caller's business.
#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <thread>
#include <vector>

#ifdef __linux__
#include <pthread.h>
#include <sched.h>
#endif

namespace mcc {

// Lets a thread run on any processor but that of its creator. Left alone, the scheduler may let it
// wait there behind its creator until the next balancing, which is longer than most of our calls.
// The thread must be alive: of one that has ended the system takes the caller instead.
inline void send_elsewhere([[maybe_unused]] std::thread& worker) {
#ifdef __linux__
  cpu_set_t others;
  if (sched_getaffinity(0, sizeof(others), &others) != 0) return;
  CPU_CLR(static_cast<std::size_t>(sched_getcpu()), &others);
  if (CPU_COUNT(&others) > 0) {
    pthread_setaffinity_np(worker.native_handle(), sizeof(others), &others);
  }
#endif
}

// Calls run(task, worker) for every task below `tasks`, on at most `threads` threads, one of which
// is the caller's. `run` must not throw.
template <class Run>
void run_tasks(std::size_t tasks, std::size_t threads, const Run& run) {
  std::atomic<std::size_t> next{0};
  std::atomic<bool> sent{false};
  const auto work = [&](std::size_t worker) {
    for (std::size_t task = next++; task < tasks; task = next++) run(task, worker);
    if (worker) sent.wait(false);
  };
  std::vector<std::thread> workers;
  workers.reserve(threads);
  try {
    for (std::size_t worker = 1; worker < threads; ++worker) {
      workers.emplace_back(work, worker);
      send_elsewhere(workers.back());
    }
  } catch (const std::exception&) {
    // The system gives no more threads: those that are there do all the tasks.
  }
  sent = true;
  sent.notify_all();
  work(0);
  for (std::thread& worker : workers) worker.join();
}

}  // namespace mcc
