#pragma once
#include "headwise/moe/row_router.hpp"

namespace hw::detail {

HEADWISE_INLINE void check_scores(std::span<const float> scores, index_t row, std::string_view where) {
  for (std::size_t e = 0; e < scores.size(); ++e)
    if (!std::isfinite(scores[e])) fail(where, concat("a finite score of expert ", e, " for row ", row), "NaN or infinity");
}

}  // namespace hw::detail
