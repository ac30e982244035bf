#pragma once
// A persistent pool of threads with a barrier that spins for some microseconds and then sleeps.

#include <atomic>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "headwise/core/error.hpp"
#include "headwise/core/executor.hpp"

namespace hw {

/// `threads` threads in all, the caller of run() among them. Tasks are handed out one by one, in ascending order.
///
/// While one caller uses the pool, a second caller (another model, or a task that calls run() itself) runs its tasks on its
/// own thread: nothing waits for anything, and no more threads run than were asked for.
class ThreadPool final : public Executor {
 public:
  /// 0 means all hardware threads. Errors: a negative number, or more than 1024.
  explicit ThreadPool(int threads = 0);
  ~ThreadPool() override;
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const noexcept override { return static_cast<int>(workers_.size()) + 1; }
  void run(int count, FunctionRef<void(int)> task) override;

 private:
  // One word holds the step's number, its count of tasks and the next task, so that a worker which wakes late claims either
  // a task of the current step or nothing: it never looks at a step that has ended.
  static constexpr int kCountBits = 24;
  static constexpr std::uint64_t kCountMask = (std::uint64_t{1} << kCountBits) - 1;

  void work();
  void drain() noexcept;
  void stop() noexcept;

  std::vector<std::thread> workers_;
  std::mutex callers_;
  const FunctionRef<void(int)>* task_ = nullptr;
  std::exception_ptr failure_;
  std::atomic_flag failed_;
  alignas(64) std::atomic<std::uint64_t> ticket_{0};      // step | count | next
  alignas(64) std::atomic<std::uint32_t> done_{0};        // tasks finished in this step
  alignas(64) std::atomic<std::uint32_t> generation_{0};  // bumped when there is work, and at the end
  std::atomic<int> sleepers_{0};
  std::atomic<bool> ending_{false};
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/core/thread_pool.inl.hpp"
#endif
