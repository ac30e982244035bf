#pragma once
#include <algorithm>
#include <filesystem>

#include "headwise/families/gguf_names.hpp"
#include "headwise/families/zoo.hpp"
#include "headwise/io/gguf.hpp"
#include "headwise/io/gguf_config.hpp"
#include "headwise/io/open_weights.hpp"

namespace hw {

HEADWISE_LOAD_TIME std::vector<std::string> Zoo::known() const { return names(false); }

HEADWISE_LOAD_TIME std::vector<std::string> Zoo::names(bool gguf) const {
  std::vector<std::string> out;
  for (const Entry& e : entries_)
    if (e.gguf == gguf) out.push_back(e.model_type);
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

HEADWISE_LOAD_TIME bool Zoo::knows(std::string_view model_type) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& e) { return !e.gguf && e.model_type == model_type; });
}

HEADWISE_LOAD_TIME std::unique_ptr<Model> Zoo::build(const HfConfig& config, std::shared_ptr<const WeightSource> source,
                                                  const LoadOptions& options) const {
  const auto type = config.get<std::string>("model_type");
  const bool gguf = source && families::has_gguf_names(*source);
  for (auto e = entries_.rbegin(); e != entries_.rend(); ++e)
    if (e->model_type == type && e->gguf == gguf && (e->takes == nullptr || e->takes(config)))
      return e->build(config, std::move(source), options);
  std::string list;
  for (const std::string& name : names(gguf)) list += (list.empty() ? "" : ", ") + name;
  config.fail(concat("model_type: found ", quoted(type), ", expected a family of this program: ", list));
}

HEADWISE_LOAD_TIME std::unique_ptr<Model> Zoo::load(const std::string& path, const LoadOptions& options) const {
  std::error_code ignored;
  if (!std::filesystem::is_directory(path, ignored)) {
    const Gguf file = Gguf::open(path, options.access);
    return build(HfConfig(gguf_config(file)), std::make_shared<const WeightSource>(file.weights()), options);
  }
  for (auto open = openers_.rbegin(); open != openers_.rend(); ++open)
    if (auto found = (*open)(path, options.access)) return build(found->config, std::move(found->source), options);
  const HfConfig config = read_hf_config(path);
  if (const auto type = config.get<std::string>("model_type"); !knows(type))
    return build(config, nullptr, options);  // says so before any weight is opened
  return build(config, open_weights(path, options.access), options);
}

}  // namespace hw
