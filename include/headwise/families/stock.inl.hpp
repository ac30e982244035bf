#pragma once
#include "headwise/families/bert.hpp"
#include "headwise/families/gemma3.hpp"
#include "headwise/families/gpt2.hpp"
#include "headwise/families/llama.hpp"
#include "headwise/families/stock.hpp"

namespace hw {

HEADWISE_INLINE Zoo stock_zoo() { return Zoo{}.add<families::Llama>().add<families::Gpt2>().add<families::Gemma3>().add<families::Bert>(); }

}  // namespace hw
