#pragma once
#include <cmath>

#include "headwise/text/tokenizer_gguf.hpp"
#include "headwise/text/tokenizer_gguf_pre.inl.hpp"

namespace hw::text {

HEADWISE_INLINE GgufVocabulary read_gguf_vocabulary(const Gguf& gguf) {
  const auto key = [](std::string_view name) { return concat("tokenizer.ggml.", name); };
  GgufVocabulary v;
  v.origin = gguf.name();
  v.model = gguf.get<std::string_view>(key("model"));
  v.pre = gguf.get_or<std::string_view>(key("pre"), "");
  v.tokens = gguf.get<std::vector<std::string_view>>(key("tokens"));
  if (v.tokens.empty()) gguf.at(key("tokens")).fail("the vocabulary is empty");
  const auto list_of_all = [&](std::string_view name, const auto& list) {
    if (list.size() != v.tokens.size())
      gguf.at(key(name)).fail(concat("expected one entry for each of the ", v.tokens.size(), " tokens, found ", list.size()));
  };
  if (gguf.contains(key("merges"))) v.merges = gguf.get<std::vector<std::string_view>>(key("merges"));
  if (gguf.contains(key("scores"))) {
    v.scores = gguf.get<std::vector<float>>(key("scores"));
    list_of_all("scores", v.scores);
  }
  if (gguf.contains(key("token_type"))) {
    const auto types = gguf.get<std::vector<std::int64_t>>(key("token_type"));
    list_of_all("token_type", types);
    for (const std::int64_t type : types) v.types.push_back(type >= 1 && type <= 6 ? static_cast<TokenType>(type) : TokenType::normal);
  }
  const auto id = [&](std::string_view name, std::int32_t& out) {
    const std::optional<GgufValue> value = gguf.find(key(name));
    if (!value) return;
    const auto number = value->as<std::int64_t>();
    if (number < 0 || static_cast<std::uint64_t>(number) >= v.tokens.size())
      value->fail(concat("expected an id below ", v.tokens.size(), ", found ", number));
    out = static_cast<std::int32_t>(number);
  };
  std::int32_t other = -1;
  id("bos_token_id", v.special.bos), id("eos_token_id", v.special.eos), id("unknown_token_id", v.special.unk);
  id("padding_token_id", v.special.pad), id("cls_token_id", v.special.cls), id("mask_token_id", v.special.mask);
  id("seperator_token_id", v.special.sep), id("eot_token_id", other), id("eom_token_id", other);
  const auto flag = [&](std::string_view name, std::optional<bool>& out) {
    if (gguf.contains(key(name))) out = gguf.get<bool>(key(name));
  };
  flag("add_bos_token", v.add_bos), flag("add_eos_token", v.add_eos);
  flag("add_space_prefix", v.add_space_prefix), flag("remove_extra_whitespaces", v.remove_extra_whitespaces);
  if (const std::optional<GgufValue> map = gguf.find(key("precompiled_charsmap"))) {
    if (!map->is_array() || (map->type() != GgufType::u8 && map->type() != GgufType::i8)) map->fail_expected("an array of bytes");
    for (const int byte : map->as<std::vector<int>>()) v.precompiled_charsmap += static_cast<char>(static_cast<unsigned char>(byte));
  }
  return v;
}

namespace detail {

// Fills what all models share, then what makes them different.
class GgufTokenizer {
 public:
  explicit GgufTokenizer(const GgufVocabulary& vocabulary) : v_(vocabulary), parts_(std::make_shared<TokenizerParts>()) {}

  std::shared_ptr<TokenizerParts> make() {
    parts_->origin = v_.origin;
    parts_->special = v_.special;
    parts_->vocabulary.reserve(v_.tokens.size(), 0);
    for (std::size_t id = 0; id < v_.tokens.size(); ++id) {
      const std::string_view token = v_.tokens[id];
      if (valid_prefix(token) != token.size()) fail(where("tokens"), concat("the token ", id, " is not UTF-8"));
      if (type(id) == TokenType::byte && byte_of_token(token) < 0)
        fail(where("tokens"), concat("the byte token ", hw::quoted(token), " does not name a byte"));
      parts_->vocabulary.add(v_.model == "bert" ? bert_token(token) : std::string(token), static_cast<std::int64_t>(id), where("tokens"));
    }
    if (v_.model == "gpt2")
      gpt2();
    else if (v_.model == "llama")
      llama();
    else if (v_.model == "bert")
      bert();
    else if (v_.model == "t5")
      t5();
    else
      fail(where("model"), concat("the tokenizer model ", hw::quoted(v_.model), " is not known"));
    parts_->added = AddedTokens(added_tokens(), parts_->normalizer, where("tokens"));
    parts_->finish();
    return parts_;
  }

 private:
  std::string where(std::string_view key) const { return concat(v_.origin, ": tokenizer.ggml.", key); }
  TokenType type(std::size_t id) const { return v_.types.empty() ? TokenType::normal : v_.types[id]; }

  std::vector<AddedToken> added_tokens() const {
    std::vector<AddedToken> tokens;
    for (std::size_t id = 0; id < v_.tokens.size(); ++id) {
      const auto i = static_cast<std::int32_t>(id);
      const bool named = i == v_.special.bos || i == v_.special.eos || i == v_.special.pad || i == v_.special.cls || i == v_.special.sep;
      const bool special = type(id) == TokenType::control || type(id) == TokenType::unknown || (v_.types.empty() && named);
      if (!special && type(id) != TokenType::user_defined) continue;
      AddedToken token;
      token.content = v_.tokens[id];
      token.id = parts_->vocabulary.find(token.content);  // of two tokens with the same text the later one
      if (token.id != i) continue;
      token.special = special;
      tokens.push_back(std::move(token));
    }
    return tokens;
  }

  // bos A eos, and for two texts the same again.
  void surround(bool add_bos, bool add_eos) {
    using Kind = TemplatePart::Kind;
    add_bos = v_.add_bos.value_or(add_bos) && v_.special.bos >= 0;
    add_eos = v_.add_eos.value_or(add_eos) && v_.special.eos >= 0;
    if (!add_bos && !add_eos) return;
    std::vector<TemplatePart> pair;
    for (const auto& [kind, type_id] : {std::pair(Kind::first, 0), std::pair(Kind::second, 1)}) {
      if (add_bos) pair.push_back({Kind::special, type_id, {v_.special.bos}});
      pair.push_back({kind, type_id, {}});
      if (add_eos) pair.push_back({Kind::special, type_id, {v_.special.eos}});
      if (kind == Kind::first) parts_->post_processor.single = pair;
    }
    parts_->post_processor.pair = std::move(pair);
  }

  std::vector<float> scores() const {
    if (v_.scores.empty()) fail(where("scores"), "the key is missing");
    for (std::size_t id = 0; id < v_.scores.size(); ++id)
      if (!(std::abs(v_.scores[id]) < 3.4e38f)) fail(where("scores"), concat("the score of ", hw::quoted(v_.tokens[id]), " is not finite"));
    return v_.scores;
  }

  void gpt2() {
    const std::optional<GgufPreTokenizer> pre = find_gguf_pre_tokenizer(v_.pre);
    if (!pre) fail(where("pre"), concat("the pre-tokenizer ", hw::quoted(v_.pre), " is not known"));
    if (pre->nfc) parts_->normalizer = Normalizer({UnicodeForm{NormalForm::nfc}});
    std::vector<PreTokenizerStep> steps;
    for (const std::string_view pattern : pre->patterns)
      steps.push_back(Split{Regex(pattern, where("pre")), SplitBehavior::isolated, false});
    parts_->pre_tokenizer = PreTokenizer(std::move(steps));
    std::vector<std::pair<std::string_view, std::string_view>> merges;
    for (const std::string_view merge : v_.merges) {
      const std::size_t space = merge.find(' ', 1);
      if (space == std::string_view::npos)
        fail(where("merges"), concat("expected two tokens with a space between, found ", hw::quoted(merge)));
      merges.emplace_back(merge.substr(0, space), merge.substr(space + 1));
    }
    Bpe::Options options;
    options.ignore_merges = pre->ignore_merges;
    options.bytes = true;
    if (v_.special.unk >= 0) options.unk_token = v_.tokens[static_cast<std::size_t>(v_.special.unk)];
    parts_->model = Bpe(parts_->vocabulary, merges, std::move(options), where("merges"));
    parts_->decoder = {ByteLevelDecoder{}};
    surround(pre->add_bos, false);
  }

  void llama() {
    const bool prefix = v_.add_space_prefix.value_or(true);
    std::vector<NormalizerStep> steps;
    if (prefix) steps.push_back(Prepend{std::string(kSpaceSymbol)});
    steps.push_back(Replace{Regex::literal(" ", where("model")), std::string(kSpaceSymbol)});
    parts_->normalizer = Normalizer(std::move(steps));
    // Unused tokens are found in a text like all others; what the text spells out as a control token is not.
    std::vector<TokenType> types(v_.tokens.size(), TokenType::normal);
    for (std::size_t id = 0; id < types.size(); ++id)
      if (type(id) != TokenType::unused) types[id] = type(id);
    ScoredBpe::Options options;
    options.unk = v_.special.unk;
    options.fuse_unk = false;
    options.byte_fallback = true;
    parts_->model = ScoredBpe(parts_->vocabulary, scores(), std::move(types), TokenTrie(), options, where("tokens"));
    parts_->decoder = {ReplaceDecoder{Regex::literal(kSpaceSymbol, where("model")), " "}, ByteFallbackDecoder{}, FuseDecoder{}};
    if (prefix) parts_->decoder.push_back(StripDecoder{U' ', 1, 0});
    surround(true, false);
  }

  // The file marks the start of a word with U+2581, and a continuation not at all; special tokens stand as they are.
  static std::string bert_token(std::string_view token) {
    if (token.starts_with(kSpaceSymbol)) return std::string(token.substr(kSpaceSymbol.size()));
    if (token.starts_with('[') && token.ends_with(']')) return std::string(token);
    return concat("##", token);
  }

  void bert() {
    parts_->normalizer = Normalizer({BertNormalizer{true, true, true, true}});
    parts_->pre_tokenizer = PreTokenizer({BertPreTokenizer{}});
    WordPiece::Options options;
    if (v_.special.unk >= 0) options.unk_token = parts_->vocabulary.text(v_.special.unk);
    parts_->model = WordPiece(std::move(options), where("tokens"));
    parts_->decoder = {WordPieceDecoder{"##", true}};
    const std::int32_t cls = v_.special.cls >= 0 ? v_.special.cls : v_.special.bos,
                       sep = v_.special.sep >= 0 ? v_.special.sep : v_.special.eos;
    if (cls < 0 || sep < 0) return;
    using Kind = TemplatePart::Kind;
    parts_->post_processor.single = {{Kind::special, 0, {cls}}, {Kind::first, 0, {}}, {Kind::special, 0, {sep}}};
    parts_->post_processor.pair = parts_->post_processor.single;
    parts_->post_processor.pair->push_back({Kind::second, 1, {}});
    parts_->post_processor.pair->push_back({Kind::special, 1, {sep}});
    parts_->special.cls = cls;
    parts_->special.sep = sep;
  }

  void t5() {
    const bool prefix = v_.add_space_prefix.value_or(true);
    parts_->normalizer = Normalizer({SentencePieceNormalizer{Charsmap(v_.precompiled_charsmap, where("precompiled_charsmap")), prefix,
                                                             v_.remove_extra_whitespaces.value_or(false), true, false, TokenTrie()}});
    std::vector<double> scores;
    for (const float score : this->scores()) scores.push_back(score);
    std::vector<bool> usable(scores.size());
    for (std::size_t id = 0; id < scores.size(); ++id) usable[id] = type(id) == TokenType::normal || type(id) == TokenType::user_defined;
    Unigram::Options options;
    options.unk = v_.special.unk;
    options.single_precision = true;
    parts_->model = Unigram(parts_->vocabulary, std::move(scores), usable, options, where("scores"));
    parts_->decoder = {MetaspaceDecoder{0x2581, prefix}};
    surround(false, true);
  }

  const GgufVocabulary& v_;
  std::shared_ptr<TokenizerParts> parts_;
};

}  // namespace detail

HEADWISE_INLINE std::shared_ptr<TokenizerParts> make_gguf_tokenizer(const GgufVocabulary& vocabulary) {
  return detail::GgufTokenizer(vocabulary).make();
}

}  // namespace hw::text
