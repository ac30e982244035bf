#pragma once
// A model together with its tokenizer and chat template: text in, text out.

#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "headwise/generate/generate.hpp"
#include "headwise/generate/sentence_embedding.hpp"
#include "headwise/generate/stopping.hpp"
#include "headwise/text/chat_template.hpp"
#include "headwise/text/tokenizer.hpp"

namespace hw {

class TextStream;

/// What `load` gives. Move-only; const calls may come from several threads, each stream belongs to one.
class TextModel {
 public:
  /// What a checkpoint says beside its weights.
  struct Parts {
    std::unique_ptr<Model> model;
    std::optional<Tokenizer> tokenizer{};            // absent: ids only
    std::optional<ChatTemplate> chat_template{};     // absent: no chat
    std::vector<std::int32_t> stop_ids{};            // end of text
    std::vector<std::int32_t> start_ids{};           // an encoder-decoder's decoder begins with them: its start token, a forced first one
    SentenceEmbedding embedding{};                   // pooling and normalisation of embed()
  };
  /// Errors: no model; tokens of the vocabulary, special tokens or stop ids without a row in the model's embedding.
  explicit TextModel(Parts parts);

  /// Errors: this TextModel was moved from.
  const Model& model() const;
  /// Errors: the checkpoint has none.
  const Tokenizer& tokenizer() const;
  const ChatTemplate& chat_template() const;
  bool has_chat_template() const noexcept { return parts_.chat_template.has_value(); }
  const std::vector<std::int32_t>& stop_ids() const noexcept { return parts_.stop_ids; }
  /// What an encoder-decoder's decoder begins with. Errors: the checkpoint does not say it.
  const std::vector<std::int32_t>& start_ids() const;

  /// Ids of a prompt, with what the tokenizer puts around a text. Errors: an added token that the model has no row for.
  std::vector<std::int32_t> encode(std::string_view text) const;
  /// Ids of a conversation by the checkpoint's chat template, ready for the assistant's answer.
  std::vector<std::int32_t> encode_chat(const std::vector<ChatMessage>& messages) const;

  /// Continues a prompt, or, by an encoder-decoder, answers a source (translates, summarises), piece by piece:
  /// `for (const std::string& piece : model.generate("Once")) ...`.
  /// `options.stop_ids` are added to the checkpoint's own; `ignore_stop_ids` goes on past the end of text.
  /// The stream uses this model, which must outlive it.
  TextStream generate(std::string_view prompt, GenerateOptions options = {}, bool ignore_stop_ids = false) const&;
  /// Answers one question, or the last message of a conversation.
  TextStream chat(std::string_view question, GenerateOptions options = {}) const&;
  TextStream chat(const std::vector<ChatMessage>& messages, GenerateOptions options = {}) const&;
  /// The same in a state that stays: what it holds of the conversation already is not computed again.
  TextStream chat(const std::vector<ChatMessage>& messages, StateSet& state, GenerateOptions options = {}) const&;
  /// From ids, in a state of its own or in the caller's (which for an encoder-decoder becomes the source's).
  TextStream generate_ids(std::vector<std::int32_t> ids, GenerateOptions options, bool ignore_stop_ids = false,
                          StateSet* state = nullptr) const&;
  /// Of a temporary there is nothing to stream from.
  template <class... Arguments>
  void generate(Arguments&&...) const&& = delete;
  template <class... Arguments>
  void chat(Arguments&&...) const&& = delete;

  /// One vector for a text, pooled and normalised as the checkpoint's sentence-transformers files say (mean of the tokens where
  /// there are none). Several texts are one batch; each has the bits it would have alone. Texts that are too long are cut.
  std::vector<float> embed(std::string_view text) const;
  std::vector<std::vector<float>> embed(const std::vector<std::string>& texts) const;

 private:
  std::vector<std::int32_t> known(std::vector<std::int32_t> ids) const;  // the same, once each has a row

  Parts parts_;
};

/// Text as it is made. An input range of pieces, never with half a character in them; the text ends exactly before a stop string.
class TextStream {
 public:
  TextStream(TokenStream tokens, std::optional<Tokenizer> tokenizer, std::vector<std::string> stop_strings,
             std::unique_ptr<StateSet> own_state);
  /// The stream that was moved from has ended.
  TextStream(TextStream&& other) noexcept;

  /// The next piece (not empty), or nothing at the end. Errors: those of TokenStream::next and of decoding.
  std::optional<std::string> next();

  /// The rest of the text.
  std::string rest();

  const TokenStream& tokens() const noexcept { return tokens_; }
  FinishReason finish() const noexcept { return tokens_.finish(); }

  class Iterator {
   public:
    using value_type = std::string;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;
    explicit Iterator(TextStream& stream) : stream_(&stream), piece_(stream.next()) {}
    const std::string& operator*() const noexcept { return *piece_; }
    Iterator& operator++() {
      piece_ = stream_->next();
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const noexcept { return !piece_; }

   private:
    TextStream* stream_;
    std::optional<std::string> piece_;
  };
  Iterator begin() { return Iterator(*this); }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  std::unique_ptr<StateSet> own_state_;
  TokenStream tokens_;
  std::optional<StreamDecoder> decoder_;
  StopMatcher stop_;
  bool done_ = false;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/generate/text_model.inl.hpp"
#endif
