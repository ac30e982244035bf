#include "task.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace program {

hw::Json config_for(const std::string& path, const std::string& task) {
  hw::Json config = hw::Json::read(path + "/config.json");
  std::string found = "none";
  if (const auto classes = config.find("architectures"); classes && classes->is_array() && !classes->empty())
    found = classes->at(std::size_t{0}).as<std::string>();
  if (!found.ends_with(task)) hw::fail(path + "/config.json, architectures", "a class that ends with " + task, hw::quoted(found));
  return config;
}

std::vector<float> softmax(std::span<const float> logits) {
  std::vector<float> out(logits.begin(), logits.end());
  if (out.empty()) return out;
  const float top = *std::max_element(out.begin(), out.end());
  double sum = 0;
  for (float& x : out) sum += x = std::exp(x - top);
  for (float& x : out) x = static_cast<float>(x / sum);
  return out;
}

std::vector<std::size_t> largest(std::span<const float> values, std::size_t count) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] > values[b]; });
  order.resize(std::min(count, order.size()));
  return order;
}

void read_tokens(const hw::Model& model, const hw::Encoding& tokens, hw::Output& out) {
  model.forward({.ids = tokens.ids, .wanted = hw::Wanted::all, .marks = tokens.type_ids}, out);
}

std::string characters(std::string_view text, std::size_t begin, std::size_t end) {
  std::size_t from = 0, to = 0;
  for (std::size_t at = 0, count = 0; at <= text.size(); ++at) {
    if (at < text.size() && (text[at] & 0xC0) == 0x80) continue;  // inside of a character
    if (count == begin) from = at;
    if (count++ == end) to = at;
  }
  return std::string(text.substr(from, to - from));
}

}  // namespace program
