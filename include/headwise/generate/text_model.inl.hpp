#pragma once
#include <algorithm>

#include "headwise/generate/text_model.hpp"

namespace hw {

HEADWISE_INLINE TextModel::TextModel(Parts parts) : parts_(std::move(parts)) {
  if (!parts_.model) fail("TextModel", "a model", "a null pointer");
  const index_t vocab = model().info().vocab_size;
  for (const std::int32_t id : parts_.stop_ids)
    if (id < 0 || id >= vocab) fail("eos_token_id", concat("an id below the vocabulary size ", vocab), std::to_string(id));
  for (const std::int32_t id : parts_.start_ids)
    if (id < 0 || id >= vocab) fail("decoder_start_token_id", concat("an id below the vocabulary size ", vocab), std::to_string(id));
  if (!parts_.tokenizer) return;
  parts_.tokenizer->require_rows(vocab);
  const SpecialTokenIds& special = parts_.tokenizer->special();
  const std::pair<const char*, std::int32_t> ids[] = {{"bos_token", special.bos}, {"eos_token", special.eos}, {"unk_token", special.unk},
                                                      {"sep_token", special.sep}, {"cls_token", special.cls}};
  for (const auto& [name, id] : ids)
    if (id >= vocab) fail(concat("tokenizer: ", name), concat("an id below the model's vocabulary size ", vocab), std::to_string(id));
}

HEADWISE_INLINE const Model& TextModel::model() const {
  if (!parts_.model) fail("TextModel", "it was moved from");
  return *parts_.model;
}

HEADWISE_INLINE const Tokenizer& TextModel::tokenizer() const {
  (void)model();  // nothing is left of one that was moved from
  if (!parts_.tokenizer) fail("tokenizer", "the checkpoint has none: give ids instead of text");
  return *parts_.tokenizer;
}

HEADWISE_INLINE const ChatTemplate& TextModel::chat_template() const {
  (void)model();
  if (!parts_.chat_template) fail("chat", "the checkpoint has no chat template: generate from a prompt instead");
  return *parts_.chat_template;
}

HEADWISE_INLINE std::vector<std::int32_t> TextModel::known(std::vector<std::int32_t> ids) const {
  const index_t vocab = (model().encoder() != nullptr ? *model().encoder() : model()).info().vocab_size;
  for (const std::int32_t id : ids)
    if (id >= vocab)
      fail(concat("encode: the added token ", quoted(tokenizer().token_of(id))), concat("an id below the model's vocabulary size ", vocab),
           std::to_string(id));
  return ids;
}

HEADWISE_INLINE std::vector<std::int32_t> TextModel::encode(std::string_view text) const {
  return known(tokenizer().encode(text, {.offsets = false}).ids);
}

HEADWISE_INLINE std::vector<std::int32_t> TextModel::encode_chat(const std::vector<ChatMessage>& messages) const {
  if (messages.empty()) fail("chat", "the conversation has no message");
  return known(tokenizer().encode(chat_template().render(messages), {.add_special_tokens = false, .offsets = false}).ids);
}

HEADWISE_INLINE const std::vector<std::int32_t>& TextModel::start_ids() const {
  if (parts_.start_ids.empty()) fail("generate", "the checkpoint does not say what its decoder begins with (decoder_start_token_id)");
  return parts_.start_ids;
}

HEADWISE_INLINE TextStream TextModel::generate_ids(std::vector<std::int32_t> ids, GenerateOptions options, bool ignore_stop_ids,
                                                   StateSet* state) const& {
  if (!ignore_stop_ids) options.stop_ids.insert(options.stop_ids.end(), parts_.stop_ids.begin(), parts_.stop_ids.end());
  auto own = state != nullptr ? nullptr : std::make_unique<StateSet>(model().make_state());
  StateSet& used = state != nullptr ? *state : *own;
  if (model().encoder() != nullptr) {
    const auto& start = start_ids();
    used = model().encode(Sequence{ids});
    ids = start;
  }
  auto stop_strings = options.stop_strings;
  return TextStream(TokenStream(model(), used, std::move(ids), std::move(options)), parts_.tokenizer, std::move(stop_strings),
                    std::move(own));
}

HEADWISE_INLINE TextStream TextModel::generate(std::string_view prompt, GenerateOptions options, bool ignore_stop_ids) const& {
  return generate_ids(encode(prompt), std::move(options), ignore_stop_ids);
}

HEADWISE_INLINE TextStream TextModel::chat(std::string_view question, GenerateOptions options) const& {
  return chat({ChatMessage{"user", std::string(question)}}, std::move(options));
}

HEADWISE_INLINE TextStream TextModel::chat(const std::vector<ChatMessage>& messages, GenerateOptions options) const& {
  return generate_ids(encode_chat(messages), std::move(options));
}

HEADWISE_INLINE TextStream TextModel::chat(const std::vector<ChatMessage>& messages, StateSet& state, GenerateOptions options) const& {
  std::vector<std::int32_t> ids = encode_chat(messages);
  const auto known = state.ids();
  const auto common = std::mismatch(known.begin(), known.end(), ids.begin(), ids.end()).first - known.begin();
  // At least one token is fed, so that there are logits to choose from.
  const index_t keep = std::min<index_t>(common, static_cast<index_t>(ids.size()) - 1);
  model().rewind(state, std::max<index_t>(keep, 0));
  ids.erase(ids.begin(), ids.begin() + std::max<index_t>(keep, 0));
  return generate_ids(std::move(ids), std::move(options), false, &state);
}

HEADWISE_INLINE std::vector<float> TextModel::embed(std::string_view text) const {
  return embed(std::vector<std::string>{std::string(text)}).front();
}

HEADWISE_INLINE std::vector<std::vector<float>> TextModel::embed(const std::vector<std::string>& texts) const {
  std::vector<std::vector<std::int32_t>> ids;
  for (const std::string& text : texts) ids.push_back(encode(parts_.embedding.prompt + text));
  return parts_.embedding.embed(model(), ids);
}

HEADWISE_INLINE TextStream::TextStream(TokenStream tokens, std::optional<Tokenizer> tokenizer, std::vector<std::string> stop_strings,
                                       std::unique_ptr<StateSet> own_state)
    : own_state_(std::move(own_state)), tokens_(std::move(tokens)), stop_(std::move(stop_strings)) {
  if (tokenizer) decoder_.emplace(*tokenizer);
}

HEADWISE_INLINE TextStream::TextStream(TextStream&& other) noexcept
    : own_state_(std::move(other.own_state_)),
      tokens_(std::move(other.tokens_)),
      decoder_(std::move(other.decoder_)),
      stop_(std::move(other.stop_)),
      done_(std::exchange(other.done_, true)) {}

HEADWISE_INLINE std::optional<std::string> TextStream::next() {
  while (!done_) {
    const auto id = tokens_.next();
    std::string text;
    if (id) {
      StopMatcher::Piece piece = stop_.push(decoder_ ? decoder_->push(*id) : concat(*id, " "));
      text = std::move(piece.text);
      if (piece.stopped) {
        tokens_.stop(FinishReason::stop_string);
        done_ = true;
      }
    } else {
      StopMatcher::Piece piece = stop_.push(decoder_ ? decoder_->finish() : "");
      text = std::move(piece.text);
      if (piece.stopped) {
        tokens_.stop(FinishReason::stop_string);
      } else {
        text += stop_.finish();
      }
      done_ = true;
    }
    if (!text.empty()) return text;
  }
  return std::nullopt;
}

HEADWISE_INLINE std::string TextStream::rest() {
  std::string out;
  while (const auto piece = next()) out += *piece;
  return out;
}

}  // namespace hw
