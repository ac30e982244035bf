#pragma once
// How a sublayer's delta joins the stream.

#include <algorithm>
#include <string>

#include "headwise/flow/build.hpp"
#include "headwise/flow/concepts.hpp"
#include "headwise/layers/norms.hpp"

namespace hw {

/// read:  in = pre(x)
/// write: x = post(x + scale * mid(delta))
///
/// One join for the four usual places of a norm: before (pre-norm), on the delta (sandwich), after the sum (post-norm), none.
/// Weights: `norm` (pre), `delta_norm` (mid), `post_norm` (post), each in the sublayer's scope.
template <Norm Pre, Norm Mid = NoNorm, Norm Post = NoNorm>
class Add {
 public:
  static constexpr Couples couples = Couples::nothing;

  struct Config {
    typename Pre::Config pre{};
    typename Mid::Config mid{};
    typename Post::Config post{};
    float scale = 1.0f;  // of the delta (Granite's residual_multiplier)
  };

  Add(const Config& c, const Build& b)
      : pre_(c.pre, b.scope("norm")), mid_(c.mid, b.scope("delta_norm")), post_(c.post, b.scope("post_norm")), scale_(c.scale) {}

  ConstView read(const Frame& f) const {
    const View x = f.at({});
    if constexpr (std::same_as<Pre, NoNorm>) {
      return x;
    } else {
      const View in = f.step.arena.take_view(x.rows, x.cols);
      pre_.forward(x, in, f);
      return in;
    }
  }

  void write(const Frame& f, ConstView, View delta) const {
    const View x = f.at({});
    mid_.forward(delta, delta, f);
    f.step.parallel_rows(x.rows, x.cols, [&](index_t begin, index_t end) {
      f.step.kernels.elementwise.add_scaled(x.row(begin), x.stride, 1.0f, delta.row(begin), delta.stride, scale_, end - begin, x.cols,
                                            x.row(begin), x.stride);
    });
    post_.forward(x, x, f);
  }

 private:
  Pre pre_;
  Mid mid_;
  Post post_;
  float scale_;
};

/// read:  in = another stream, by the name that a part gave it (`Keep`)
/// write: x = post(x + delta)
template <Norm Post = NoNorm>
class AddFrom {
 public:
  static constexpr Couples couples = Couples::nothing;
  struct Config {
    std::string from{};
    typename Post::Config post{};
  };
  AddFrom(const Config& c, const Build& b) : from_(b.slot(c.from)), add_({.post = c.post}, b) {}
  ConstView read(const Frame& f) const { return f.at(from_); }
  void write(const Frame& f, ConstView in, View delta) const { add_.write(f, in, delta); }

 private:
  Slot from_;
  Add<NoNorm, NoNorm, Post> add_;
};

/// A member of a block that keeps a copy of the residual stream under a name, for later members to read.
class Keep {
 public:
  static constexpr Couples couples = Couples::nothing;
  using State = NoState;
  struct Config {
    std::string name{};
  };
  Keep(const Config& c, const Build& b) : slot_(b.slot(c.name)) {}
  void forward(const Frame& f, const TapPoint&, const States<State>&) const {
    const View x = f.at({}), copy = f.step.arena.take_view(x.rows, x.cols);
    for (index_t i = 0; i < x.rows; ++i) std::copy_n(x.row(i), x.cols, copy.row(i));
    f.publish(slot_, copy);
  }

 private:
  Slot slot_;
};

}  // namespace hw
