#pragma once
// From sound to text with the times of its parts: what Whisper's decoder is told, and how long sound is cut.

#include <functional>
#include <string>
#include <vector>

#include "headwise/audio/log_mel.hpp"
#include "headwise/audio/wav.hpp"
#include "headwise/generate/beam.hpp"
#include "headwise/text/tokenizer.hpp"

namespace hw {

/// The ids of a vocabulary that say what to do. Errors: a tokenizer without `<|startoftranscript|>`, `<|notimestamps|>` or the end of text.
struct SpeechTokens {
  explicit SpeechTokens(const Tokenizer& tokenizer, index_t vocab_size);

  std::int32_t start, end, no_timestamps, times;  // times: `<|0.00|>`, the first of those behind no_timestamps, 0.02 s apart
  std::int32_t transcribe = -1, translate = -1, previous = -1, no_speech = -1;
  std::vector<std::int32_t> languages{};  // none: the model knows one
};

struct TranscribeOptions {
  std::string language{};  // "en"; empty: the most probable at the beginning
  bool translate = false;  // to English
  bool timestamps = true;
  index_t num_beams = 5;
  // One after the other, until the mean log probability is not below its threshold, and distinct 4-grams of ids are not so few that each
  // comes more than max_repetition times on average. 0: beam search; above: sampling.
  std::vector<float> temperatures{0.0f, 0.2f, 0.4f, 0.6f, 0.8f, 1.0f};
  double min_log_prob = -1.0;
  double max_repetition = 2.4;
  double no_speech = 0.6;             // nothing was said where its probability is above this, and the log probability below min_log_prob
  bool condition_on_previous = true;  // the decoder reads the text of the window before
  std::vector<std::int32_t> suppress_ids{}, begin_suppress_ids{};
  std::uint64_t seed = 0;
  std::function<void(double)> progress{};  // called with the share of the sound that is done
};

struct SpeechSegment {
  double begin = 0, end = 0;  // seconds
  std::vector<std::int32_t> ids{};
  std::string text{};
};
struct Transcript {
  std::string language{};
  double language_probability = 0;
  std::vector<SpeechSegment> segments{};
  std::string text() const;
};

/// Where text may stand between times: a time before the first text (at most 1 s) and at the end, pairs between parts, never backwards; and
/// a time wherever all times together are more probable than each other token.                        Whisper, arXiv:2212.04356,
/// section 4.5
struct TimeRules {
  static constexpr const char* kName = "times";
  std::int32_t end, times;  // SpeechTokens'
  std::size_t begin;        // of the new ids
  void apply(Candidates& candidates, const SamplingContext& context) const;
};

/// l -= log sum exp l: log probabilities of what the filters before it left.
struct Renormalise {
  static constexpr const char* kName = "renormalise";
  void apply(Candidates& candidates, const SamplingContext&) const {
    const auto total = static_cast<float>(detail::log_sum_exp(candidates.logits()));
    for (float& l : candidates.logits()) l -= total;
  }
};

/// Windows of 30 s, each of which begins where the last whole part of the one before ended.
/// Errors: a model that does not read log-mel features, or whose decoder has no such tokens; an unknown language; those of beam_search.
Transcript transcribe(const Model& model, const Tokenizer& tokenizer, const Sound& sound, const TranscribeOptions& options = {});

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/generate/transcribe.inl.hpp"
#endif
