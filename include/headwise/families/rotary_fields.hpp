#pragma once
// Rotary position embedding as configurations spell it.

#include <algorithm>
#include <string>
#include <string_view>

#include "headwise/io/hf_config.hpp"
#include "headwise/mixers/attention/rotary.hpp"

namespace hw::families {

/// Do frequencies change with the length of a sequence?
[[gnu::cold]] inline bool has_regimes(const RotaryConfig& c) noexcept {
  return c.scaling == RopeScaling::dynamic || c.scaling == RopeScaling::longrope;
}

/// Rotary settings: `rope_parameters` (or its entry for `layer_type`), or in the published spelling `rope_theta` and `rope_scaling`;
/// `partial_rotary_factor` in either; the defaults where they are missing. Errors: an unknown rope type, values out of range.
[[gnu::cold]] inline RotaryConfig read_rotary(const HfConfig& c, index_t head_dim, std::string_view layer_type = {},
                                              double default_theta = 10000.0, double default_share = 1.0) {
  RotaryConfig out;
  const auto parameters = c.find_sub("rope_parameters");
  const auto own = parameters && !layer_type.empty() ? parameters->find_sub(layer_type) : std::nullopt;
  const auto scaling = own ? own : parameters ? parameters : c.find_sub("rope_scaling");
  out.theta = (parameters ? *scaling : c).positive_or({"rope_theta", "rotary_emb_base"}, default_theta);
  double share = c.positive_or({"partial_rotary_factor", "rotary_pct"}, default_share);
  if (parameters) share = scaling->positive_or("partial_rotary_factor", share);
  out.dims = static_cast<index_t>(static_cast<double>(head_dim) * std::min(share, 1.0));
  if (!scaling) return out;

  const auto type = scaling->get_or<std::string>({"rope_type", "type"}, "default");
  if (type == "default") return out;
  constexpr std::string_view known[] = {"linear", "dynamic", "yarn", "llama3", "longrope"};
  if (std::find(std::begin(known), std::end(known), type) == std::end(known))
    scaling->fail(concat("rope_type: expected default, linear, dynamic, yarn, llama3 or longrope, found ", hw::quoted(type)));
  const double longest = static_cast<double>(c.size_or("max_position_embeddings", 0, 0));
  const double original = c.number_or("original_max_position_embeddings", longest);
  out.original_max_positions = scaling->number_or("original_max_position_embeddings", original);
  out.factor = type == "longrope" ? scaling->positive_or("factor", longest / std::max(out.original_max_positions, 1.0))
                                  : scaling->positive("factor");
  if (type == "linear") {
    out.scaling = RopeScaling::linear;
  } else if (type == "dynamic") {
    out.scaling = RopeScaling::dynamic;
    out.original_max_positions = longest;
  } else if (type == "yarn") {
    out.scaling = RopeScaling::yarn;
    out.attention_factor = scaling->number_or("attention_factor", 0.0);
    out.beta_fast = scaling->positive_or("beta_fast", 32.0);
    out.beta_slow = scaling->positive_or("beta_slow", 1.0);
    out.mscale = scaling->number_or("mscale", 0.0);
    out.mscale_all_dim = scaling->number_or("mscale_all_dim", 0.0);
    out.truncate = scaling->get_or("truncate", true);
  } else if (type == "longrope") {
    out.scaling = RopeScaling::longrope;
    out.attention_factor = scaling->number_or("attention_factor", 0.0);
    out.frequency_factors = scaling->get_or("short_factor", std::vector<float>());
    out.long_factors = scaling->get_or("long_factor", std::vector<float>());
  } else {
    out.scaling = RopeScaling::llama3;
    out.low_freq_factor = scaling->positive("low_freq_factor");
    out.high_freq_factor = scaling->positive("high_freq_factor");
  }
  return out;
}

}  // namespace hw::families
