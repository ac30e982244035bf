#pragma once
// Who runs the parallel parts of a forward: the caller alone, a pool of ours, or the application's own threads.

#include <algorithm>

#include "headwise/core/config.hpp"
#include "headwise/core/function_ref.hpp"

namespace hw {

/// Derive from this to run a model inside an application's own thread pool.
///
/// Results never depend on the executor: work is split over outputs, rows and sequences only.
class Executor {
 public:
  virtual ~Executor() = default;

  /// How many tasks make sense at once; at least 1.
  virtual int threads() const noexcept = 0;

  /// Calls task(i) once for every i in [0, count), in any order and on any threads, and returns when all are done.
  /// When tasks throw, the rest may be skipped and one of the exceptions is rethrown here.
  virtual void run(int count, FunctionRef<void(int)> task) = 0;
};

/// Runs everything on the calling thread.
class SerialExecutor final : public Executor {
 public:
  int threads() const noexcept override { return 1; }
  void run(int count, FunctionRef<void(int)> task) override {
    for (int i = 0; i < count; ++i) task(i);
  }
};

/// Splits [0, n) into at most `tasks` even ranges and calls body(begin, end) for each, through the executor.
template <class Body>
void parallel_ranges(Executor& executor, index_t n, int tasks, Body&& body) {
  const int count = static_cast<int>(std::min<index_t>(n, std::max(tasks, 1)));
  if (count <= 1) {
    if (n > 0) body(index_t{0}, n);
    return;
  }
  executor.run(count, [&](int i) { body(n * i / count, n * (i + 1) / count); });
}

}  // namespace hw
