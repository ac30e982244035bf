#pragma once
#include <bit>
#include <limits>

#include "headwise/text/tokenizer.hpp"
#include "headwise/text/tokenizer_load.hpp"
#include "headwise/text/tokenizer_parts.hpp"
#include "headwise/text/unicode.hpp"

namespace hw {
namespace text {

// Characters before each byte of a text, by a count at every 64th byte.
class CharacterIndex {
 public:
  explicit CharacterIndex(std::string_view text) : text_(text) {
    std::uint32_t count = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (i % 64 == 0) counts_.push_back(count);
      count += !is_continuation(text[i]);
    }
    counts_.push_back(count);
    ascii_ = count == text.size();
  }
  std::uint32_t operator()(std::uint32_t byte) const noexcept {
    if (ascii_) return byte;
    if (byte >= text_.size()) return counts_.back();
    std::uint32_t count = counts_[byte / 64];
    for (std::uint32_t i = byte / 64 * 64; i < byte; ++i) count += !is_continuation(text_[i]);
    return count;
  }

 private:
  std::string_view text_;
  std::vector<std::uint32_t> counts_;
  bool ascii_;
};

// Encodes one text, without its template.
class TextEncoder {
 public:
  TextEncoder(const TokenizerParts& parts, const EncodeOptions& options, std::int32_t type_id, Encoding& out)
      : parts_(parts), options_(options), type_id_(type_id), out_(out), first_(out.ids.size()) {}

  void encode(std::string_view text) {
    if (text.size() >= std::numeric_limits<std::uint32_t>::max())
      fail(parts_.origin, concat("cannot encode a text of ", text.size(), " bytes: at most 4 GiB"));
    std::string sanitized;
    if (valid_prefix(text) != text.size()) {
      append_sanitized(sanitized, text);
      text = sanitized;
    }
    std::optional<CharacterIndex> characters;
    if (options_.offsets) characters_ = &characters.emplace(text);
    out_.ids.reserve(first_ + text.size() / 4);
    out_.type_ids.reserve(first_ + text.size() / 4);
    if (options_.offsets) out_.offsets.reserve(first_ + text.size() / 4);
    std::vector<Piece> raw;
    parts_.added.divide_raw(text, options_.parse_special, raw);
    for (const Piece& piece : raw) {
      const std::string_view content = text.substr(piece.begin, piece.end - piece.begin);
      if (piece.id >= 0)
        put(piece.id, {static_cast<std::uint32_t>(piece.begin), static_cast<std::uint32_t>(piece.end)}, content);
      else
        encode_segment(content, static_cast<std::uint32_t>(piece.begin));
    }
  }

 private:
  void encode_segment(std::string_view segment, std::uint32_t offset) {
    Pieces pieces{AlignedText(segment, offset), {}};
    parts_.normalizer(pieces.text);
    parts_.added.divide_normalized(pieces.text.view(), options_.parse_special, pieces.pieces);
    parts_.pre_tokenizer(pieces);
    const AlignedText& text = pieces.text;
    for (const Piece& piece : pieces.pieces) {
      const std::string_view content = text.view().substr(piece.begin, piece.end - piece.begin);
      if (piece.id >= 0) {
        put(piece.id, text.origin(piece.begin, piece.end), content);
        continue;
      }
      tokens_.clear();
      std::visit([&](const auto& model) { model.tokenize(content, parts_.vocabulary, tokens_); }, parts_.model);
      for (const Token& token : tokens_) {
        const bool wanted = options_.offsets && token.begin < token.end;
        const Origin origin = wanted ? text.origin(piece.begin + token.begin, piece.begin + token.end) : Origin{};
        put(token.id, origin, wanted && parts_.post_processor.trim_offsets ? parts_.vocabulary.text(token.id) : std::string_view());
      }
    }
  }

  void put(std::int32_t id, Origin origin, std::string_view content) {
    out_.ids.push_back(id);
    out_.type_ids.push_back(type_id_);
    if (!options_.offsets) return;
    Encoding::Offset offset{(*characters_)(origin.begin), (*characters_)(origin.end)};
    if (parts_.post_processor.trim_offsets) trim(content, offset);
    out_.offsets.push_back(offset);
  }

  // Spaces of a byte-level token (U+0120 is the space of its alphabet) are left out of its offsets.
  void trim(std::string_view content, Encoding::Offset& offset) const {
    const auto blank = [](char32_t c) { return c == 0x120 || is_space(c); };
    std::uint32_t leading = 0, trailing = 0;
    for (std::size_t at = 0; at < content.size() && blank(next_character(content, at));) ++leading;
    for (std::size_t end = content.size(); end > 0 && blank(previous_character(content, end));) ++trailing;
    const bool first = out_.ids.size() == first_ + 1 || offset.begin == 0;
    if (leading == 1 && first && parts_.post_processor.keep_prefix_space) leading = 0;  // two were in the text
    offset.begin = std::min(offset.begin + leading, offset.end);
    if (offset.end >= trailing) offset.end = std::max(offset.end - trailing, offset.begin);
  }

  const TokenizerParts& parts_;
  const EncodeOptions& options_;
  std::int32_t type_id_;
  Encoding& out_;
  std::size_t first_;
  const CharacterIndex* characters_ = nullptr;
  std::vector<Token> tokens_;
};

inline void append_encoding(Encoding& out, const Encoding& from, std::int32_t type_id) {
  out.ids.insert(out.ids.end(), from.ids.begin(), from.ids.end());
  out.type_ids.insert(out.type_ids.end(), from.ids.size(), type_id);
  out.offsets.insert(out.offsets.end(), from.offsets.begin(), from.offsets.end());
}

// Puts texts into their template.
inline Encoding fill_template(const std::vector<TemplatePart>& parts, const Encoding* texts, const EncodeOptions& options) {
  Encoding out;
  for (const TemplatePart& part : parts) {
    if (part.kind != TemplatePart::Kind::special) {
      append_encoding(out, texts[part.kind == TemplatePart::Kind::second], part.type_id);
    } else if (options.add_special_tokens) {
      out.ids.insert(out.ids.end(), part.ids.begin(), part.ids.end());
      out.type_ids.insert(out.type_ids.end(), part.ids.size(), part.type_id);
      if (options.offsets) out.offsets.insert(out.offsets.end(), part.ids.size(), Encoding::Offset{});
    }
  }
  return out;
}

}  // namespace text

HEADWISE_INLINE Tokenizer Tokenizer::load(const std::string& path) { return Tokenizer(text::load_tokenizer(path)); }

HEADWISE_INLINE Encoding Tokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  Encoding plain;
  text::TextEncoder(*parts_, options, 0, plain).encode(text);
  const text::PostProcessor& post = parts_->post_processor;
  if (!post.single || (!options.add_special_tokens && !post.types_without_special)) return plain;
  return text::fill_template(*post.single, &plain, options);
}

HEADWISE_INLINE Encoding Tokenizer::encode_pair(std::string_view first, std::string_view second, const EncodeOptions& options) const {
  Encoding texts[2];
  text::TextEncoder(*parts_, options, 0, texts[0]).encode(first);
  text::TextEncoder(*parts_, options, 1, texts[1]).encode(second);
  const text::PostProcessor& post = parts_->post_processor;
  if (post.pair && (options.add_special_tokens || post.types_without_special)) return text::fill_template(*post.pair, texts, options);
  text::append_encoding(texts[0], texts[1], 1);
  return std::move(texts[0]);
}

HEADWISE_INLINE std::string Tokenizer::decode(std::span<const std::int32_t> ids, bool skip_special_tokens) const {
  StreamDecoder decoder(*this, skip_special_tokens);
  std::string out;
  for (const std::int32_t id : ids) out += decoder.push(id);
  return out += decoder.finish();
}

HEADWISE_INLINE std::optional<std::int32_t> Tokenizer::id_of(std::string_view token) const {
  const std::int32_t id = parts_->id_of(token);
  return id < 0 ? std::nullopt : std::optional<std::int32_t>(id);
}

HEADWISE_INLINE std::string_view Tokenizer::token_of(std::int32_t id) const {
  std::string_view text;
  if (!parts_->text_of(id, text))
    fail(parts_->origin, concat("there is no token with the id ", id, "; the vocabulary has ", vocab_size(), " ids"));
  return text;
}

HEADWISE_INLINE bool Tokenizer::has_token(std::int32_t id) const noexcept {
  std::string_view text;
  return parts_->text_of(id, text);
}

HEADWISE_INLINE bool Tokenizer::is_special(std::int32_t id) const noexcept { return parts_->is_special(id); }
HEADWISE_INLINE std::int64_t Tokenizer::vocab_size() const noexcept { return parts_->id_limit; }

HEADWISE_INLINE void Tokenizer::require_rows(std::int64_t rows) const {
  const auto require = [&](std::int64_t id) {
    if (id >= rows)
      fail(concat(parts_->origin, ": token ", hw::quoted(token_of(static_cast<std::int32_t>(id)))),
           concat("an id below ", rows, ", the rows of the model's embedding"), std::to_string(id));
  };
  const text::Vocabulary& vocabulary = parts_->vocabulary;
  for (auto id = rows; id < static_cast<std::int64_t>(vocabulary.id_limit()); ++id)
    if (vocabulary.contains(id) && parts_->added.find(static_cast<std::int32_t>(id)) == nullptr) require(id);
  for (const auto* form : {&parts_->post_processor.single, &parts_->post_processor.pair}) {
    if (!*form) continue;
    for (const text::TemplatePart& part : **form)
      for (const std::int32_t id : part.ids) require(id);
  }
}
HEADWISE_INLINE const SpecialTokenIds& Tokenizer::special() const noexcept { return parts_->special; }

struct StreamDecoder::State {
  Tokenizer tokenizer;
  bool skip_special;
  text::DecoderRun run;
};

HEADWISE_INLINE StreamDecoder::StreamDecoder(Tokenizer tokenizer, bool skip_special_tokens) {
  const auto& steps = tokenizer.parts_->decoder;
  state_ = std::make_unique<State>(State{std::move(tokenizer), skip_special_tokens, text::DecoderRun(steps)});
}
HEADWISE_INLINE StreamDecoder::StreamDecoder(StreamDecoder&&) noexcept = default;
HEADWISE_INLINE StreamDecoder& StreamDecoder::operator=(StreamDecoder&&) noexcept = default;
HEADWISE_INLINE StreamDecoder::~StreamDecoder() = default;

HEADWISE_INLINE std::string StreamDecoder::push(std::int32_t id) {
  std::string_view token = state_->tokenizer.token_of(id);
  if (const text::AddedToken* added = state_->tokenizer.parts_->added.find(id)) {
    if (state_->skip_special && added->decoded_special) return {};
    token = added->decoded;
  }
  return state_->run.push(token, id);
}

HEADWISE_INLINE std::string StreamDecoder::finish() {
  std::string rest = state_->run.finish();
  state_->run = text::DecoderRun(state_->tokenizer.parts_->decoder);
  return rest;
}

}  // namespace hw
