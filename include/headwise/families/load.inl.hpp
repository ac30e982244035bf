#pragma once
#include <algorithm>
#include <filesystem>
#include <optional>

#include "headwise/families/load.hpp"
#include "headwise/io/gguf.hpp"
#include "headwise/text/tokenizer_load.hpp"

namespace hw {
namespace detail {

// bos_token_id, eos_token_id: an id, a list of ids, or none (missing, null, or -1).
inline std::vector<std::int32_t> read_ids(const Json& config, std::string_view key, index_t vocab) {
  std::vector<std::int32_t> out;
  const auto value = config.find(key);
  if (!value || value->is_null()) return out;
  const auto add = [&](const Json& id) {
    const auto number = id.is_integer() ? id.as<std::int64_t>() : std::int64_t{-2};
    if (number < -1 || number >= vocab) id.fail_expected(concat("an id below the vocabulary size ", vocab));
    if (number >= 0) out.push_back(static_cast<std::int32_t>(number));
  };
  if (value->is_array())
    for (const Json& id : value->items()) add(id);
  else
    add(*value);
  return out;
}

inline bool has_chat_template(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code none;
  for (const char* name : {"chat_template.jinja", "chat_template.json", "additional_chat_templates"})
    if (fs::exists(fs::path(path) / name, none)) return true;
  const std::string config = path + "/tokenizer_config.json";
  return fs::exists(config, none) && Json::read(config).contains("chat_template");
}

// Converters write "no_vocab" (in later versions "none") where a model has no tokenizer.
inline bool has_vocabulary(const Gguf& gguf) {
  const auto model = gguf.find("tokenizer.ggml.model");
  return model && model->as<std::string>() != "no_vocab" && model->as<std::string>() != "none";
}

}  // namespace detail

HEADWISE_LOAD_TIME TextModel load(const std::string& path, const Zoo& zoo, const LoadOptions& options) {
  namespace fs = std::filesystem;
  std::error_code none;
  TextModel::Parts parts;
  parts.model = zoo.load(path, options);
  const bool folder = fs::is_directory(path, none);
  const auto there = [&](const char* name) { return folder && fs::exists(fs::path(path) / name, none); };
  const std::optional<Gguf> gguf = folder ? std::nullopt : std::optional(Gguf::open(path));  // its values are views: it stays open
  const bool has_tokenizer =
      folder ? there("tokenizer.json") || there("tokenizer.model") || there("spiece.model") || there("vocab.json") || there("vocab.txt") ||
                   !text::vocabulary_beside(path).empty()
             : detail::has_vocabulary(*gguf);
  if (has_tokenizer) {
    parts.tokenizer = Tokenizer::load(path);
    const bool has_template = folder ? detail::has_chat_template(path) : gguf->contains("tokenizer.chat_template");
    if (has_template) parts.chat_template = ChatTemplate::load(path);
    if (parts.tokenizer->eos_id() >= 0) parts.stop_ids.push_back(parts.tokenizer->eos_id());
  }
  if (folder) {
    // generation_config.json counts where it is; config.json says the same in older checkpoints. Both must make sense.
    std::vector<std::int32_t> ends, start, first;
    for (const char* file : {"config.json", "generation_config.json"}) {
      if (!there(file)) continue;
      const Json config = Json::read(concat(path, "/", file));
      const index_t vocab = parts.model->info().vocab_size;
      const auto begin = detail::read_ids(config, "bos_token_id", vocab);
      ends = detail::read_ids(config, "eos_token_id", vocab);
      const auto newer = [&](std::vector<std::int32_t>& known, std::string_view key) {
        if (auto ids = detail::read_ids(config, key, vocab); !ids.empty()) known = std::move(ids);
      };
      newer(start, "decoder_start_token_id");
      newer(first, "forced_bos_token_id");
      if (start.empty()) start = begin;
    }
    if (start.empty() && !there("config.json") && parts.tokenizer && parts.tokenizer->eos_id() >= 0)
      start = {parts.tokenizer->eos_id()};  // Marian's files do not say it: the end of the sentence before
    if (parts.model->encoder() != nullptr) {
      parts.start_ids = std::move(start);
      parts.start_ids.insert(parts.start_ids.end(), first.begin(), first.end());
    }
    parts.stop_ids.insert(parts.stop_ids.end(), ends.begin(), ends.end());
    parts.embedding = SentenceEmbedding::read(path);
  } else if (const auto eot = gguf->find("tokenizer.ggml.eot_token_id")) {
    parts.stop_ids.push_back(eot->as<std::int32_t>());
  }
  std::sort(parts.stop_ids.begin(), parts.stop_ids.end());
  parts.stop_ids.erase(std::unique(parts.stop_ids.begin(), parts.stop_ids.end()), parts.stop_ids.end());
  return TextModel(std::move(parts));
}

}  // namespace hw
