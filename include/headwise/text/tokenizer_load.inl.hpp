#pragma once
#include <filesystem>

#include "headwise/text/tokenizer_json.hpp"
#include "headwise/text/tokenizer_load.hpp"

namespace hw::text {

HEADWISE_INLINE std::shared_ptr<const TokenizerParts> load_tokenizer(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path given(path);
  const bool folder = fs::is_directory(given, error);
  const auto beside = [&](const char* name) { return (folder ? given : given.parent_path()) / name; };
  const auto exists = [&](const fs::path& file) { return fs::exists(file, error); };
  std::shared_ptr<TokenizerParts> parts;
  if (folder && exists(beside("tokenizer.json")))
    parts = read_tokenizer_json(Json::read(beside("tokenizer.json").string()));
  else if (!folder && given.extension() == ".json")
    parts = read_tokenizer_json(Json::read(path));
  else
    fail(path, "there is no tokenizer");
  for (const char* name : {"special_tokens_map.json", "tokenizer_config.json"})
    if (exists(beside(name))) read_special_tokens(*parts, Json::read(beside(name).string()));
  return parts;
}

}  // namespace hw::text
