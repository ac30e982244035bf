#pragma once
#include "headwise/families/stock.hpp"
#include "headwise/families/stock_decoders.hpp"
#include "headwise/families/stock_encoders.hpp"
#include "headwise/families/stock_experts.hpp"
#include "headwise/families/stock_recurrent.hpp"
#include "headwise/families/stock_seq2seq.hpp"

namespace hw {

HEADWISE_LOAD_TIME Zoo stock_zoo() {
  Zoo zoo;
  families::add_decoders(zoo);
  families::add_experts(zoo);
  families::add_recurrent(zoo);
  families::add_encoders(zoo);
  families::add_seq2seq(zoo);
  return zoo;
}

}  // namespace hw
