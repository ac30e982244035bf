#pragma once
// All families that come with the library. A program that names its own list compiles only those.

#include "headwise/families/zoo.hpp"

namespace hw {

/// Every stock family.
Zoo stock_zoo();

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/families/stock.inl.hpp"
#endif
