#pragma once
#include <algorithm>
#include <cmath>
#include <set>

#include "headwise/generate/transcribe.hpp"

namespace hw {
namespace detail {

constexpr double kTimeStep = 0.02;           // seconds between two times
constexpr index_t kWindowFrames = 3000;      // 30 s
constexpr std::int32_t kFirstTimeMost = 50;  // 1 s

// How often a run of four ids comes, on average.
inline double repetition(std::span<const std::int32_t> ids) {
  if (ids.size() < 8) return 1;
  std::set<std::vector<std::int32_t>> distinct;
  for (std::size_t i = 0; i + 4 <= ids.size(); ++i)
    distinct.emplace(ids.begin() + static_cast<std::ptrdiff_t>(i), ids.begin() + static_cast<std::ptrdiff_t>(i) + 4);
  return static_cast<double>(ids.size() - 3) / static_cast<double>(distinct.size());
}

/// One sound in work.
class Transcriber {
 public:
  Transcriber(const Model& model, const Tokenizer& tokenizer, const TranscribeOptions& options)
      : model_(model), tokenizer_(tokenizer), options_(options), tokens_(tokenizer, model.info().vocab_size) {
    const Model* encoder = model.encoder();
    if (encoder == nullptr || encoder->info().signal_size < 2)
      fail("transcribe", "a model that reads features of sound", model.info().model_type);
    mel_ = LogMel({.mels = encoder->info().signal_size});
    if (options.temperatures.empty()) fail("transcribe: temperatures", "at least one", "none");
    if (!options.language.empty() && tokens_.languages.empty() && options.language != "en")
      fail("transcribe: language", "en, which is all that this model knows", quoted(options.language));
    if (!options.language.empty() && !tokens_.languages.empty()) language_ = language_id(options.language);
  }

  Transcript run(const Sound& sound) {
    const Sound at16 = resample(sound, mel_.config().rate);
    const index_t hop = mel_.config().hop_size, n = std::ssize(at16.samples);
    for (index_t frame = 0; frame * hop < n;) {
      if (options_.progress) options_.progress(static_cast<double>(frame * hop) / static_cast<double>(n));
      const auto window = std::span(at16.samples).subspan(static_cast<std::size_t>(frame * hop));
      const index_t left = std::min(kWindowFrames, (n - frame * hop + hop - 1) / hop);
      frame += read_window(window, frame, left);
    }
    if (options_.progress) options_.progress(1);
    return std::move(out_);
  }

 private:
  struct Found {
    std::vector<std::int32_t> ids;  // without the end
    double log_prob = 0;            // on average, the end included
    float temperature = 0;
  };

  std::int32_t language_id(const std::string& code) const {
    const auto id = tokenizer_.id_of(concat("<|", code, "|>"));
    if (!id || std::find(tokens_.languages.begin(), tokens_.languages.end(), *id) == tokens_.languages.end())
      fail("transcribe: language", "a language of the model, as \"en\"", quoted(code));
    out_.language = code;
    out_.language_probability = 1;
    return *id;
  }

  void find_language(const StateSet& source) {
    StateSet state = source.fork();
    Output y;
    model_.forward({.ids = std::span(&tokens_.start, 1), .state = &state}, y);
    const ConstView logits = y.logits();
    std::vector<float> of_languages;
    for (const std::int32_t id : tokens_.languages) of_languages.push_back(logits.row(0)[id]);
    const auto best = static_cast<std::size_t>(std::max_element(of_languages.begin(), of_languages.end()) - of_languages.begin());
    language_ = tokens_.languages[best];
    out_.language_probability = std::exp(of_languages[best] - log_sum_exp(of_languages));
    const std::string_view token = tokenizer_.token_of(language_);
    out_.language = std::string(token.substr(2, token.size() - 4));
  }

  // Adds the window's segments; gives how many frames further the next begins.
  index_t read_window(std::span<const float> samples, index_t frame, index_t left) {
    const std::vector<float> features = mel_(samples, kWindowFrames);
    const StateSet source = model_.encode({.signal = ConstView(features.data(), kWindowFrames, mel_.config().mels)});
    if (!tokens_.languages.empty() && language_ < 0) find_language(source);
    if (tokens_.languages.empty()) out_.language = "en";

    std::vector<std::int32_t> prompt;
    if (options_.condition_on_previous && tokens_.previous >= 0 && !previous_.empty()) {
      const std::size_t most = static_cast<std::size_t>(std::max<index_t>(model_.info().max_positions / 2 - 1, 0));
      prompt.push_back(tokens_.previous);
      prompt.insert(prompt.end(), previous_.end() - std::ssize(std::span(previous_).last(std::min(most, previous_.size()))),
                    previous_.end());
    }
    const std::size_t start = prompt.size();
    prompt.push_back(tokens_.start);
    if (language_ >= 0) {
      prompt.push_back(language_);
      if (options_.translate && tokens_.translate < 0) fail("transcribe: translate", "a model that translates", "none");
      prompt.push_back(options_.translate ? tokens_.translate : tokens_.transcribe);
    }
    if (!options_.timestamps) prompt.push_back(tokens_.no_timestamps);

    double silence = 0;
    if (tokens_.no_speech >= 0) {
      StateSet state = source.fork();
      Output y;
      model_.forward({.ids = std::span(prompt).first(start + 1), .state = &state}, y);
      const ConstView logits = y.logits();
      silence = std::exp(logits.row(0)[tokens_.no_speech] - log_sum_exp({logits.row(0), static_cast<std::size_t>(logits.cols)}));
    }
    Found found;
    for (const float temperature : options_.temperatures) {
      found = decode(source, prompt, temperature);
      const bool unlikely = found.log_prob < options_.min_log_prob;
      if (silence > options_.no_speech && unlikely) return left;  // nothing was said
      if (!unlikely && repetition(found.ids) <= options_.max_repetition) break;
    }
    if (found.temperature > 0.5f) previous_.clear();  // what is hardly heard misleads
    return add_segments(found, static_cast<double>(frame) * 0.01, left);
  }

  Found decode(const StateSet& source, const std::vector<std::int32_t>& prompt, float temperature) const {
    SamplingChain chain;
    std::vector<std::pair<std::int32_t, float>> never;
    for (const std::int32_t id : options_.suppress_ids) never.emplace_back(id, Candidates::kOut);
    for (const std::int32_t id :
         {tokens_.start, tokens_.transcribe, tokens_.translate, tokens_.previous, tokens_.no_speech, tokens_.no_timestamps})
      if (id >= 0) never.emplace_back(id, Candidates::kOut);
    chain.add(LogitBias{never}).add(SuppressAt{std::ssize(prompt), options_.begin_suppress_ids});
    if (options_.timestamps) chain.add(TimeRules{tokens_.end, tokens_.times, prompt.size()});
    chain.add(Renormalise{});
    const index_t most = std::max<index_t>(1, std::min(model_.info().max_positions / 2, model_.info().max_positions - std::ssize(prompt)));
    Found out{{}, 0, temperature};
    double sum = 0;
    if (temperature <= 0) {
      BeamOptions beams;
      beams.num_beams = options_.num_beams;
      beams.max_new_tokens = most;
      beams.eos_ids = {tokens_.end};
      beams.early_stopping = EarlyStopping::yes;  // as Whisper's own search ends
      beams.processors = chain;
      Beam best = std::move(beam_search(model_, source, prompt, beams).front());
      for (const float p : best.log_probs) sum += p;
      if (best.finish == FinishReason::stop_id) best.ids.pop_back();
      out.ids = std::move(best.ids);
    } else {
      GenerateOptions draw;
      draw.sampling.processors = chain;
      draw.sampling.temperature = temperature;
      draw.sampling.seed = options_.seed;
      draw.max_new_tokens = most;
      draw.stop_ids = {tokens_.end};
      draw.log_probs = true;
      StateSet state = source.fork();
      TokenStream stream(model_, state, prompt, draw);
      while (const auto id = stream.next()) out.ids.push_back(*id);
      for (const float p : stream.log_probs()) sum += p;
    }
    out.log_prob = sum / static_cast<double>(out.ids.size() + 1);
    return out;
  }

  void add(double begin, double end, std::span<const std::int32_t> ids) {
    SpeechSegment segment{begin, end, {}, {}};
    for (const std::int32_t id : ids)
      if (id < tokens_.end) segment.ids.push_back(id);
    segment.text = tokenizer_.decode(segment.ids);
    if (segment.text.find_first_not_of(' ') == std::string::npos) return;
    previous_.insert(previous_.end(), segment.ids.begin(), segment.ids.end());
    out_.segments.push_back(std::move(segment));
  }

  index_t add_segments(const Found& found, double begin, index_t left) {
    const auto& ids = found.ids;
    const auto is_time = [&](std::size_t i) { return ids[i] >= tokens_.times; };
    const auto time = [&](std::size_t i) { return kTimeStep * (ids[i] - tokens_.times); };
    const std::size_t n = ids.size();
    const bool closed = n >= 2 && is_time(n - 1) && !is_time(n - 2);  // ends with one time: the rest of the window has no speech
    std::vector<std::size_t> ends;
    for (std::size_t i = 1; i < n; ++i)
      if (is_time(i - 1) && is_time(i)) ends.push_back(i);
    if (ends.empty()) {
      double length = static_cast<double>(left) * 0.01;
      for (std::size_t i = n; i-- > 0;)
        if (is_time(i) && ids[i] != tokens_.times) {
          length = time(i);
          break;
        }
      add(begin, begin + length, ids);
      return left;
    }
    if (closed) ends.push_back(n);
    std::size_t first = 0;
    for (const std::size_t end : ends) {
      add(begin + time(first), begin + time(end - 1), std::span(ids).subspan(first, end - first));
      first = end;
    }
    if (closed) return left;
    return std::clamp<index_t>(2 * (ids[ends.back() - 1] - tokens_.times), 1, left);  // two frames for each time
  }

  const Model& model_;
  const Tokenizer& tokenizer_;
  const TranscribeOptions& options_;
  SpeechTokens tokens_;
  LogMel mel_;
  std::int32_t language_ = -1;
  std::vector<std::int32_t> previous_;  // text so far
  mutable Transcript out_;
};

}  // namespace detail

HEADWISE_LOAD_TIME SpeechTokens::SpeechTokens(const Tokenizer& tokenizer, index_t vocab_size) {
  const auto id = [&](std::string_view token) { return tokenizer.id_of(token).value_or(-1); };
  const auto needed = [&](std::string_view token) {
    const std::int32_t found = id(token);
    if (found < 0 || found >= vocab_size) fail("transcribe", concat("a tokenizer with ", token), "none");
    return found;
  };
  start = needed("<|startoftranscript|>");
  end = needed("<|endoftext|>");
  no_timestamps = needed("<|notimestamps|>");
  times = no_timestamps + 1;
  previous = id("<|startofprev|>");
  no_speech = std::max(id("<|nospeech|>"), id("<|nocaptions|>"));
  if (vocab_size < 51865) return;  // English alone; languages lie between the start and the tasks
  transcribe = needed("<|transcribe|>");
  translate = needed("<|translate|>");
  for (std::int32_t language = start + 1; language < std::min(transcribe, translate); ++language) languages.push_back(language);
}

HEADWISE_INLINE void TimeRules::apply(Candidates& candidates, const SamplingContext& context) const {
  const std::span<float> logits = candidates.logits();
  const auto first = static_cast<std::size_t>(times), text_end = static_cast<std::size_t>(end);
  const auto drop = [&](std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < std::min(to, logits.size()); ++i) logits[i] = Candidates::kOut;
  };
  const auto made = context.ids.subspan(std::min(begin, context.ids.size()));
  const auto is_time = [&](std::size_t from_end) { return made.size() < from_end || made[made.size() - from_end] >= times; };
  const bool last = !made.empty() && is_time(1), paired = is_time(2);
  if (last && paired) drop(first, logits.size());
  if (last && !paired) drop(0, text_end);
  for (std::size_t i = made.size(); i-- > 0;)
    if (made[i] >= times) {  // not before the newest time; beyond it, unless it waits for its pair
      drop(first, static_cast<std::size_t>(made[i]) + (last && !paired ? 0 : 1));
      break;
    }
  if (made.empty()) {
    drop(0, first);
    drop(first + static_cast<std::size_t>(detail::kFirstTimeMost) + 1, logits.size());
  }
  const auto text = logits.first(first);
  if (detail::log_sum_exp(logits.subspan(first)) > static_cast<double>(*std::max_element(text.begin(), text.end()))) drop(0, first);
}

HEADWISE_LOAD_TIME std::string Transcript::text() const {
  std::string out;
  for (const SpeechSegment& s : segments) out += s.text;
  return out;
}

HEADWISE_LOAD_TIME Transcript transcribe(const Model& model, const Tokenizer& tokenizer, const Sound& sound,
                                         const TranscribeOptions& options) {
  return detail::Transcriber(model, tokenizer, options).run(sound);
}

}  // namespace hw
