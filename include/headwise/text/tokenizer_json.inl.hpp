#pragma once
#include "headwise/text/tokenizer_json.hpp"
#include "headwise/text/tokenizer_json_steps.inl.hpp"

namespace hw::text {
namespace detail {

inline std::string optional_text(const Json& json, std::string_view key) { return json.get_or<std::string>(key, ""); }

// {"token": id, ...}
inline void read_vocabulary(const Json& json, Vocabulary& vocabulary) {
  if (!json.is_object()) json.fail_expected("an object");
  vocabulary.reserve(json.size(), 0);
  const std::string where = json.where();
  for (const auto& [token, id] : json.members()) vocabulary.add(token, id.as<std::int64_t>(), where);
}

// "a b" or ["a", "b"]
inline std::pair<std::string_view, std::string_view> read_merge(const Json& merge) {
  if (merge.is_array() && merge.size() == 2)
    return {merge.at(std::size_t{0}).as<std::string_view>(), merge.at(std::size_t{1}).as<std::string_view>()};
  if (!merge.is_string()) merge.fail_expected("two tokens");
  const auto s = merge.as<std::string_view>();
  const std::size_t space = s.find(' ');
  if (space == std::string_view::npos || s.find(' ', space + 1) != std::string_view::npos)
    merge.fail_expected("two tokens with a space between");
  return {s.substr(0, space), s.substr(space + 1)};
}

inline Bpe read_bpe(const Json& model, const Vocabulary& vocabulary, bool bytes) {
  Bpe::Options options;
  options.unk_token = optional_text(model, "unk_token");
  options.continuing_subword_prefix = optional_text(model, "continuing_subword_prefix");
  options.end_of_word_suffix = optional_text(model, "end_of_word_suffix");
  options.fuse_unk = model.get_or("fuse_unk", false);
  options.byte_fallback = model.get_or("byte_fallback", false);
  options.ignore_merges = model.get_or("ignore_merges", false);
  options.bytes = bytes;
  if (model.get_or("dropout", 0.0) != 0)
    model.at("dropout").fail("dropout is for training: the same text would have other tokens every time");
  const Json list = model.at("merges");
  if (!list.is_array()) list.fail_expected("a list");
  std::vector<std::pair<std::string_view, std::string_view>> merges;
  merges.reserve(list.size());
  for (const Json& merge : list.items()) merges.push_back(read_merge(merge));
  return Bpe(vocabulary, merges, std::move(options), list.where());
}

// [["piece", score], ...]: the id is the place in the list.
inline Unigram read_unigram(const Json& model, Vocabulary& vocabulary) {
  const Json list = model.at("vocab");
  if (!list.is_array()) list.fail_expected("a list");
  if (list.empty()) list.fail("the vocabulary is empty");
  std::vector<double> scores;
  const std::string where = list.where();
  vocabulary.reserve(list.size(), 0);
  for (const Json& entry : list.items()) {
    if (!entry.is_array() || entry.size() != 2) entry.fail_expected("a piece and its score");
    vocabulary.add(entry.at(std::size_t{0}).as<std::string_view>(), static_cast<std::int64_t>(scores.size()), where);
    scores.push_back(entry.at(std::size_t{1}).as<double>());
  }
  Unigram::Options options;
  options.byte_fallback = model.get_or("byte_fallback", false);
  if (const std::optional<Json> unk = model.find("unk_id"); unk && !unk->is_null()) {
    const auto id = unk->as<std::int64_t>();
    if (!vocabulary.contains(id)) unk->fail(concat("unk_id ", id, " is not in the vocabulary of ", scores.size()));
    options.unk = static_cast<std::int32_t>(id);
  }
  const std::vector<bool> usable(scores.size(), true);
  return Unigram(vocabulary, std::move(scores), usable, options, model.where());
}

// Old files have no type: the fields tell.
inline std::string model_type(const Json& model) {
  if (!model.is_object()) model.fail_expected("an object");
  if (!is_null_or_missing(model, "type")) return model.get<std::string>("type");
  if (model.contains("merges")) return "BPE";
  if (model.contains("unk_id")) return "Unigram";
  return model.contains("continuing_subword_prefix") ? "WordPiece" : "WordLevel";
}

inline TokenizerModel read_model(const Json& model, Vocabulary& vocabulary, bool bytes) {
  const std::string type = model_type(model);
  if (type == "Unigram") return read_unigram(model, vocabulary);
  if (type != "BPE" && type != "WordPiece" && type != "WordLevel") model.fail(concat("the model type ", hw::quoted(type), " is not known"));
  read_vocabulary(model.at("vocab"), vocabulary);
  if (type == "BPE") return read_bpe(model, vocabulary, bytes);
  const std::string unk = model.get_or<std::string>("unk_token", "[UNK]");
  if (type == "WordLevel") return WordLevel(unk, model.where());
  WordPiece::Options options;
  options.unk_token = unk;
  options.continuing_subword_prefix = model.get_or<std::string>("continuing_subword_prefix", "##");
  const std::optional<Json> longest = model.find("max_input_chars_per_word");
  if (longest && longest->is_number() && !longest->is_integer() && longest->as<double>() > 0) {
    options.max_input_chars_per_word = ~std::uint64_t{0};  // beyond 64 bits
  } else {
    const auto n = model.get_or<std::int64_t>("max_input_chars_per_word", 100);
    if (n < 0) longest->fail_expected("at least 0");
    options.max_input_chars_per_word = static_cast<std::uint64_t>(n);
  }
  return WordPiece(std::move(options), model.where());
}

inline std::vector<AddedToken> read_added_tokens(const Json& list, const Vocabulary& vocabulary) {
  std::vector<AddedToken> tokens;
  if (!list.is_array()) list.fail_expected("a list");
  for (const Json& entry : list.items()) {
    AddedToken token;
    token.content = entry.get<std::string>("content");
    const auto id = entry.get<std::int64_t>("id");
    if (id < 0 || id >= Vocabulary::kMaxId) entry.at("id").fail(concat("the id ", id, " is out of range"));
    token.id = static_cast<std::int32_t>(id);
    token.single_word = entry.get_or("single_word", false);
    token.lstrip = entry.get_or("lstrip", false);
    token.rstrip = entry.get_or("rstrip", false);
    token.special = entry.get_or("special", false);
    token.normalized = entry.get_or("normalized", !token.special);
    const std::int32_t known = vocabulary.find(token.content);
    if (known >= 0 && known != token.id)
      entry.fail(concat("the token ", hw::quoted(token.content), " has the id ", token.id, " here and ", known, " in the vocabulary"));
    if (vocabulary.contains(id) && vocabulary.text(id) != token.content && !token.content.empty())
      entry.fail(concat("the id ", id, " is that of ", hw::quoted(vocabulary.text(id)), " in the vocabulary"));
    tokens.push_back(std::move(token));
  }
  return tokens;
}

}  // namespace detail

HEADWISE_INLINE std::shared_ptr<TokenizerParts> read_tokenizer_json(const Json& json) {
  if (!json.is_object()) json.fail_expected("an object");
  const auto part = [&](std::string_view key) { return json.find(key).value_or(Json()); };
  if (const Json version = part("version"); !version.is_null() && version.as<std::string_view>() != "1.0") version.fail_expected("1.0");
  auto parts = std::make_shared<TokenizerParts>();
  parts->origin = json.origin();
  const Json model = json.at("model");
  const bool bytes =
      detail::model_type(model) == "BPE" && ends_with_byte_level(part("pre_tokenizer")) && !model.get_or("byte_fallback", false);
  parts->normalizer = read_normalizer(part("normalizer"));
  parts->pre_tokenizer = read_pre_tokenizer(part("pre_tokenizer"), bytes);
  parts->model = detail::read_model(model, parts->vocabulary, bytes);
  parts->post_processor = read_post_processor(part("post_processor"));
  parts->decoder = read_decoder(part("decoder"));
  if (const Json added = part("added_tokens"); !added.is_null())
    parts->added = AddedTokens(detail::read_added_tokens(added, parts->vocabulary), parts->normalizer, added.where());
  if (const std::optional<Json> unk = model.find("unk_id"); unk && unk->is_integer())
    parts->special.unk = unk->as<std::int32_t>();
  else if (const std::optional<Json> unk = model.find("unk_token"); unk && unk->is_string())
    parts->special.unk = parts->id_of(unk->as<std::string_view>());
  parts->finish();
  return parts;
}

HEADWISE_INLINE void read_special_tokens(TokenizerParts& parts, const Json& config) {
  if (!config.is_object()) config.fail_expected("an object");
  const auto read = [&](const char* key, std::int32_t& id) {
    const std::optional<Json> value = config.find(key);
    if (!value || value->is_null()) return;
    const std::string token = value->is_object() ? value->get<std::string>("content") : value->as<std::string>();
    if (const std::int32_t known = parts.id_of(token); known >= 0) id = known;
  };
  SpecialTokenIds& special = parts.special;
  read("bos_token", special.bos), read("eos_token", special.eos), read("unk_token", special.unk), read("pad_token", special.pad);
  read("sep_token", special.sep), read("cls_token", special.cls), read("mask_token", special.mask);

  if (const std::optional<Json> tokens = config.find("added_tokens_decoder"); tokens && !tokens->is_null()) {
    for (const auto& [key, token] : tokens->members()) {
      const bool number = !key.empty() && key.size() < 10 && key.find_first_not_of("0123456789") == std::string_view::npos;
      if (!number) tokens->fail(concat("the key ", hw::quoted(key), " is not an id"));
      token.get<std::string_view>("content");
    }
  }
  if (const std::optional<Json> chat = config.find("chat_template"); chat && !chat->is_null() && !chat->is_string()) {
    if (!chat->is_array()) chat->fail_expected("a template or a list of them");
    for (const Json& entry : chat->items()) entry.get<std::string_view>("name"), entry.get<std::string_view>("template");
  }
}

}  // namespace hw::text
