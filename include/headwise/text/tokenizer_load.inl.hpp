#pragma once
#include <filesystem>

#include "headwise/io/mapped_file.hpp"
#include "headwise/text/sentencepiece.hpp"
#include "headwise/text/tokenizer_files.hpp"
#include "headwise/text/tokenizer_gguf.hpp"
#include "headwise/text/tokenizer_json.hpp"
#include "headwise/text/tokenizer_load.hpp"
#include "headwise/text/tokenizer_parts.hpp"

namespace hw::text {
namespace detail {

inline std::shared_ptr<TokenizerParts> load_sentencepiece(const std::filesystem::path& file) {
  const MappedFile mapped = MappedFile::open(file.string());
  const std::string name = file.filename().string();
  return make_sentencepiece_tokenizer(parse_sentencepiece(mapped.text(), name), name);
}

inline std::shared_ptr<TokenizerParts> load_gguf_tokenizer(const std::string& path) {
  const Gguf gguf = Gguf::open(path);
  if (!gguf.contains("tokenizer.ggml.model")) fail(gguf.name(), "the file has no tokenizer (tokenizer.ggml.model)");
  return make_gguf_tokenizer(read_gguf_vocabulary(gguf));
}

}  // namespace detail

HEADWISE_INLINE std::string vocabulary_beside(const std::string& folder) {
  std::error_code ignored;
  std::string found;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("vocab") || !name.ends_with(".spm")) continue;
    if (!found.empty()) fail(hw::quoted(folder, 300), "one file vocab*.spm", "several");
    found = entry.path().string();
  }
  return found;
}

HEADWISE_INLINE std::shared_ptr<const TokenizerParts> load_tokenizer(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path given(path);
  const bool folder = fs::is_directory(given, error);
  if (!folder) {
    const std::string extension = given.extension().string();
    if (extension == ".gguf") return detail::load_gguf_tokenizer(path);
    if (extension == ".model" || extension == ".spm") return detail::load_sentencepiece(given);
  }
  const fs::path here = folder ? given : given.parent_path();
  const auto file = [&](const char* name) { return (here / name).string(); };
  const auto exists = [&](const char* name) { return fs::exists(here / name, error); };
  const auto json = [&](const char* name) { return exists(name) ? std::optional<Json>(Json::read(file(name))) : std::nullopt; };
  const std::optional<Json> config = json("tokenizer_config.json"), map = json("special_tokens_map.json");

  std::shared_ptr<TokenizerParts> parts;
  if (!folder) {
    parts = read_tokenizer_json(Json::read(path));
  } else if (const std::string vocabulary = exists("tokenizer_config.json") ? "" : vocabulary_beside(path); !vocabulary.empty()) {
    parts = detail::load_sentencepiece(vocabulary);
    dress_sentencepiece(*parts, Json::object({{"add_eos_token", true}}));
  } else if (exists("tokenizer.json")) {
    parts = read_tokenizer_json(Json::read(file("tokenizer.json")));
  } else if (exists("tokenizer.model") || exists("spiece.model")) {
    parts = detail::load_sentencepiece(here / (exists("tokenizer.model") ? "tokenizer.model" : "spiece.model"));
    dress_sentencepiece(*parts, config.value_or(Json()));
  } else if (exists("vocab.json") && exists("merges.txt")) {
    parts = read_vocab_and_merges(Json::read(file("vocab.json")), MappedFile::open(file("merges.txt")).text(), config.value_or(Json()));
  } else if (exists("vocab.txt")) {
    parts = read_vocab_txt(MappedFile::open(file("vocab.txt")).text(), config.value_or(Json()));
  } else {
    fail(path, "there is no tokenizer: no tokenizer.json, tokenizer.model, vocab.json with merges.txt or vocab.txt");
  }
  if (map) read_special_tokens(*parts, *map);
  if (config) read_special_tokens(*parts, *config);
  return parts;
}

}  // namespace hw::text
