#include "beam_settings.hpp"

#include <cmath>
#include <filesystem>

namespace program {
namespace {
hw::EarlyStopping early_stopping(const hw::Json& value) {
  if (value.is_string()) return hw::EarlyStopping::never;
  return value.as<bool>() ? hw::EarlyStopping::yes : hw::EarlyStopping::no;
}
}  // namespace

bool apply_beam_setting(hw::BeamOptions& o, std::string_view key, const hw::Json& value) {
  if (value.is_null()) return true;
  if (key == "num_beams")
    o.num_beams = value.as<hw::index_t>();
  else if (key == "num_return_sequences")
    o.num_return_sequences = value.as<hw::index_t>();
  else if (key == "max_new_tokens")
    o.max_new_tokens = value.as<hw::index_t>();
  else if (key == "length_penalty")
    o.length_penalty = value.as<float>();
  else if (key == "early_stopping")
    o.early_stopping = early_stopping(value);
  else if (key == "no_repeat_ngram_size")
    o.no_repeat_ngram_size = value.as<hw::index_t>();
  else if (key == "min_length")
    o.min_length = value.as<hw::index_t>();
  else if (key == "repetition_penalty")
    o.repetition_penalty = value.as<float>();
  else if (key == "bad_words_ids")
    o.bad_words = value.as<std::vector<std::vector<std::int32_t>>>();
  else if (key == "forced_bos_token_id")
    o.forced_bos_id = value.as<std::int32_t>();
  else if (key == "forced_eos_token_id")
    o.forced_eos_id = value.as<std::int32_t>();
  else if (key == "begin_suppress_tokens")
    o.begin_suppress_ids = value.as<std::vector<std::int32_t>>();
  else if (key == "suppress_tokens")
    for (const auto id : value.as<std::vector<std::int32_t>>()) o.logit_bias.push_back({id, -INFINITY});
  else
    return false;
  return true;
}

hw::BeamOptions read_beam_settings(const std::string& folder) {
  hw::BeamOptions options;
  for (const char* file : {"/generation_config.json", "/config.json"}) {
    std::error_code none;
    if (!std::filesystem::exists(folder + file, none)) continue;
    const hw::Json settings = hw::Json::read(folder + file);  // other fields are the model's, or about drawing
    for (const auto& [key, value] : settings.members()) apply_beam_setting(options, key, value);
    break;
  }
  options.num_return_sequences = 1;
  options.forced_bos_id.reset();  // is among the start ids already
  return options;
}

}  // namespace program
