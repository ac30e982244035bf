#pragma once
// y = W x + b, whatever type W is stored in.

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "headwise/flow/build.hpp"
#include "headwise/flow/concepts.hpp"

namespace hw {

/// One part of a fused linear layer: the tensors `name`.weight (out, in) and, if `bias`, `name`.bias (out).
struct LinearPart {
  std::string_view name;
  index_t out = 0;
  bool bias = false;
};

/// y[t, o] = sum_i W[o, i] x[t, i] + b[o], for one matrix or for several that share their input (q, k, v; gate, up), whose outputs
/// lie side by side in y. The parts may have different storage types; activations are quantised or rounded once for all that need it.
///
/// Every row of y has the same bits for any number of rows and threads.
class Linear {
 public:
  static constexpr Couples couples = Couples::nothing;

  Linear() = default;
  Linear(index_t in, std::span<const LinearPart> parts, const Build& b);
  Linear(index_t in, std::initializer_list<LinearPart> parts, const Build& b) : Linear(in, std::span(parts.begin(), parts.size()), b) {}
  /// The tensors `weight` and `bias` of this very scope.
  Linear(index_t in, index_t out, bool bias, const Build& b) : Linear(in, {LinearPart{"", out, bias}}, b) {}

  /// Shapes: x (t, in), y (t, out), not aliased. Error: rows of other widths.
  void forward(ConstView x, View y, const Frame& f) const {
    const Linear* const self = this;
    const index_t begin[] = {0, x.rows};
    forward_groups({&self, 1}, begin, x, y, f);
  }

  /// The same for several layers at once: rows [begin[g], begin[g + 1]) of x and y are those of linears[g]. One pass over the matrices that
  /// have rows, split over the threads by their work; the others are not touched. Error: rows of other widths.
  static void forward_groups(std::span<const Linear* const> linears, std::span<const index_t> begin, ConstView x, View y, const Frame& f);

  index_t in() const noexcept { return in_; }
  index_t out() const noexcept { return out_; }

 private:
  struct Part {
    std::shared_ptr<const PackedWeights> weights;
    kernels::Activations activations = kernels::Activations::f32;
    std::vector<float> bias;
    index_t column = 0;  // of y
  };

  index_t in_ = 0;
  index_t out_ = 0;
  std::vector<Part> parts_;
  std::string where_;  // for messages
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/layers/linear.inl.hpp"
#endif
