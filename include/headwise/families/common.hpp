#pragma once
// What several families read from a configuration in the same way.

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "headwise/io/hf_config.hpp"
#include "headwise/io/weight_source.hpp"
#include "headwise/kernels/activation.hpp"
#include "headwise/mixers/attention/rotary.hpp"

namespace hw::families {

/// The number of layers. Errors: more than the file could have tensors for.
inline std::size_t read_layers(const HfConfig& c, const ConfigKeys& keys, const WeightSource& source) {
  const auto n = static_cast<std::size_t>(c.size(keys));
  if (n > source.tensors().size())
    c.fail(
        concat(keys.all().front(), ": expected at most as many layers as the file has tensors (", source.tensors().size(), "), found ", n));
  return n;
}

/// layer_types, one for each layer; empty where the field is missing. Errors: another count, a type that is not among `known`.
inline std::vector<std::string> read_layer_types(const HfConfig& c, std::size_t layers, std::initializer_list<std::string_view> known) {
  auto types = c.get_or("layer_types", std::vector<std::string>());
  if (!types.empty() && types.size() != layers)
    c.fail(concat("layer_types: expected ", layers, " (num_hidden_layers), found ", types.size()));
  for (const std::string& type : types)
    if (std::find(known.begin(), known.end(), type) == known.end())
      c.fail(concat("layer_types: a layer type that this family has not: ", quoted(type)));
  return types;
}

/// The window of each layer, 0 for none: sliding_window (or `fallback`) for those whose type is sliding_attention, or, where layer_types is
/// missing, for those of which slides(i) says so.
template <class Slides>
std::vector<index_t> read_windows(const HfConfig& c, std::size_t layers, index_t fallback, const Slides& slides) {
  const index_t window = c.json().contains("sliding_window") ? c.size_or("sliding_window", 0, 0) : fallback;  // null: none
  const auto types = read_layer_types(c, layers, {"sliding_attention", "full_attention"});
  std::vector<index_t> out(layers, 0);
  for (std::size_t i = 0; i < layers; ++i)
    if (types.empty() ? slides(i) : types[i] == "sliding_attention") out[i] = window;
  return out;
}

/// The activation. Errors: an unknown name; null, which is no way to ask for the default.
inline Activation read_activation(const HfConfig& c, const ConfigKeys& keys, std::string_view fallback) {
  if (const auto name = c.find(keys)) return parse_activation(name->as<std::string>());
  for (const std::string_view key : keys.all())
    if (const auto value = c.json().find(key)) value->fail_expected("the name of an activation");
  return parse_activation(fallback);
}

/// The class that saved the checkpoint ("BertForMaskedLM"), or "".
inline std::string read_architecture(const HfConfig& c) {
  const auto names = c.get_or("architectures", std::vector<std::string>());
  return names.empty() ? "" : names.front();
}

/// The number of labels of a classifier: num_labels, or the entries of id2label, or 2.
inline index_t read_labels(const HfConfig& c) {
  if (c.has("num_labels")) return c.size("num_labels");
  const auto names = c.find("id2label");
  return names && names->is_object() && names->size() > 0 ? static_cast<index_t>(names->size()) : 2;
}

/// Do frequencies change with the length of a sequence?
inline bool has_regimes(const RotaryConfig& c) noexcept { return c.scaling == RopeScaling::dynamic || c.scaling == RopeScaling::longrope; }

/// Rotary settings: `rope_parameters` (or its entry for `layer_type`), or in the published spelling `rope_theta` and `rope_scaling`;
/// `partial_rotary_factor` in either; the defaults where they are missing. Errors: an unknown rope type, values out of range.
inline RotaryConfig read_rotary(const HfConfig& c, index_t head_dim, std::string_view layer_type = {}, double default_theta = 10000.0,
                                double default_share = 1.0) {
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
    out.frequency_factors = scaling->get<std::vector<float>>("short_factor");
    out.long_factors = scaling->get<std::vector<float>>("long_factor");
  } else {
    out.scaling = RopeScaling::llama3;
    out.low_freq_factor = scaling->positive("low_freq_factor");
    out.high_freq_factor = scaling->positive("high_freq_factor");
  }
  return out;
}

}  // namespace hw::families
