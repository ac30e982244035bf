#pragma once
#include <algorithm>
#include <bit>
#include <cmath>

#include "headwise/text/sentencepiece.hpp"

namespace hw::text {
namespace detail {

// The fields of one message. https://protobuf.dev/programming-guides/encoding/
class ProtobufReader {
 public:
  enum class Wire { varint = 0, fixed64 = 1, bytes = 2, group = 3, end_group = 4, fixed32 = 5 };
  struct Field {
    std::uint32_t number = 0;
    Wire wire = Wire::varint;
    std::uint64_t value = 0;  // of varint and fixed
    std::string_view bytes;
  };

  ProtobufReader(std::string_view bytes, std::string_view where) : rest_(bytes), where_(where) {}

  // The next field; groups, which nothing here uses, are skipped. False at the end.
  bool next(Field& field) {
    std::vector<std::uint32_t> groups;
    while (true) {
      if (rest_.empty()) {
        if (!groups.empty()) broken("it ends within a group");
        return false;
      }
      const std::uint64_t tag = varint();
      if (tag >> 32 != 0 || tag >> 3 == 0) broken("a field has the number 0 or one that is too large");
      field = {static_cast<std::uint32_t>(tag >> 3), static_cast<Wire>(tag & 7), 0, {}};
      switch (field.wire) {
        case Wire::varint: field.value = varint(); break;
        case Wire::fixed64: field.value = fixed(8); break;
        case Wire::fixed32: field.value = fixed(4); break;
        case Wire::bytes: {
          const std::uint64_t size = varint();
          if (size > rest_.size()) broken(concat("a field of ", size, " bytes is longer than the ", rest_.size(), " that are left"));
          field.bytes = rest_.substr(0, size);
          rest_.remove_prefix(size);
          break;
        }
        case Wire::group:
          if (groups.size() == 100) broken("groups are nested more than 100 deep");
          groups.push_back(field.number);
          continue;
        case Wire::end_group:
          if (groups.empty() || groups.back() != field.number) broken("a group ends that did not begin");
          groups.pop_back();
          continue;
        default: broken(concat("there is no wire type ", tag & 7));
      }
      if (groups.empty()) return true;
    }
  }

 private:
  [[noreturn]] void broken(std::string_view why) const { fail(where_, concat("the file is not a SentencePiece model: ", why)); }

  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int i = 0; i < 10; ++i) {
      if (rest_.empty()) broken("it ends within a number");
      const auto byte = static_cast<unsigned char>(rest_[0]);
      rest_.remove_prefix(1);
      value |= std::uint64_t{byte & 0x7Fu} << 7 * i;
      if (byte < 0x80) return value;
    }
    broken("a number has more than ten bytes");
  }

  std::uint64_t fixed(std::size_t size) {
    if (rest_.size() < size) broken("it ends within a number");
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) value |= std::uint64_t{static_cast<unsigned char>(rest_[i])} << 8 * i;
    rest_.remove_prefix(size);
    return value;
  }

  std::string_view rest_, where_;
};

}  // namespace detail

HEADWISE_INLINE SentencePieceModel parse_sentencepiece(std::string_view bytes, std::string_view where) {
  using Reader = detail::ProtobufReader;
  using Wire = Reader::Wire;
  SentencePieceModel model;
  const auto each = [&](std::string_view message, auto read) {
    Reader reader(message, where);
    for (Reader::Field field; reader.next(field);) read(field);
  };
  const auto piece = [&](const Reader::Field& f) {
    SentencePieceModel::Entry& entry = model.pieces.back();
    if (f.number == 1 && f.wire == Wire::bytes) entry.piece = f.bytes;
    if (f.number == 2 && f.wire == Wire::fixed32) entry.score = std::bit_cast<float>(static_cast<std::uint32_t>(f.value));
    if (f.number == 3 && f.wire == Wire::varint)
      entry.type = f.value >= 1 && f.value <= 6 ? static_cast<TokenType>(f.value) : TokenType::normal;
  };
  const auto trainer = [&](const Reader::Field& f) {
    if (f.wire == Wire::varint && f.number == 3)
      model.kind = f.value >= 1 && f.value <= 4 ? static_cast<SentencePieceModel::Kind>(f.value) : SentencePieceModel::Kind::unigram;
    if (f.wire == Wire::varint && f.number == 24) model.whitespace_as_suffix = f.value != 0;
    if (f.wire == Wire::varint && f.number == 35) model.byte_fallback = f.value != 0;
    if (f.wire == Wire::bytes && f.number == 45) model.unk_piece = f.bytes;
    if (f.wire == Wire::bytes && f.number == 46) model.bos_piece = f.bytes;
    if (f.wire == Wire::bytes && f.number == 47) model.eos_piece = f.bytes;
    if (f.wire == Wire::bytes && f.number == 48) model.pad_piece = f.bytes;
  };
  const auto normalizer = [&](const Reader::Field& f) {
    if (f.wire == Wire::bytes && f.number == 2) model.charsmap = f.bytes;
    if (f.wire == Wire::varint && f.number == 3) model.add_dummy_prefix = f.value != 0;
    if (f.wire == Wire::varint && f.number == 4) model.remove_extra_whitespaces = f.value != 0;
    if (f.wire == Wire::varint && f.number == 5) model.escape_whitespaces = f.value != 0;
  };
  each(bytes, [&](const Reader::Field& f) {
    if (f.wire != Wire::bytes) return;
    if (f.number == 1) {
      model.pieces.emplace_back();
      each(f.bytes, piece);
      if (model.pieces.back().piece.empty()) fail(where, concat("the piece ", model.pieces.size() - 1, " is empty"));
    }
    if (f.number == 2) each(f.bytes, trainer);
    if (f.number == 3) each(f.bytes, normalizer);
  });
  return model;
}

HEADWISE_INLINE std::shared_ptr<TokenizerParts> make_sentencepiece_tokenizer(const SentencePieceModel& model, std::string_view where) {
  auto parts = std::make_shared<TokenizerParts>();
  parts->origin = where;
  if (model.pieces.empty()) fail(where, "the model has no pieces");
  Vocabulary& vocabulary = parts->vocabulary;
  vocabulary.reserve(model.pieces.size(), 0);
  std::vector<float> scores;
  auto types = std::make_shared<std::vector<TokenType>>();
  std::vector<std::pair<std::string_view, std::int32_t>> user_defined;
  std::int32_t unk = -1;
  for (const SentencePieceModel::Entry& entry : model.pieces) {
    const auto id = static_cast<std::int32_t>(scores.size());
    if (valid_prefix(entry.piece) != entry.piece.size()) fail(where, concat("the piece ", hw::quoted(entry.piece), " is not UTF-8"));
    if (vocabulary.find(entry.piece) >= 0) fail(where, concat("the piece ", hw::quoted(entry.piece), " is there twice"));
    if (!std::isfinite(entry.score)) fail(where, concat("the score of ", hw::quoted(entry.piece), " is not finite"));
    if (entry.type == TokenType::byte && byte_of_token(entry.piece) < 0)
      fail(where, concat("the byte piece ", hw::quoted(entry.piece), " does not name a byte"));
    if (entry.type == TokenType::unknown) {
      if (unk >= 0) fail(where, concat("two unknown pieces: ", hw::quoted(vocabulary.text(unk)), " and ", hw::quoted(entry.piece)));
      unk = id;
    }
    if (entry.type == TokenType::user_defined) user_defined.emplace_back(entry.piece, id);
    vocabulary.add(entry.piece, id, where);
    scores.push_back(entry.score);
    types->push_back(entry.type);
  }
  if (unk < 0) fail(where, "there is no unknown piece");
  parts->special.unk = unk;
  const auto control = [&](std::string_view piece) {
    const std::int32_t id = vocabulary.find(piece);
    return id >= 0 && (*types)[static_cast<std::size_t>(id)] == TokenType::control ? id : -1;
  };
  parts->special.bos = control(model.bos_piece);
  parts->special.eos = control(model.eos_piece);
  parts->special.pad = control(model.pad_piece);
  const TokenTrie symbols(user_defined, where);
  parts->normalizer =
      Normalizer({SentencePieceNormalizer{Charsmap(model.charsmap, where), model.add_dummy_prefix, model.remove_extra_whitespaces,
                                          model.escape_whitespaces, model.whitespace_as_suffix, symbols}});
  parts->decoder = {SentencePieceDecoder{types, model.add_dummy_prefix, model.remove_extra_whitespaces}};
  if (model.kind == SentencePieceModel::Kind::bpe) {
    ScoredBpe::Options options;
    options.unk = unk;
    options.byte_fallback = model.byte_fallback;
    parts->model = ScoredBpe(vocabulary, std::move(scores), *types, symbols, options, where);
  } else if (model.kind == SentencePieceModel::Kind::unigram) {
    // A symbol of the user always wins over other divisions.
    float least = 0, most = 0;
    bool any = false;
    for (std::size_t id = 0; id < scores.size(); ++id) {
      if ((*types)[id] != TokenType::normal) continue;
      least = any ? std::min(least, scores[id]) : scores[id];
      most = any ? std::max(most, scores[id]) : scores[id];
      any = true;
    }
    std::vector<double> wide(scores.begin(), scores.end());
    std::vector<bool> usable(scores.size());
    for (std::size_t id = 0; id < scores.size(); ++id) {
      usable[id] = (*types)[id] == TokenType::normal || (*types)[id] == TokenType::user_defined;
      if ((*types)[id] == TokenType::user_defined) wide[id] = static_cast<float>(model.pieces[id].piece.size()) * most - 0.1;
    }
    Unigram::Options options;
    options.unk = unk;
    options.byte_fallback = model.byte_fallback;
    options.single_precision = true;
    options.least_score = least;
    parts->model = Unigram(vocabulary, std::move(wide), usable, options, where);
  } else {
    fail(where, "models of whole words and of characters are not supported");
  }
  parts->control_types = types;
  parts->finish();
  return parts;
}

}  // namespace hw::text
