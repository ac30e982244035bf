#pragma once
// All families that come with the library. A program that names its own list compiles only those.

#include "headwise/families/bert.hpp"
#include "headwise/families/gemma3.hpp"
#include "headwise/families/gpt2.hpp"
#include "headwise/families/llama.hpp"
#include "headwise/families/zoo.hpp"

namespace hw {

/// Every stock family.
inline Zoo stock_zoo() {
  return Zoo{}.add<families::Llama>().add<families::Gpt2>().add<families::Gemma3>().add<families::Bert>();
}

}  // namespace hw
