#pragma once
// Streams beside the residual one that live as long as the step, so that later blocks can read them. Not in the umbrella header.

#include <algorithm>
#include <string>

#include "headwise/blocks/join.hpp"

namespace hw {
namespace detail {

// Equal names give one stream.
inline Slot side_stream(const std::string& name, index_t width, const Build& b) {
  return b.step_stream(name, width, [](const TokenSet&, View) {});
}
inline void copy_rows(ConstView from, View to) {
  for (index_t t = 0; t < to.rows; ++t) std::copy_n(from.row(t), to.cols, to.row(t));
}

}  // namespace detail

/// A member of a block that keeps a copy of the residual stream until the step ends (`Keep`: until the block does). No name: keeps nothing.
class KeepForStep {
 public:
  static constexpr Couples couples = Couples::nothing;
  using State = NoState;
  struct Config {
    std::string name{};
    index_t size = 0;  // of the residual stream
  };
  KeepForStep(const Config& c, const Build& b) : keeps_(!c.name.empty()), slot_(keeps_ ? detail::side_stream(c.name, c.size, b) : Slot()) {}
  void forward(const Frame& f, const TapPoint&, const States<State>&) const {
    if (keeps_) detail::copy_rows(f.at({}), f.at(slot_));
  }

 private:
  bool keeps_;
  Slot slot_;
};

/// read:  in = [x, the stream `with`] side by side
/// write: the stream `to` = delta; x stays                                                                    Zamba, arXiv:2405.16712
class ConcatAside {
 public:
  static constexpr Couples couples = Couples::nothing;
  struct Config {
    std::string with{}, to{};
    index_t size = 0;  // of each stream
  };
  ConcatAside(const Config& c, const Build& b) : with_(detail::side_stream(c.with, c.size, b)), to_(detail::side_stream(c.to, c.size, b)) {}
  ConstView read(const Frame& f) const {
    const View x = f.at({}), other = f.at(with_), in = f.step.arena.take_view(x.rows, x.cols + other.cols);
    detail::copy_rows(x, in.col_range(0, x.cols));
    detail::copy_rows(other, in.col_range(x.cols, in.cols));
    return in;
  }
  void write(const Frame& f, ConstView, View delta) const { detail::copy_rows(delta, f.at(to_)); }

 private:
  Slot with_, to_;
};

/// read:  in = norm(x + the stream `from`)
/// write: x = x + delta
/// Weights: the norm's in `norm`.
template <Norm N>
class AddBeside {
 public:
  static constexpr Couples couples = Couples::nothing;
  struct Config {
    typename N::Config norm{};
    std::string from{};
    index_t size = 0;
  };
  AddBeside(const Config& c, const Build& b) : from_(detail::side_stream(c.from, c.size, b)), norm_(c.norm, b.scope("norm")), add_({}, b) {}
  ConstView read(const Frame& f) const {
    const View x = f.at({}), other = f.at(from_), in = f.step.arena.take_view(x.rows, x.cols);
    f.step.parallel_rows(x.rows, x.cols, [&](index_t begin, index_t end) {
      for (index_t t = begin; t < end; ++t) f.step.kernels.elementwise.add(x.row(t), other.row(t), in.row(t), x.cols);
    });
    norm_.forward(in, in, f);
    return in;
  }
  void write(const Frame& f, ConstView in, View delta) const { add_.write(f, in, delta); }

 private:
  Slot from_;
  N norm_;
  Add<NoNorm> add_;
};

}  // namespace hw
