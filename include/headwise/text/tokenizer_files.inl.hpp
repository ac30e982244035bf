#pragma once
#include <algorithm>

#include "headwise/text/tokenizer_files.hpp"
#include "headwise/text/tokenizer_json.inl.hpp"  // detail::read_vocabulary

namespace hw::text {
namespace detail {

// Calls f(line) for every line, without its end.
template <class F>
void each_line(std::string_view text, F f) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    f(line);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

// Checkpoints of other classes do other things with files of these names.
inline void check_class(const Json& config, std::initializer_list<std::string_view> known) {
  if (config.is_null()) return;
  auto name = config.get_or<std::string_view>("tokenizer_class", "");
  if (name.ends_with("Fast")) name.remove_suffix(4);
  if (name.empty() || std::find(known.begin(), known.end(), name) != known.end()) return;
  config.at("tokenizer_class").fail(concat(hw::quoted(name), " without a tokenizer.json is not supported"));
}

// The tokens that a tokenizer_config.json names, as added tokens.
inline std::vector<AddedToken> named_tokens(const Json& config, const Vocabulary& vocabulary) {
  std::vector<AddedToken> tokens;
  if (config.is_null()) return tokens;
  for (const char* key : {"bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token"}) {
    const std::optional<Json> value = config.find(key);
    if (!value || value->is_null()) continue;
    AddedToken token;
    token.content = value->is_object() ? value->get<std::string>("content") : value->as<std::string>();
    token.id = vocabulary.find(token.content);
    token.lstrip = value->is_object() && value->get_or("lstrip", false);
    token.rstrip = value->is_object() && value->get_or("rstrip", false);
    token.special = true;
    if (token.id >= 0) tokens.push_back(std::move(token));
  }
  return tokens;
}

}  // namespace detail

HEADWISE_INLINE std::shared_ptr<TokenizerParts> read_vocab_and_merges(const Json& vocabulary, std::string_view merges, const Json& config) {
  detail::check_class(config, {"GPT2Tokenizer"});
  auto parts = std::make_shared<TokenizerParts>();
  parts->origin = vocabulary.origin();
  detail::read_vocabulary(vocabulary, parts->vocabulary);
  std::vector<std::pair<std::string_view, std::string_view>> pairs;
  detail::each_line(merges, [&](std::string_view line) {
    if (line.empty() || line.starts_with("#version")) return;
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos)
      fail("merges.txt", concat("expected two tokens with a space between, found ", hw::quoted(line)));
    pairs.emplace_back(line.substr(0, space), line.substr(space + 1));
  });
  Bpe::Options options;
  options.bytes = true;
  parts->model = Bpe(parts->vocabulary, pairs, options, "merges.txt");
  const bool prefix = !config.is_null() && config.get_or("add_prefix_space", false);
  parts->pre_tokenizer = PreTokenizer({ByteLevel{prefix, true, Regex(gpt2_pattern(), parts->origin), true}});
  parts->decoder = {ByteLevelDecoder{}};
  std::vector<AddedToken> tokens = detail::named_tokens(config, parts->vocabulary);
  if (const std::int32_t end = parts->vocabulary.find("<|endoftext|>"); end >= 0 && tokens.empty()) {
    AddedToken token;
    token.content = "<|endoftext|>";
    token.id = end;
    token.special = true;
    tokens.push_back(std::move(token));
    parts->special.bos = parts->special.eos = end;
  }
  parts->added = AddedTokens(std::move(tokens), parts->normalizer, parts->origin);
  parts->finish();
  return parts;
}

HEADWISE_INLINE std::shared_ptr<TokenizerParts> read_vocab_txt(std::string_view vocabulary, const Json& config) {
  constexpr std::string_view kWhere = "vocab.txt";
  detail::check_class(config, {"BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer", "MobileBertTokenizer", "PreTrainedTokenizer"});
  auto parts = std::make_shared<TokenizerParts>();
  parts->origin = kWhere;
  std::int64_t id = 0;
  detail::each_line(vocabulary, [&](std::string_view line) {
    if (valid_prefix(line) != line.size()) fail(kWhere, concat("line ", id + 1, " is not UTF-8"));
    if (parts->vocabulary.find(line) >= 0) fail(kWhere, concat("the token ", hw::quoted(line), " is there twice"));
    parts->vocabulary.add(line, id++, kWhere);
  });
  const auto named = [&](const char* key, const char* usual) {
    const std::string token = config.is_null() ? usual : config.get_or<std::string>(key, usual);
    const std::int32_t found = parts->vocabulary.find(token);
    if (found < 0) fail(kWhere, concat("the ", key, " ", hw::quoted(token), " is missing"));
    return found;
  };
  const std::int32_t unk = named("unk_token", "[UNK]"), cls = named("cls_token", "[CLS]"), sep = named("sep_token", "[SEP]");
  const auto flag = [&](const char* key, bool usual) { return config.is_null() ? usual : config.get_or(key, usual); };
  const bool lowercase = flag("do_lower_case", true);
  parts->normalizer = Normalizer({BertNormalizer{true, flag("tokenize_chinese_chars", true), flag("strip_accents", lowercase), lowercase}});
  parts->pre_tokenizer = PreTokenizer({BertPreTokenizer{}});
  WordPiece::Options options;
  options.unk_token = parts->vocabulary.text(unk);
  parts->model = WordPiece(std::move(options), kWhere);
  parts->decoder = {WordPieceDecoder{"##", true}};
  using Kind = TemplatePart::Kind;
  parts->post_processor.single = {{Kind::special, 0, {cls}}, {Kind::first, 0, {}}, {Kind::special, 0, {sep}}};
  parts->post_processor.pair = parts->post_processor.single;
  parts->post_processor.pair->push_back({Kind::second, 1, {}});
  parts->post_processor.pair->push_back({Kind::special, 1, {sep}});
  std::vector<AddedToken> tokens = detail::named_tokens(config, parts->vocabulary);
  for (const char* content : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}) {
    AddedToken token;
    token.content = content;
    token.id = parts->vocabulary.find(content);
    token.special = true;
    if (token.id >= 0) tokens.push_back(std::move(token));
  }
  parts->added = AddedTokens(std::move(tokens), parts->normalizer, kWhere);
  parts->special = {-1, -1, unk, parts->id_of("[PAD]"), sep, cls, parts->id_of("[MASK]")};
  parts->finish();
  return parts;
}

HEADWISE_INLINE void dress_sentencepiece(TokenizerParts& parts, const Json& config) {
  if (config.is_null()) return;
  const auto name = config.get_or<std::string_view>("tokenizer_class", "");
  detail::check_class(config, {"LlamaTokenizer", "CodeLlamaTokenizer", "GemmaTokenizer", "T5Tokenizer"});
  const bool t5 = name.starts_with("T5"), llama = !t5 && !name.empty();
  std::vector<AddedToken> tokens = detail::named_tokens(config, parts.vocabulary);
  for (int i = 0; t5 && i < 100; ++i) {
    AddedToken token;
    token.content = concat("<extra_id_", i, ">");
    token.id = static_cast<std::int32_t>(parts.vocabulary.id_limit()) + 99 - i;
    token.special = true;
    tokens.push_back(std::move(token));
  }
  parts.added = AddedTokens(std::move(tokens), parts.normalizer, parts.origin);
  using Kind = TemplatePart::Kind;
  const bool bos = config.get_or("add_bos_token", llama) && parts.special.bos >= 0;
  const bool eos = config.get_or("add_eos_token", t5) && parts.special.eos >= 0;
  std::vector<TemplatePart> pair;
  for (const Kind text : {Kind::first, Kind::second}) {
    if (bos) pair.push_back({Kind::special, 0, {parts.special.bos}});
    pair.push_back({text, 0, {}});
    if (eos) pair.push_back({Kind::special, 0, {parts.special.eos}});
    if (text == Kind::first) parts.post_processor.single = pair;
  }
  parts.post_processor.pair = std::move(pair);
  parts.finish();
}

}  // namespace hw::text
