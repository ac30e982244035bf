#pragma once
// What several families read from a configuration in the same way.

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "headwise/families/rotary_fields.hpp"
#include "headwise/io/hf_config.hpp"
#include "headwise/io/weight_source.hpp"
#include "headwise/kernels/activation.hpp"

namespace hw::families {

/// The number of layers. Errors: more than the file could have tensors for.
[[gnu::cold]] inline std::size_t read_layers(const HfConfig& c, const ConfigKeys& keys, const WeightSource& source) {
  const auto n = static_cast<std::size_t>(c.size(keys));
  if (n > source.tensors().size())
    c.fail(
        concat(keys.all().front(), ": expected at most as many layers as the file has tensors (", source.tensors().size(), "), found ", n));
  return n;
}

/// layer_types, one for each layer; empty where the field is missing. Errors: another count, a type that is not among `known`.
[[gnu::cold]] inline std::vector<std::string> read_layer_types(const HfConfig& c, std::size_t layers,
                                                               std::initializer_list<std::string_view> known) {
  auto types = c.get_or("layer_types", std::vector<std::string>());
  if (types.size() != layers && (!types.empty() || c.has("layer_types")))
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
  const index_t window = c.json().contains("sliding_window") ? c.size_or("sliding_window", 0) : fallback;  // null: none
  const auto types = read_layer_types(c, layers, {"sliding_attention", "full_attention"});
  if (window == 0 && std::find(types.begin(), types.end(), "sliding_attention") != types.end())
    c.fail("layer_types: a sliding_attention needs a sliding_window, found none");
  std::vector<index_t> out(layers, 0);
  for (std::size_t i = 0; i < layers; ++i)
    if (types.empty() ? slides(i) : types[i] == "sliding_attention") out[i] = window;
  return out;
}

/// attention_window, one for each layer or one for all. Errors: another count, odd or no windows.
inline std::vector<index_t> read_attention_windows(const HfConfig& c, std::size_t layers) {
  const auto field = c.at("attention_window");
  std::vector<index_t> windows(layers, field.is_array() ? 0 : c.size("attention_window"));
  if (field.is_array()) windows = field.as<std::vector<index_t>>();
  if (windows.size() != layers) c.fail(concat("attention_window: expected ", layers, " windows, found ", windows.size()));
  for (const index_t window : windows)
    if (window < 2 || window % 2 != 0) c.fail(concat("attention_window: expected even numbers above 0, found ", window));
  return windows;
}

/// The activation. Errors: an unknown name; null, which is no way to ask for the default.
[[gnu::cold]] inline Activation read_activation(const HfConfig& c, const ConfigKeys& keys, std::string_view fallback) {
  if (const auto name = c.find(keys)) return parse_activation(name->as<std::string>());
  for (const std::string_view key : keys.all())
    if (const auto value = c.json().find(key)) value->fail_expected("the name of an activation");
  return parse_activation(fallback);
}

/// The class that saved the checkpoint ("BertForMaskedLM"), or "".
[[gnu::cold]] inline std::string read_architecture(const HfConfig& c) {
  const auto names = c.get_or("architectures", std::vector<std::string>());
  return names.empty() ? "" : names.front();
}

/// The number of labels of a classifier: num_labels, or the entries of id2label, or 2.
[[gnu::cold]] inline index_t read_labels(const HfConfig& c) {
  if (c.has("num_labels")) return c.size("num_labels");
  const auto names = c.find("id2label");
  return names && names->is_object() && names->size() > 0 ? static_cast<index_t>(names->size()) : 2;
}

}  // namespace hw::families
