#pragma once
// What each query row sees: a range of entries, and within it, where a mask has `sees`, a predicate.

#include <algorithm>
#include <concepts>
#include <string_view>

#include "headwise/core/error.hpp"
#include "headwise/flow/concepts.hpp"
#include "headwise/kernels/attention.hpp"

namespace hw {

using kernels::EntryRange;

/// `range(tokens, row, total)`: the entries that `row` may see when its sequence has `total` entries after the step.
/// Optionally `check(where)`, which throws for a mask that makes no sense, and `sees(tokens, row, block)`: a bit for each of the 64 entries
/// of a block, within the range (trees, block-sparse, global tokens).
template <class M>
concept Mask = requires(const M m, const TokenSet& tokens, index_t row, index_t total) {
  { m.range(tokens, row, total) } noexcept -> std::same_as<EntryRange>;
  { M::couples } -> std::convertible_to<Couples>;
};

/// Entry e is seen from entry i when i - window < e <= i and both lie in the same chunk; window or chunk 0: no limit.
struct Causal {
  static constexpr Couples couples = Couples::past;
  index_t window = 0;  // sliding_window: the number of entries seen, the row's own included
  index_t chunk = 0;   // attention_chunk_size

  void check(std::string_view where) const {
    if (window < 0 || chunk < 0) fail(where, "a window and a chunk of at least 0 (0: no limit)", std::to_string(std::min(window, chunk)));
  }
  EntryRange range(const TokenSet& tokens, index_t row, index_t) const noexcept {
    const index_t i = tokens.index[static_cast<std::size_t>(row)], first = chunk > 0 ? i / chunk * chunk : 0;
    return {window > 0 ? std::max(first, i - window + 1) : first, i + 1};
  }
};

/// Every entry of the sequence is seen, or, with a radius, those with |e - i| <= radius.
struct Full {
  static constexpr Couples couples = Couples::sequence;
  index_t radius = 0;  // 0: no limit

  void check(std::string_view where) const {
    if (radius < 0) fail(where, "a radius of at least 0 (0: no limit)", std::to_string(radius));
  }
  EntryRange range(const TokenSet& tokens, index_t row, index_t total) const noexcept {
    if (radius == 0) return {0, total};
    const index_t i = tokens.index[static_cast<std::size_t>(row)];
    return {std::max<index_t>(0, i - radius), std::min(total, i + radius + 1)};
  }
};

}  // namespace hw
