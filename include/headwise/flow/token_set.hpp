#pragma once
// What the rows of a step are.

#include <span>

#include "headwise/core/config.hpp"

namespace hw {

/// The rows [begin, end) of one sequence in a step. Sequences lie one after the other, without padding.
struct RowRange {
  index_t begin = 0;
  index_t end = 0;
  index_t size() const noexcept { return end - begin; }
};

/// The attributes of a step's rows, in separate columns that are never inferred from one another.
///
/// - `index`: the row's entry number in its sequence's state: order, causality, windows, the anchors of blocks.
/// - `coord`: (rows, axes) what position policies read: rotary angles, learned table rows, 2-D coordinates.
/// - `id`: token id, or -1 for a row that came in as a vector.
/// - `mark`: an attribute that the family gives meaning: token type, modality, global token.
/// - `parent`: for tree drafts the entry that a row continues; empty for ordinary chains.
/// - `total`: per sequence, the entries it will have after this step (position policies with a length regime read it).
struct TokenSet {
  std::span<const RowRange> sequences;
  std::span<const index_t> index;
  std::span<const float> coord;
  int axes = 1;
  std::span<const std::int32_t> id;
  std::span<const std::int32_t> mark;
  std::span<const index_t> parent;
  std::span<const index_t> total;

  index_t rows() const noexcept { return static_cast<index_t>(index.size()); }

  /// The rows of sequences [first, first + ranges.size()) as a set of its own, whose sequences are written to `ranges`.
  TokenSet part(std::size_t first, std::span<RowRange> ranges) const noexcept {
    const RowRange rows{sequences[first].begin, sequences[first + ranges.size() - 1].end};
    for (std::size_t s = 0; s < ranges.size(); ++s)
      ranges[s] = {sequences[first + s].begin - rows.begin, sequences[first + s].end - rows.begin};
    const auto cut = [&](auto column, index_t width) {
      if (column.empty()) return column;
      return column.subspan(static_cast<std::size_t>(rows.begin * width), static_cast<std::size_t>(rows.size() * width));
    };
    TokenSet out{ranges, cut(index, 1), cut(coord, axes), axes, cut(id, 1), cut(mark, 1), cut(parent, 1), {}};
    if (!total.empty()) out.total = total.subspan(first, ranges.size());
    return out;
  }
};

}  // namespace hw
