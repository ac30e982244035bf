#pragma once
// The generation loop: one token at a time, over any model and state.

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "headwise/generate/sampling.hpp"
#include "headwise/models/model.hpp"

namespace hw {

namespace detail {
struct SpeculativeSteps;
}

enum class FinishReason : std::uint8_t { none, length, stop_id, stop_string, context, callback, error };
std::string_view name_of(FinishReason reason) noexcept;

/// How to continue a prompt. Sampling is greedy unless temperature and filters say otherwise.
struct GenerateOptions {
  SamplingOptions sampling{};
  index_t max_new_tokens = 256;             // 0: none; bounded by the model's positions
  std::vector<std::int32_t> stop_ids{};     // end of text; the id itself is not given out
  std::vector<std::string> stop_strings{};  // for drivers over text; the text ends before them
  index_t prefill_chunk = 512;              // rows of a prompt's step; changes memory, not results
  bool log_probs = false;                   // keep the model's own log probability of each token: softmax of its logits, before any filter
};

/// A sequence of new tokens, one at each call of next().
///
/// The prompt is fed at the first call. Between calls the state holds everything but the newest token: it can be forked, saved,
/// or continued by another TokenStream whose prompt is that token. An exception out of a callback of the caller's
/// therefore loses nothing. Errors: those of Model::forward and of the sampler; an empty prompt on an empty state.
class TokenStream {
 public:
  TokenStream(const Model& model, StateSet& state, std::vector<std::int32_t> prompt, GenerateOptions options = {});
  /// A prompt with rows given as vectors: ids of -1 take the next row of `vectors`.
  TokenStream(const Model& model, StateSet& state, std::vector<std::int32_t> prompt, ConstView vectors, GenerateOptions options = {});

  /// The next token, or nothing when the sequence has ended: `finish()` says why.
  std::optional<std::int32_t> next();

  FinishReason finish() const noexcept { return finish_; }
  /// Ends the stream as if it had come to a stop.
  void stop(FinishReason reason) noexcept { finish_ = reason; }
  /// New tokens so far.
  std::span<const std::int32_t> ids() const noexcept { return std::span(context_).subspan(prompt_size_); }
  /// Of the new tokens, where GenerateOptions::log_probs asks for them.
  std::span<const float> log_probs() const noexcept { return log_probs_; }
  /// Of the newest token, among those that the filters left; 1 when greedy.
  double probability() const noexcept { return sampler_.probability(); }
  /// The logits that the newest token was chosen from, after processing.
  std::span<const float> logits() const noexcept { return logits_; }

  double prefill_seconds() const noexcept { return prefill_seconds_; }
  double decode_seconds() const noexcept { return decode_seconds_; }

 private:
  friend class GenerationBatch;
  friend struct detail::SpeculativeSteps;

  bool prepare();                                                 // whether there is another token to make
  Sequence pending(std::size_t end, Wanted last = Wanted::last);  // the next step towards feeding context_[..end)
  void fed(const Sequence& step);                                 // it has run
  void feed(std::size_t end);
  std::optional<std::int32_t> choose(std::span<float> logits);  // the next token, from the logits after all others

  const Model* model_;
  StateSet* state_;
  GenerateOptions options_;
  Sampler sampler_;
  std::vector<std::int32_t> context_;  // what the state held, the prompt, the new tokens
  std::size_t fed_;                    // how much of it the state holds
  std::size_t prompt_size_;            // where the new tokens begin
  Tensor<float> vectors_;
  index_t vectors_fed_ = 0;
  Output output_;
  std::span<float> logits_;
  std::vector<float> unfiltered_, log_probs_;
  FinishReason finish_ = FinishReason::none;
  double prefill_seconds_ = 0, decode_seconds_ = 0;
};

struct Generation {
  std::vector<std::int32_t> ids;
  FinishReason finish = FinishReason::none;
};

/// Drains a TokenStream. `on_token` returns false to stop; what it throws reaches the caller.
Generation generate(const Model& model, StateSet& state, std::vector<std::int32_t> prompt, const GenerateOptions& options = {},
                    const std::function<bool(std::int32_t)>& on_token = {});

/// The mean negative log likelihood (nats) of ids[1..] given what stands before each, and its terms.
struct Score {
  double mean_nll = 0;
  std::vector<float> per_token;
};
Score score(const Model& model, std::span<const std::int32_t> ids, index_t chunk = 64);

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/generate/generate.inl.hpp"
#endif
