#pragma once
// The blackboard of one forward: streams of activations, published plans, and what the step runs with.

#include <string_view>

#include "headwise/core/arena.hpp"
#include "headwise/core/executor.hpp"
#include "headwise/core/function_ref.hpp"
#include "headwise/core/view.hpp"
#include "headwise/flow/plan.hpp"
#include "headwise/flow/token_set.hpp"
#include "headwise/kernels/table.hpp"

namespace hw {

/// The number of a stream in the frame. Names become numbers when a model is built; stream 0 is the residual stream.
struct Slot {
  int id = 0;
};

/// Where a tap looks: the embedding's output, the stream after entry `entry`, the delta of one of its sublayers, or the
/// stream after the final norm. `routing`: what a sublayer's router gave each expert for each row, (rows, experts), 0 where it did not
/// choose it; to look at only.
struct TapPoint {
  enum Kind : std::uint8_t { after_embedding, after_sublayer, after_entry, after_final_norm, routing } kind;
  int entry = -1;
  int sublayer_index = -1;
};

/// Sees activations as they pass, and may overwrite them. An exception ends the step and reaches the caller of forward.
using Tap = FunctionRef<void(const TapPoint&, View)>;

/// What one forward runs with. Nothing in it outlives the step.
struct Step {
  Executor& executor;
  const kernels::Table& kernels;
  Arena& arena;
  const Tap* tap = nullptr;
  TapPoint place{TapPoint::after_embedding};  // the sublayer that runs

  void visit(const TapPoint& point, View x) const {
    if (tap != nullptr) (*tap)(point, x);
  }

  /// Calls body(begin, end) over ranges of [0, rows), in parallel when rows x work is worth a barrier (`work`: rough
  /// number of elementary operations a row).
  template <class Body>
  void parallel_rows(index_t rows, index_t work, Body&& body) const {
    constexpr index_t kWorthABarrier = 1 << 15;
    const int tasks = rows * work < kWorthABarrier ? 1 : executor.threads();
    parallel_ranges(executor, rows, tasks, static_cast<Body&&>(body));
  }
};

/// Numbered streams of the step, each a row-major (rows, width) view, with the rows' token set, and published plans.
class Frame {
 public:
  Frame(Step& step, const TokenSet& tokens, std::span<View> streams, std::span<Plan> plans = {}) noexcept
      : step(step), tokens_(&tokens), streams_(streams), plans_(plans) {}

  Step& step;

  const TokenSet& tokens() const noexcept { return *tokens_; }
  index_t rows() const noexcept { return tokens_->rows(); }

  /// The stream's view; data is null until somebody published it in this step.
  View at(Slot slot) const noexcept { return streams_[static_cast<std::size_t>(slot.id)]; }
  void publish(Slot slot, View view) const noexcept { streams_[static_cast<std::size_t>(slot.id)] = view; }

  const Plan& plan(Slot slot) const noexcept { return plans_[static_cast<std::size_t>(slot.id)]; }
  void publish(Slot slot, const Plan& plan) const noexcept { plans_[static_cast<std::size_t>(slot.id)] = plan; }

 private:
  const TokenSet* tokens_;
  std::span<View> streams_;
  std::span<Plan> plans_;
};

/// What a join read for a sublayer: its input, and the frame with the raw streams.
struct In {
  ConstView x;
  const Frame& frame;
};

}  // namespace hw
