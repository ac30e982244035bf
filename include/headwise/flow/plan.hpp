#pragma once
// The one ragged relation of the library: row -> items.

#include <span>

#include "headwise/core/config.hpp"

namespace hw {

/// For each row r the items item[begin[r]] .. item[begin[r + 1] - 1] (chosen experts, key blocks, tokens), each with a weight
/// before (`w_in`) and after (`w_out`) the item is applied; an empty weight column means 1. A plan is data: it can be
/// published in the frame, reused deeper in the model, and inspected.
struct Plan {
  std::span<const int> begin;
  std::span<const int> item;
  std::span<const float> w_in;
  std::span<const float> w_out;

  index_t rows() const noexcept { return begin.empty() ? 0 : static_cast<index_t>(begin.size()) - 1; }
};

}  // namespace hw
