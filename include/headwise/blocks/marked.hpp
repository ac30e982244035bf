#pragma once
// Two sublayers for two kinds of rows.

#include <algorithm>
#include <string_view>

#include "headwise/mixers/attention/mask_sparse.hpp"

namespace hw {

/// delta = other(in) for marked rows, usual(in) for all others. Both run on all rows: `other` should do little for rows without a mark
/// (attention under OfMarked).
/// Weights: those of `usual` in this very scope, those of `other` in `marked` below it.
template <class Usual, class Other>
class Marked {
  static_assert(Sublayer<Usual> && Sublayer<Other>, "Marked<Usual, Other>: each must have forward(In, View delta) const");

 public:
  static constexpr Couples couples = joint_couples<Usual, Other>;
  static constexpr std::string_view kName = Usual::kName;
  struct Config {
    typename Usual::Config usual{};
    typename Other::Config other{};
    bool first = false;  // entry 0 is marked in any case
  };
  Marked(const Config& c, const Build& b) : first_(c.first), usual_(c.usual, b), other_(c.other, b.scope("marked")) {}

  void forward(In in, View delta) const {
    const TokenSet& tokens = in.frame.tokens();
    run_sublayer(usual_, in, delta, {});
    bool any = false;
    for (index_t t = 0; t < delta.rows; ++t) any = any || is_marked(tokens, t, first_);
    if (!any) return;
    const View marked = in.frame.step.arena.take_view(delta.rows, delta.cols);
    run_sublayer(other_, in, marked, {});
    for (index_t t = 0; t < delta.rows; ++t)
      if (is_marked(tokens, t, first_)) std::copy_n(marked.row(t), delta.cols, delta.row(t));
  }

 private:
  bool first_;
  Usual usual_;
  Other other_;
};

}  // namespace hw
