#pragma once
#include <chrono>

#include "headwise/core/thread_pool.hpp"

namespace hw {
namespace detail {

inline void spin_pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}

// A waiting thread spins this often (some 50 microseconds) before it sleeps or gives its core away.
inline constexpr int kSpins = 8000;

}  // namespace detail

HEADWISE_INLINE ThreadPool::ThreadPool(int threads) {
  if (threads < 0 || threads > 1024) fail("threads", "a number from 0 (all) to 1024", std::to_string(threads));
  if (threads == 0) threads = static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1u, 1024u));
  try {
    for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { work(); });
  } catch (...) {
    stop();
    throw Error(concat("threads: the system refused to start thread ", workers_.size() + 1, " of ", threads));
  }
}

HEADWISE_INLINE ThreadPool::~ThreadPool() { stop(); }

HEADWISE_INLINE void ThreadPool::stop() noexcept {
  ending_ = true;
  generation_.fetch_add(1);
  generation_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

HEADWISE_INLINE void ThreadPool::run(int count, FunctionRef<void(int)> task) {
  std::unique_lock lock(callers_, std::try_to_lock);
  if (count <= 1 || workers_.empty() || !lock || static_cast<std::uint64_t>(count) > kCountMask / 2) {
    for (int i = 0; i < count; ++i) task(i);
    return;
  }
  task_ = &task;
  done_.store(0, std::memory_order_relaxed);
  const std::uint64_t step = (ticket_.load(std::memory_order_relaxed) >> (2 * kCountBits)) + 1;
  ticket_.store(step << (2 * kCountBits) | static_cast<std::uint64_t>(count) << kCountBits, std::memory_order_release);
  generation_.fetch_add(1);
  if (sleepers_.load() > 0) generation_.notify_all();
  drain();
  for (int spins = 0; done_.load(std::memory_order_acquire) != static_cast<std::uint32_t>(count); ++spins) {
    if (spins < detail::kSpins) {
      detail::spin_pause();
    } else {
      std::this_thread::yield();
    }
  }
  if (failed_.test(std::memory_order_relaxed)) {
    failed_.clear();
    std::rethrow_exception(std::exchange(failure_, nullptr));
  }
}

// Claims and runs tasks of the current step until none is left.
HEADWISE_INLINE void ThreadPool::drain() noexcept {
  for (;;) {
    // Looking first keeps `next` from running into the count's bits however long the workers spin on a finished step.
    const std::uint64_t seen = ticket_.load(std::memory_order_acquire);
    if ((seen & kCountMask) >= (seen >> kCountBits & kCountMask)) return;
    const std::uint64_t ticket = ticket_.fetch_add(1, std::memory_order_acq_rel);
    const std::uint64_t next = ticket & kCountMask;
    if (next >= (ticket >> kCountBits & kCountMask)) return;
    try {
      (*task_)(static_cast<int>(next));
    } catch (...) {
      if (!failed_.test_and_set()) failure_ = std::current_exception();
    }
    done_.fetch_add(1, std::memory_order_release);
  }
}

HEADWISE_INLINE void ThreadPool::work() {
  std::uint32_t seen = 0;
  for (;;) {
    for (int spins = 0; generation_.load(std::memory_order_acquire) == seen; ++spins) {
      if (spins < detail::kSpins) {
        detail::spin_pause();
        continue;
      }
      sleepers_.fetch_add(1);
      generation_.wait(seen);
      sleepers_.fetch_sub(1);
    }
    seen = generation_.load(std::memory_order_acquire);
    if (ending_) return;
    drain();
  }
}

}  // namespace hw
