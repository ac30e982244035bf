#pragma once
// One mechanism of a paper held to its golden case: tests/golden/mechanisms/NAME with case.json (equations, tolerance) and
// golden.safetensors (parameters, inputs, outputs).
//
//   TEST(Mechanisms, attn_sigmoid) {
//     mechanism::Golden g("attn_sigmoid");
//     g.expressed_by("SigmoidWeights", "mixers/attention/weights.hpp", mechanism::kModifier);
//     const hw::Build b = g.build({{"o.weight", mechanism::identity(12)}, ...});
//     const Attention<...> part(config, b);
//     g.holds("o", mechanism::heads_of(mechanism::run(part, b, g["x"]), 2));
//     g.leaves_out("probs", "attention keeps no probabilities");
//   }
//
// When the test ends the case's rows of docs/mechanisms.md are compared with what was found. To write them:
//   HEADWISE_WRITE_MECHANISMS=1 test_mechanisms

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "headwise/core/thread_pool.hpp"
#include "headwise/flow/build.hpp"
#include "headwise/flow/concepts.hpp"

namespace mechanism {

using hw::index_t;

/// Values with a shape, row-major.
struct Array {
  std::vector<index_t> shape;
  std::vector<float> values;

  index_t dim(std::size_t i) const { return shape.at(i); }
  float& operator[](index_t i) { return values[static_cast<std::size_t>(i)]; }
  float operator[](index_t i) const { return values[static_cast<std::size_t>(i)]; }
  /// Entry i of the first dimension.
  Array at(index_t i) const;
  Array reshaped(std::vector<index_t> to) const;
  /// Dimension i of the result is dimension order[i].
  Array permuted(std::vector<std::size_t> order) const;
  hw::View view();
  hw::ConstView view() const;
};

Array identity(index_t n);
Array filled(std::vector<index_t> shape, float value);
/// (b, H, t, k) -> (b, t, H k), and back.
Array joined(const Array& heads);
Array heads_of(const Array& rows, index_t heads);
/// Arrays of equal leading dimensions side by side.
Array beside(const std::vector<Array>& parts);

/// Weights for a part by canonical name. `asked` keeps them, and what was asked for.
hw::Build build_of(const std::string& where, std::vector<std::pair<std::string, Array>> weights, std::vector<hw::Weights>& asked);

inline constexpr int kModifier = 25;  // lines at most of an attention's modifier, a norm, an activation
inline constexpr int kPart = 40;      // of any other struct
inline constexpr int kStock = 0;      // a part of the library that the paper needs nothing beside

class Golden {
 public:
  explicit Golden(const std::string& name);
  ~Golden();

  Array operator[](const std::string& tensor) const;
  std::vector<std::int64_t> ints(const std::string& tensor) const;

  /// Weights for a part by canonical name; the part must ask for all of them.
  hw::Build build(std::vector<std::pair<std::string, Array>> weights) const;

  /// Which struct of which header (below include/headwise) is held to the case. Its lines are counted from `struct` or `class` to `};`,
  /// without blank ones and comments. More than one: they are listed together, each within the limit.
  void expressed_by(const std::string& type, const std::string& header, int limit);

  /// Every value of the output is within the case's tolerance.
  void holds(const std::string& output, const Array& found);
  /// Integers are equal.
  void holds(const std::string& output, const std::vector<std::int64_t>& found);
  /// An output that the struct has no place for.
  void leaves_out(const std::string& output, const std::string& why);

 private:
  std::string name_, paper_;
  double tolerance_ = 0, error_ = 0;
  std::shared_ptr<const hw::WeightSource> tensors_;
  std::set<std::string> outputs_, held_, left_out_;
  std::vector<std::pair<std::string, int>> structs_;
  mutable std::vector<hw::Weights> asked_;
};

/// The rows of b sequences of t tokens each, with everything that a frame needs.
class Rows {
 public:
  /// `memory`: the first so many positions have gone by (they count in the entry numbers).
  Rows(index_t sequences, index_t tokens, index_t before = 0);

  std::vector<std::int32_t> ids, marks;  // may be set before a run
  std::vector<index_t> index, parent;
  std::vector<float> coord;
  int axes = 1;
  std::function<void(const hw::Frame&)> prepare;  // publishes streams, say

  /// Calls body with a frame of rows [from, to) of every sequence. `x`: stream 0, (b t, d), of which those rows are taken and put back.
  void frame(const hw::Build& b, Array& x, index_t from, index_t to, const std::function<void(const hw::Frame&)>& body) const;

  index_t sequences() const { return sequences_; }
  index_t tokens() const { return tokens_; }

 private:
  index_t sequences_, tokens_, before_;
  std::shared_ptr<hw::ThreadPool> pool_ = std::make_shared<hw::ThreadPool>(2);
};

/// What `body(frame, states)` leaves in stream 0, from all rows at once without a state. Where the part looks back only, also in steps of
/// one and of three rows with states: the same bits.
template <class Part>
Array drive(const Part& part, const hw::Build& b, const Rows& rows, const Array& x,
            const std::function<void(const hw::Frame&, const hw::States<hw::state_of<Part>>&)>& body) {
  using State = hw::state_of<Part>;
  Array whole = x;
  rows.frame(b, whole, 0, rows.tokens(), [&](const hw::Frame& f) { body(f, {}); });
  if constexpr (hw::couples_of<Part> <= hw::Couples::past) {
    for (const index_t chunk : {index_t{1}, index_t{3}}) {
      Array stepped = x;
      std::vector<State> states;
      for (index_t s = 0; s < rows.sequences(); ++s) states.push_back(hw::make_state_of(part));
      std::vector<State*> pointers;
      for (State& s : states) pointers.push_back(&s);
      for (index_t from = 0; from < rows.tokens(); from += chunk) {
        const index_t to = std::min(from + chunk, rows.tokens());
        for (State& s : states) s.reserve(to - from);
        rows.frame(b, stepped, from, to, [&](const hw::Frame& f) { body(f, hw::States<State>(pointers)); });
      }
      EXPECT_EQ(stepped.values, whole.values) << "steps of " << chunk << " rows have other bits than one of all";
    }
  }
  return whole;
}

/// delta (b, t, `width`, or as wide as x) of a sublayer for x (b, t, d).
template <class Part>
Array run(const Part& part, const hw::Build& b, const Array& x, index_t width = 0, const Rows* given = nullptr) {
  const Rows rows = given != nullptr ? *given : Rows(x.dim(0), x.dim(1));
  if (width == 0) width = x.shape.back();
  // The sublayer's input and its delta side by side in the stream.
  const Array delta = filled({x.dim(0), x.dim(1), width}, 0);
  Array both = drive<Part>(part, b, rows, beside({x, delta}), [&](const hw::Frame& f, const hw::States<hw::state_of<Part>>& states) {
    const hw::View all = f.at({});
    const index_t d = x.shape.back();
    const hw::ArenaScope scope(f.step.arena);
    const hw::View in = f.step.arena.take_view(all.rows, d), out = f.step.arena.take_view(all.rows, width);
    for (index_t t = 0; t < all.rows; ++t) std::copy_n(all.row(t), d, in.row(t));
    hw::run_sublayer(part, hw::In{in, f}, out, states);
    for (index_t t = 0; t < all.rows; ++t) std::copy_n(out.row(t), width, all.row(t) + d);
  });
  Array out{delta.shape, {}};
  const hw::View all = both.view();
  for (index_t t = 0; t < all.rows; ++t) out.values.insert(out.values.end(), all.row(t) + x.shape.back(), all.row(t) + all.cols);
  return out;
}

/// The stream (b, t, d) after a block, or anything with a block's forward.
template <class Segment>
Array run_segment(const Segment& segment, const hw::Build& b, const Array& x, const Rows* given = nullptr) {
  const Rows rows = given != nullptr ? *given : Rows(x.dim(0), x.dim(1));
  return drive<Segment>(segment, b, rows, x, [&](const hw::Frame& f, const auto& states) { segment.forward(f, 0, states); });
}

/// y = norm(x), row by row; in place gives the same bits.
template <class N>
Array run_norm(const N& norm, const hw::Build& b, const Array& x) {
  Array in_place = x, y = x;
  const Rows rows(1, in_place.view().rows);
  rows.frame(b, in_place, 0, rows.tokens(), [&](const hw::Frame& f) {
    norm.forward(f.at({}), f.at({}), f);
    norm.forward(x.view(), y.view(), f);
  });
  EXPECT_EQ(y.values, in_place.values) << "a norm in place";
  return y;
}

}  // namespace mechanism
