#pragma once
// The state of a recurrence: a fixed number of floats after the last entry, with the copies that going back needs.

#include <memory>
#include <vector>

#include "headwise/core/view.hpp"
#include "headwise/flow/state.hpp"

namespace hw {

/// `width` floats, zero before the first entry. Reaches its end, the end before the last step, every held position, and 0.
/// A part reads where the last step ended and writes where this one ends (`advance`); nothing is ever overwritten in place.
class RecurrentState {
 public:
  /// The floats before and after a step. `to` is uninitialised: write all of it.
  struct Move {
    const float* from;
    float* to;
  };

  RecurrentState() = default;
  explicit RecurrentState(index_t width) : width_(width), now_{0, std::make_shared<Buffer>(width)} {}
  RecurrentState(RecurrentState&&) noexcept = default;
  RecurrentState& operator=(RecurrentState&&) noexcept = default;

  /// Adds n entries. Pre: reserve(n) since the last step.
  Move advance(index_t n) noexcept;

  index_t size() const noexcept { return now_.size; }
  index_t reach(index_t n) const noexcept;
  void truncate(index_t n) noexcept;
  void hold(index_t n);
  void release(index_t n);
  void reserve(index_t n);
  RecurrentState fork() const;
  std::size_t bytes() const;
  void save(Writer& w) const;
  void load(Reader& r);

  index_t width() const noexcept { return width_; }

 private:
  using Buffer = AlignedBuffer<float>;
  struct Copy {
    index_t size = 0;
    std::shared_ptr<Buffer> values;  // null: zeros
  };

  index_t width_ = 0;
  Copy now_;
  Copy before_;                    // where the last step began
  std::shared_ptr<Buffer> spare_;  // ours alone: the next step writes here
  std::vector<Copy> held_;
};

/// The floats before and after this step for sequence `s`: of its state, or, where there is none, zeros and scratch of the arena.
inline RecurrentState::Move advance(const States<RecurrentState>& states, std::size_t s, index_t n, index_t width, Arena& arena) {
  if (!states.empty()) return states[s].advance(n);
  const auto from = arena.take<float>(width), to = arena.take<float>(width);
  std::fill(from.begin(), from.end(), 0.0f);
  return {from.data(), to.data()};
}

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/flow/recurrent_state.inl.hpp"
#endif
