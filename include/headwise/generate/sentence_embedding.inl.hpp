#pragma once
#include <algorithm>
#include <cmath>
#include <filesystem>

#include "headwise/generate/sentence_embedding.hpp"
#include "headwise/io/json.hpp"

namespace hw {
namespace detail {

inline Pooling read_pooling(const Json& config) {
  constexpr std::pair<const char*, Pooling> modes[] = {{"pooling_mode_cls_token", Pooling::first},
                                                       {"pooling_mode_mean_tokens", Pooling::mean},
                                                       {"pooling_mode_max_tokens", Pooling::max},
                                                       {"pooling_mode_mean_sqrt_len_tokens", Pooling::mean_sqrt},
                                                       {"pooling_mode_weightedmean_tokens", Pooling::weighted_mean},
                                                       {"pooling_mode_lasttoken", Pooling::last}};
  Pooling out = Pooling::none;
  for (const auto& [key, mode] : modes) {
    if (!config.get_or(key, false)) continue;
    if (out != Pooling::none) config.fail("several poolings side by side: this library makes one vector of one pooling");
    out = mode;
  }
  if (out == Pooling::none) config.fail("no pooling that is known is switched on");
  return out;
}

}  // namespace detail

HEADWISE_INLINE SentenceEmbedding SentenceEmbedding::read(const std::string& folder) {
  SentenceEmbedding out;
  namespace fs = std::filesystem;
  std::error_code none;
  const auto there = [&](const std::string& name) { return fs::exists(fs::path(folder) / name, none); };
  if (there("sentence_bert_config.json"))
    out.max_tokens = Json::read(folder + "/sentence_bert_config.json").get_or<index_t>("max_seq_length", 0);
  if (!there("modules.json")) return out;
  out.normalise = false;
  for (const Json& module : Json::read(folder + "/modules.json").items()) {
    const auto type = module.get<std::string>("type");
    const auto path = module.get_or<std::string>("path", "");
    if (type.ends_with(".Transformer")) continue;
    if (type.ends_with(".Normalize")) {
      out.normalise = true;
    } else if (type.ends_with(".Pooling")) {
      if (path.empty() || path.find('/') != std::string::npos || path.find("..") != std::string::npos)
        module.fail("the path must be a folder beside it");
      out.pooling = detail::read_pooling(Json::read(folder + "/" + path + "/config.json"));
    } else {
      module.fail(concat("expected a Transformer, Pooling or Normalize module, found ", quoted(type)));
    }
  }
  return out;
}

HEADWISE_INLINE std::vector<std::vector<float>> SentenceEmbedding::embed(const Model& model,
                                                                         std::span<const std::vector<std::int32_t>> inputs) const {
  if (inputs.empty()) return {};
  const index_t positions = model.info().max_positions;
  const index_t limit = max_tokens > 0 && positions > 0 ? std::min(max_tokens, positions) : std::max(max_tokens, positions);
  std::vector<std::vector<std::int32_t>> cut(inputs.begin(), inputs.end());
  std::vector<Sequence> batch;
  for (auto& ids : cut) {
    if (limit > 0 && static_cast<index_t>(ids.size()) > limit) {
      ids[static_cast<std::size_t>(limit) - 1] = ids.back();
      ids.resize(static_cast<std::size_t>(limit));
    }
    batch.push_back({.ids = ids, .wanted = Wanted::none});
  }
  Output out;
  model.forward(batch, out, {.hidden = true});
  std::vector<std::vector<float>> vectors;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    std::vector<float>& v = vectors.emplace_back(static_cast<std::size_t>(model.info().hidden_size));
    pool(pooling, out.hidden(static_cast<index_t>(i)), v);
    if (!normalise) continue;
    double square = 0;
    for (const float x : v) square += static_cast<double>(x) * static_cast<double>(x);
    const double length = std::max(std::sqrt(square), 1e-12);
    for (float& x : v) x = static_cast<float>(static_cast<double>(x) / length);
  }
  return vectors;
}

}  // namespace hw
