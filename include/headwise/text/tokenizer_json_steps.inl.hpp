#pragma once
// Normalisers, pre-tokenisers, post-processors and decoders of tokenizer.json.
#include "headwise/text/tokenizer_json.hpp"

namespace hw::text {
namespace detail {

inline bool is_null_or_missing(const Json& json, std::string_view key) {
  const std::optional<Json> value = json.find(key);
  return !value || value->is_null();
}

// The steps of a Sequence, those of Sequences within it in their place. `lists` are the names that the list of steps may have.
inline std::vector<Json> flatten(const Json& json, std::string_view list) {
  constexpr std::size_t kMaxSteps = 1024;
  std::vector<Json> steps, stack;
  if (!json.is_null()) stack.push_back(json);
  while (!stack.empty()) {
    const Json step = stack.back();
    stack.pop_back();
    if (step.get<std::string_view>("type") != "Sequence") {
      steps.push_back(step);
    } else {
      const Json inner = step.at(list);
      if (!inner.is_array()) inner.fail_expected("a list");
      if (inner.size() + stack.size() + steps.size() > kMaxSteps) inner.fail(concat("more than ", kMaxSteps, " steps"));
      for (std::size_t i = inner.size(); i-- > 0;) stack.push_back(inner.at(i));
    }
  }
  return steps;
}

[[noreturn]] inline void unknown_step(const Json& step, std::string_view kind) {
  step.fail(concat("the ", kind, " ", hw::quoted(step.get<std::string_view>("type")), " is not known"));
}

inline char32_t one_character(const Json& json) {
  const auto s = json.as<std::string_view>();
  std::size_t at = 0;
  const char32_t c = s.empty() ? 0 : next_character(s, at);
  if (s.empty() || at != s.size()) json.fail_expected("one character");
  return c;
}

// {"String": "x"} or {"Regex": "x+"}
inline Regex read_pattern(const Json& json) {
  if (const std::optional<Json> text = json.find("String")) return Regex::literal(text->as<std::string_view>(), text->where());
  if (const std::optional<Json> pattern = json.find("Regex")) return Regex(pattern->as<std::string_view>(), pattern->where());
  json.fail_expected("a String or a Regex");
}

inline SplitBehavior read_behavior(const Json& json) {
  const auto name = json.as<std::string_view>();
  if (name == "Removed") return SplitBehavior::removed;
  if (name == "Isolated") return SplitBehavior::isolated;
  if (name == "MergedWithPrevious") return SplitBehavior::merged_with_previous;
  if (name == "MergedWithNext") return SplitBehavior::merged_with_next;
  if (name == "Contiguous") return SplitBehavior::contiguous;
  json.fail(concat("the behavior ", hw::quoted(name), " is not known"));
}

inline std::string decode_base64(const Json& json) {
  const auto s = json.as<std::string_view>();
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  std::size_t padding = 0;
  for (const char c : s) {
    const int value = c >= 'A' && c <= 'Z'   ? c - 'A'
                      : c >= 'a' && c <= 'z' ? c - 'a' + 26
                      : c >= '0' && c <= '9' ? c - '0' + 52
                      : c == '+'             ? 62
                      : c == '/'             ? 63
                                             : -1;
    if (c == '=') {
      ++padding;
      continue;
    }
    if (value < 0 || padding > 0) json.fail_expected("base64");
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    if ((count += 6) >= 8) out += static_cast<char>(static_cast<unsigned char>(bits >> (count -= 8)));
  }
  if (s.size() % 4 != 0 || padding > 2) json.fail_expected("base64");
  return out;
}

inline NormalizerStep read_normalizer_step(const Json& step) {
  const auto type = step.get<std::string_view>("type");
  if (type == "NFC") return UnicodeForm{NormalForm::nfc};
  if (type == "NFD") return UnicodeForm{NormalForm::nfd};
  if (type == "NFKC") return UnicodeForm{NormalForm::nfkc};
  if (type == "NFKD") return UnicodeForm{NormalForm::nfkd};
  if (type == "Lowercase") return Lowercase{};
  if (type == "StripAccents") return StripAccents{};
  if (type == "Strip") return Strip{step.get<bool>("strip_left"), step.get<bool>("strip_right")};
  if (type == "Prepend") return Prepend{step.get<std::string>("prepend")};
  if (type == "Append") return Append{step.get<std::string>("append")};
  if (type == "Replace") return Replace{read_pattern(step.at("pattern")), step.get<std::string>("content")};
  if (type == "ByteLevel") return BytesToCharacters{};
  if (type == "Nmt") return Nmt{};
  if (type == "Precompiled") {
    const std::optional<Json> map = step.find("precompiled_charsmap");
    return Precompiled{map && !map->is_null() ? Charsmap(decode_base64(*map), map->where()) : Charsmap()};
  }
  if (type == "BertNormalizer") {
    const bool lowercase = step.get_or("lowercase", true);
    return BertNormalizer{step.get_or("clean_text", true), step.get_or("handle_chinese_chars", true),
                          step.get_or("strip_accents", lowercase), lowercase};
  }
  unknown_step(step, "normalizer");
}

inline Metaspace::Prepend read_prepend_scheme(const Json& step) {
  const auto scheme = step.get_or<std::string_view>("prepend_scheme", step.get_or("add_prefix_space", true) ? "always" : "never");
  if (scheme == "always") return Metaspace::Prepend::always;
  if (scheme == "never") return Metaspace::Prepend::never;
  if (scheme == "first") return Metaspace::Prepend::first;
  step.at("prepend_scheme").fail_expected("always, never or first");
}

inline PreTokenizerStep read_pre_tokenizer_step(const Json& step, bool keep_bytes) {
  const auto type = step.get<std::string_view>("type");
  if (type == "Split") return Split{read_pattern(step.at("pattern")), read_behavior(step.at("behavior")), step.get_or("invert", false)};
  if (type == "Whitespace") {
    // This one \w has the two joiners, which Oniguruma's lacks.
    return Split{Regex(R"([\w\x{200C}\x{200D}]+|[^\w\s\x{200C}\x{200D}]+)", step.where()), SplitBehavior::removed, true};
  }
  if (type == "WhitespaceSplit") return SplitWhitespace{};
  if (type == "BertPreTokenizer") return BertPreTokenizer{};
  if (type == "Punctuation") {
    const std::optional<Json> behavior = step.find("behavior");
    return Punctuation{behavior ? read_behavior(*behavior) : SplitBehavior::isolated};
  }
  if (type == "Digits") return Digits{step.get_or("individual_digits", false)};
  if (type == "CharDelimiterSplit") {
    std::string delimiter;
    append_character(delimiter, one_character(step.at("delimiter")));
    return Split{Regex::literal(delimiter, step.where()), SplitBehavior::removed, false};
  }
  if (type == "FixedLength") {
    const auto length = step.get<std::size_t>("length");
    if (length == 0) step.at("length").fail_expected("at least 1");
    return FixedLength{length};
  }
  if (type == "Metaspace") return Metaspace{one_character(step.at("replacement")), read_prepend_scheme(step), step.get_or("split", true)};
  if (type == "ByteLevel")
    return ByteLevel{step.get_or("add_prefix_space", true), step.get_or("use_regex", true), Regex(gpt2_pattern(), step.where()),
                     keep_bytes};
  unknown_step(step, "pre_tokenizer");
}

// What TemplateProcessing says about one or two texts.
inline std::vector<TemplatePart> read_template(const Json& parts, const Json& special_tokens) {
  std::vector<TemplatePart> out;
  for (const Json& part : parts.items()) {
    const std::optional<Json> special = part.find("SpecialToken"), sequence = part.find("Sequence");
    if (!special && !sequence) part.fail_expected("a SpecialToken or a Sequence");
    const Json& content = special ? *special : *sequence;
    TemplatePart read{TemplatePart::Kind::special, content.get_or<std::int32_t>("type_id", 0), {}};
    if (read.type_id < 0) content.at("type_id").fail_expected("at least 0");
    const auto id = content.get<std::string_view>("id");
    if (sequence) {
      if (id != "A" && id != "B") content.at("id").fail_expected("A or B");
      read.kind = id == "A" ? TemplatePart::Kind::first : TemplatePart::Kind::second;
    } else {
      const std::optional<Json> token = special_tokens.find(id);
      if (!token) content.fail(concat("special_tokens does not have ", hw::quoted(id)));
      read.ids = token->get<std::vector<std::int32_t>>("ids");
    }
    out.push_back(std::move(read));
  }
  return out;
}

// ["</s>", 2]
inline std::int32_t read_token_and_id(const Json& pair) {
  if (!pair.is_array() || pair.size() != 2) pair.fail_expected("a token and its id");
  pair.at(std::size_t{0}).as<std::string_view>();
  return pair.at(std::size_t{1}).as<std::int32_t>();
}

// [CLS] A [SEP] and, with B: BERT "B [SEP]" in segment 1, RoBERTa "[SEP] B [SEP]" in segment 0.
inline void read_cls_and_sep(const Json& step, bool roberta, PostProcessor& post) {
  using Kind = TemplatePart::Kind;
  const std::int32_t cls = read_token_and_id(step.at("cls")), sep = read_token_and_id(step.at("sep")), second = roberta ? 0 : 1;
  post.single = {{Kind::special, 0, {cls}}, {Kind::first, 0, {}}, {Kind::special, 0, {sep}}};
  post.pair = post.single;
  if (roberta) post.pair->push_back({Kind::special, 0, {sep}});
  post.pair->push_back({Kind::second, second, {}});
  post.pair->push_back({Kind::special, second, {sep}});
  post.types_without_special = roberta;
  if (!roberta) return;
  post.trim_offsets = step.get_or("trim_offsets", true);
  post.keep_prefix_space = step.get_or("add_prefix_space", true);
}

inline DecoderStep read_decoder_step(const Json& step) {
  const auto type = step.get<std::string_view>("type");
  if (type == "ByteLevel") return ByteLevelDecoder{};
  if (type == "WordPiece") return WordPieceDecoder{step.get_or<std::string>("prefix", "##"), step.get_or("cleanup", true)};
  if (type == "Metaspace")
    return MetaspaceDecoder{one_character(step.at("replacement")), read_prepend_scheme(step) != Metaspace::Prepend::never};
  if (type == "BPEDecoder") return BpeDecoder{step.get_or<std::string>("suffix", "</w>")};
  if (type == "CTC")
    return CtcDecoder{step.get_or<std::string>("pad_token", "<pad>"), step.get_or<std::string>("word_delimiter_token", "|"),
                      step.get_or("cleanup", true)};
  if (type == "ByteFallback") return ByteFallbackDecoder{};
  if (type == "Fuse") return FuseDecoder{};
  if (type == "Replace") return ReplaceDecoder{read_pattern(step.at("pattern")), step.get<std::string>("content")};
  if (type == "Strip") {
    const auto count = [&](const char* key) {
      const Json value = step.at(key);
      if (value.is_number() && !value.is_integer()) return ~std::uint64_t{0};  // beyond 64 bits
      const auto n = value.as<std::int64_t>();
      if (n < 0) value.fail_expected("at least 0");
      return static_cast<std::uint64_t>(n);
    };
    return StripDecoder{one_character(step.at("content")), count("start"), count("stop")};
  }
  unknown_step(step, "decoder");
}

}  // namespace detail

HEADWISE_INLINE Normalizer read_normalizer(const Json& json) {
  std::vector<NormalizerStep> steps;
  for (const Json& step : detail::flatten(json, "normalizers")) steps.push_back(detail::read_normalizer_step(step));
  return Normalizer(std::move(steps));
}

HEADWISE_INLINE bool ends_with_byte_level(const Json& pre_tokenizer) {
  const std::vector<Json> steps = detail::flatten(pre_tokenizer, "pretokenizers");
  return !steps.empty() && steps.back().get<std::string_view>("type") == "ByteLevel";
}

HEADWISE_INLINE PreTokenizer read_pre_tokenizer(const Json& json, bool keep_bytes) {
  std::vector<PreTokenizerStep> steps;
  const std::vector<Json> list = detail::flatten(json, "pretokenizers");
  for (const Json& step : list) steps.push_back(detail::read_pre_tokenizer_step(step, keep_bytes && steps.size() + 1 == list.size()));
  return PreTokenizer(std::move(steps));
}

HEADWISE_INLINE PostProcessor read_post_processor(const Json& json) {
  PostProcessor post;
  for (const Json& step : detail::flatten(json, "processors")) {
    const auto type = step.get<std::string_view>("type");
    if (type == "ByteLevel") {
      if (!step.get_or("trim_offsets", true)) continue;
      post.trim_offsets = true;
      post.keep_prefix_space = step.get_or("add_prefix_space", true);
      continue;
    }
    if (post.single) step.fail("a second template");
    if (type == "TemplateProcessing") {
      const Json special = step.at("special_tokens");
      post.single = detail::read_template(step.at("single"), special);
      post.pair = detail::read_template(step.at("pair"), special);
    } else if (type == "BertProcessing" || type == "RobertaProcessing") {
      detail::read_cls_and_sep(step, type == "RobertaProcessing", post);
    } else {
      detail::unknown_step(step, "post_processor");
    }
  }
  return post;
}

HEADWISE_INLINE std::vector<DecoderStep> read_decoder(const Json& json) {
  std::vector<DecoderStep> steps;
  for (const Json& step : detail::flatten(json, "decoders")) steps.push_back(detail::read_decoder_step(step));
  if (steps.empty() && json.is_null()) steps.push_back(JoinBySpace{});
  return steps;
}

}  // namespace hw::text
