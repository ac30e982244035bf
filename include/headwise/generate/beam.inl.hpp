#pragma once
#include <algorithm>
#include <cmath>

#include "headwise/generate/beam.hpp"
#include "headwise/generate/check_option.hpp"

namespace hw {
namespace detail {

// A beam that goes on.
struct RunningBeam {
  StateSet state;                     // holds all tokens but those that `fed` says are missing
  std::vector<std::int32_t> context;  // what the state held, the prompt, the new tokens
  std::vector<float> log_probs;       // of the new tokens
  double sum = 0;
};

// Beams of one source that compete with each other.
struct BeamGroup {
  std::vector<RunningBeam> running;
  std::vector<Beam> finished;  // at most `width`, best first
  bool done = false;
};

// The search for one source.
class BeamSearch {
 public:
  BeamSearch(const Model& model, const BeamSource& source, const BeamOptions& options)
      : options_(options),
        width_(static_cast<std::size_t>(options.num_beams / options.num_beam_groups)),
        candidates_(model.info().vocab_size),
        rng_(0) {
    if (source.state == nullptr) fail("beam_search", "a state for each prompt", "a null pointer");
    if (source.prompt.empty()) fail("prompt", "empty: give at least one token (a decoder's start token, say)");
    RunningBeam first{source.state->fork(), {source.state->ids().begin(), source.state->ids().end()}, {}, 0};
    first.context.insert(first.context.end(), source.prompt.begin(), source.prompt.end());
    begin_ = first.context.size();
    limit_ = begin_ + static_cast<std::size_t>(options.max_new_tokens);
    const index_t positions = model.info().max_positions;  // the last new token is not fed
    if (positions > 0) limit_ = std::max(std::min(limit_, static_cast<std::size_t>(positions) + 1), begin_ + 1);
    chain_ = options.chain(static_cast<index_t>(begin_), static_cast<index_t>(limit_));
    feed_prompt(model, first);
    groups_.resize(static_cast<std::size_t>(options.num_beam_groups));
    for (std::size_t g = 1; g < groups_.size(); ++g) groups_[g].running.push_back({first.state.fork(), first.context, {}, 0});
    groups_[0].running.push_back(std::move(first));
  }

  bool done() const noexcept {
    return std::all_of(groups_.begin(), groups_.end(), [](const BeamGroup& g) { return g.done; });
  }

  // Adds what the running beams still have to see.
  void add_to(std::vector<Sequence>& batch) {
    for (BeamGroup& group : groups_)
      for (RunningBeam& beam : group.running)
        batch.push_back({std::span(beam.context).subspan(static_cast<std::size_t>(beam.state.size())), &beam.state, Wanted::last});
  }

  // Takes the logits of its rows, which begin at `row`, and goes one token on. Returns the row after them.
  index_t advance(const Model& model, Output& out, index_t row) {
    chosen_.clear();
    for (BeamGroup& group : groups_) {
      collect(model, group, out, row);
      row += static_cast<index_t>(group.running.size());
      if (!group.done) step(group);
    }
    return row;
  }

  std::vector<Beam> best() {
    std::vector<Beam> all;
    for (BeamGroup& group : groups_)
      for (Beam& beam : group.finished) all.push_back(std::move(beam));
    if (all.empty()) fail("beam_search", concat("the filter '", why_, "' leaves no sequence"));
    std::stable_sort(all.begin(), all.end(), [](const Beam& a, const Beam& b) { return a.score > b.score; });
    all.resize(std::min(all.size(), static_cast<std::size_t>(options_.num_return_sequences)));
    return all;
  }

 private:
  struct Continuation {
    double sum;
    std::size_t beam;
    std::int32_t id;
    float log_prob;
  };

  // All tokens of the prompt but those of the first common step.
  void feed_prompt(const Model& model, RunningBeam& beam) const {
    Output unused;
    const auto chunk = static_cast<std::size_t>(options_.prefill_chunk);
    for (auto fed = static_cast<std::size_t>(beam.state.size()); beam.context.size() - fed > chunk; fed += chunk)
      model.forward(Sequence{std::span(beam.context).subspan(fed, chunk), &beam.state, Wanted::none}, unused);
  }

  bool is_eos(std::int32_t id) const { return std::find(options_.eos_ids.begin(), options_.eos_ids.end(), id) != options_.eos_ids.end(); }

  double score(double sum, std::size_t new_tokens) const {
    return sum / std::pow(static_cast<double>(new_tokens), static_cast<double>(options_.length_penalty));
  }

  // The best continuations of the group's beams, best first.
  void collect(const Model& model, const BeamGroup& group, Output& out, index_t row) {
    best_.clear();
    const std::size_t keep = std::max<std::size_t>(2, 1 + options_.eos_ids.size()) * width_;
    for (std::size_t b = 0; b < group.running.size(); ++b, ++row) {
      const std::span<float> l = out.logits_row(row, 0);
      candidates_.reset(l);  // says what is wrong with them
      float total = 0;
      model.kernels().elementwise.log_sum_exp(l.data(), static_cast<index_t>(l.size()), 1, static_cast<index_t>(l.size()), &total);
      for (float& x : l) x -= total;
      for (const std::int32_t id : chosen_) l[static_cast<std::size_t>(id)] -= options_.diversity_penalty;
      if (const auto filter = chain_.emptied_by(candidates_, {group.running[b].context, rng_}); !filter.empty()) {
        why_ = filter;
        continue;
      }
      const float least = candidates_.logit_of_rank(std::min(keep, l.size()));
      candidates_.each([&](std::int32_t id, float& x) {
        if (x >= least) best_.push_back({group.running[b].sum + static_cast<double>(x), b, id, x});
      });
    }
    const auto better = [](const Continuation& a, const Continuation& b) {
      return a.sum != b.sum ? a.sum > b.sum : a.beam != b.beam ? a.beam < b.beam : a.id < b.id;
    };
    const std::size_t n = std::min(keep, best_.size());
    std::partial_sort(best_.begin(), best_.begin() + static_cast<std::ptrdiff_t>(n), best_.end(), better);
    best_.resize(n);
  }

  void step(BeamGroup& group) {
    const std::size_t length = group.running[0].context.size() + 1, new_tokens = length - begin_;
    const bool last = length >= limit_;
    std::vector<const Continuation*> next;
    for (std::size_t rank = 0; rank < best_.size(); ++rank) {
      const Continuation& c = best_[rank];
      const bool eos = is_eos(c.id);
      if (!eos && !last) {
        if (next.size() < width_) next.push_back(&c);
      } else if (rank < width_) {
        finish(group, c, new_tokens, eos ? FinishReason::stop_id : FinishReason::length);
      }
    }
    for (const Continuation* c : next) chosen_.push_back(c->id);
    const bool full = group.finished.size() == width_;
    group.done = next.empty() || (full && (options_.early_stopping == EarlyStopping::yes || !can_improve(group, next[0]->sum, new_tokens)));
    if (group.done) {
      group.running.clear();
    } else {
      go_on(group, next);
    }
  }

  void finish(BeamGroup& group, const Continuation& c, std::size_t new_tokens, FinishReason why) {
    const double value = score(c.sum, new_tokens);
    const auto at = std::find_if(group.finished.begin(), group.finished.end(), [&](const Beam& b) { return b.score < value; });
    if (at == group.finished.end() && group.finished.size() == width_) return;
    const RunningBeam& parent = group.running[c.beam];
    Beam beam{{parent.context.begin() + static_cast<std::ptrdiff_t>(begin_), parent.context.end()}, parent.log_probs, value, why};
    beam.ids.push_back(c.id);
    beam.log_probs.push_back(c.log_prob);
    group.finished.insert(at, std::move(beam));
    if (group.finished.size() > width_) group.finished.pop_back();
  }

  // Whether the best running beam can still become better than the worst finished sequence, by the rule that was asked for.
  bool can_improve(const BeamGroup& group, double sum, std::size_t new_tokens) const {
    const bool longest = options_.early_stopping == EarlyStopping::never && options_.length_penalty > 0;
    return score(sum, longest ? limit_ - begin_ : new_tokens) > group.finished.back().score;
  }

  // A beam's last child takes its state over, the others fork it.
  void go_on(BeamGroup& group, const std::vector<const Continuation*>& next) {
    std::vector<std::size_t> children(group.running.size());
    for (const Continuation* c : next) ++children[c->beam];
    std::vector<RunningBeam> after;
    after.reserve(next.size());
    for (const Continuation* c : next) {
      RunningBeam& parent = group.running[c->beam];
      const bool only = --children[c->beam] == 0;
      after.push_back(only ? std::move(parent) : RunningBeam{parent.state.fork(), parent.context, parent.log_probs, 0});
      after.back().context.push_back(c->id);
      after.back().log_probs.push_back(c->log_prob);
      after.back().sum = c->sum;
    }
    group.running = std::move(after);
  }

  const BeamOptions& options_;
  std::size_t width_, begin_ = 0, limit_ = 0;  // beams of a group; where new tokens begin, and where they end at the latest
  SamplingChain chain_;
  Candidates candidates_;
  Rng rng_;
  std::vector<BeamGroup> groups_;
  std::vector<Continuation> best_;
  std::vector<std::int32_t> chosen_;  // by earlier groups in this step
  std::string why_;                   // the filter that dropped a beam
};

}  // namespace detail

HEADWISE_INLINE void BeamOptions::validate(index_t vocab_size) const {
  const auto ids_of = [&](std::string_view name, std::span<const std::int32_t> ids) { detail::require_ids(name, ids, vocab_size); };
  detail::require_count("num_beams", num_beams, 1);
  if (num_beams > vocab_size) fail("num_beams", concat("at most the ", vocab_size, " tokens of the vocabulary"), concat(num_beams));
  detail::require_count("num_return_sequences", num_return_sequences, 1);
  if (num_return_sequences > num_beams)
    fail("num_return_sequences", concat("at most num_beams, ", num_beams), concat(num_return_sequences));
  detail::require_count("max_new_tokens", max_new_tokens, 1);
  detail::require(std::isfinite(length_penalty), "length_penalty", "a finite number", length_penalty);
  detail::require_count("num_beam_groups", num_beam_groups, 1);
  if (num_beams % num_beam_groups != 0) fail("num_beam_groups", concat("a divisor of num_beams, ", num_beams), concat(num_beam_groups));
  detail::require(diversity_penalty >= 0 && std::isfinite(diversity_penalty), "diversity_penalty", "a finite number of at least 0",
                  diversity_penalty);
  if (diversity_penalty > 0 && num_beam_groups == 1)
    fail("diversity_penalty", "0 with a single group", detail::number_text(diversity_penalty));
  SamplingOptions{.logit_bias = logit_bias, .repetition_penalty = repetition_penalty, .no_repeat_ngram_size = no_repeat_ngram_size}
      .validate(vocab_size);
  for (const auto& word : bad_words) {
    if (word.empty()) fail("bad_words", "sequences of at least one id", "an empty one");
    ids_of("bad_words", word);
  }
  detail::require_count("min_length", min_length, 0);
  detail::require_count("min_new_tokens", min_new_tokens, 0);
  if (min_new_tokens > max_new_tokens) fail("min_new_tokens", concat("at most max_new_tokens, ", max_new_tokens), concat(min_new_tokens));
  ids_of("eos_ids", eos_ids);
  ids_of("begin_suppress_ids", begin_suppress_ids);
  if (forced_bos_id) ids_of("forced_bos_id", std::span(&*forced_bos_id, 1));
  if (forced_eos_id) ids_of("forced_eos_id", std::span(&*forced_eos_id, 1));
  detail::require_count("prefill_chunk", prefill_chunk, 1);
}

HEADWISE_INLINE SamplingChain BeamOptions::chain(index_t begin, index_t limit) const {
  SamplingChain out;
  if (!logit_bias.empty()) out.add(LogitBias{logit_bias});
  if (repetition_penalty != 1) out.add(RepetitionPenalty{repetition_penalty});
  if (no_repeat_ngram_size > 0) out.add(NoRepeatNgram{no_repeat_ngram_size});
  if (!bad_words.empty()) out.add(NoBadWords{bad_words});
  if (const index_t least = std::max(min_length, min_new_tokens > 0 ? begin + min_new_tokens : 0); least > begin && !eos_ids.empty())
    out.add(NotBefore{least, eos_ids});
  if (prefix_allowed_ids) out.add(AllowedIds{prefix_allowed_ids});
  if (forced_bos_id) out.add(ForcedAt{1, *forced_bos_id});
  if (forced_eos_id) out.add(ForcedAt{limit - 1, *forced_eos_id});
  if (!begin_suppress_ids.empty()) out.add(SuppressAt{begin + (forced_bos_id && begin == 1), begin_suppress_ids});
  out.add(processors);
  return out;
}

HEADWISE_INLINE std::vector<std::vector<Beam>> beam_search(const Model& model, std::span<const BeamSource> sources,
                                                           const BeamOptions& options) {
  options.validate(model.info().vocab_size);
  if (sources.empty()) fail("beam_search", "at least one prompt", "none");
  std::vector<detail::BeamSearch> searches;
  searches.reserve(sources.size());
  for (const BeamSource& source : sources) searches.emplace_back(model, source, options);
  Output out;
  std::vector<Sequence> batch;
  while (true) {
    batch.clear();
    for (detail::BeamSearch& search : searches)
      if (!search.done()) search.add_to(batch);
    if (batch.empty()) break;
    model.forward(batch, out);
    index_t row = 0;
    for (detail::BeamSearch& search : searches)
      if (!search.done()) row = search.advance(model, out, row);
  }
  std::vector<std::vector<Beam>> results;
  for (detail::BeamSearch& search : searches) results.push_back(search.best());
  return results;
}

HEADWISE_INLINE std::vector<Beam> beam_search(const Model& model, const StateSet& state, std::span<const std::int32_t> prompt,
                                              const BeamOptions& options) {
  const BeamSource source{&state, prompt};
  return std::move(beam_search(model, std::span(&source, 1), options)[0]);
}

}  // namespace hw
