#pragma once
#include <algorithm>
#include <chrono>
#include <cmath>

#include "headwise/generate/generate.hpp"

namespace hw {
namespace detail {

inline double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace detail

HEADWISE_INLINE std::string_view name_of(FinishReason reason) noexcept {
  constexpr std::string_view names[] = {"none", "length", "stop_id", "stop_string", "context", "callback", "error"};
  return names[static_cast<int>(reason)];
}

HEADWISE_INLINE TokenStream::TokenStream(const Model& model, StateSet& state, std::vector<std::int32_t> prompt, GenerateOptions options)
    : TokenStream(model, state, std::move(prompt), ConstView(), std::move(options)) {}

HEADWISE_INLINE TokenStream::TokenStream(const Model& model, StateSet& state, std::vector<std::int32_t> prompt, ConstView vectors,
                                         GenerateOptions options)
    : model_(&model),
      state_(&state),
      options_(std::move(options)),
      sampler_(options_.sampling, model.info().vocab_size),
      context_(state.ids().begin(), state.ids().end()),
      fed_(context_.size()),
      vectors_(std::vector<index_t>{vectors.rows, vectors.cols}) {
  if (prompt.empty()) fail("prompt", "empty: give at least one token (a beginning-of-text id, say)");
  if (options_.max_new_tokens < 0) fail("max_new_tokens", "a count of at least 0", std::to_string(options_.max_new_tokens));
  if (options_.prefill_chunk < 1) fail("prefill_chunk", "a count of at least 1", std::to_string(options_.prefill_chunk));
  for (const std::int32_t id : options_.stop_ids)
    if (id < 0 || id >= model.info().vocab_size) fail("stop_ids", concat("ids below ", model.info().vocab_size), std::to_string(id));
  for (index_t i = 0; i < vectors.rows; ++i) std::copy_n(vectors.row(i), vectors.cols, vectors_.view().row(i));
  context_.insert(context_.end(), prompt.begin(), prompt.end());
  prompt_size_ = context_.size();
}

HEADWISE_INLINE bool TokenStream::prepare() {
  if (finish_ != FinishReason::none) return false;
  const bool prompt = fed_ < prompt_size_;  // a prompt that is too long is an error, a continuation that becomes too long ends
  const index_t limit = model_->info().max_positions;
  if (static_cast<index_t>(ids().size()) >= options_.max_new_tokens)
    finish_ = FinishReason::length;
  else if (!prompt && limit > 0 && static_cast<index_t>(context_.size()) > limit)
    finish_ = FinishReason::context;
  return finish_ == FinishReason::none;
}

HEADWISE_INLINE Sequence TokenStream::pending(std::size_t end, Wanted last) {
  if (static_cast<std::size_t>(state_->size()) != fed_)
    fail("generate", concat("a state of ", fed_, " tokens, as the last token left it"),
         concat(state_->size(), " (did a callback change it?)"));
  const std::size_t n = std::min(end - fed_, static_cast<std::size_t>(options_.prefill_chunk));
  Sequence step{std::span(context_).subspan(fed_, n), state_, fed_ + n == context_.size() ? last : Wanted::none};
  const auto vectors = static_cast<index_t>(std::count(step.ids.begin(), step.ids.end(), -1));
  if (vectors > 0 && !vectors_.empty()) step.vectors = ConstView(vectors_.view()).row_range(vectors_fed_, vectors_fed_ + vectors);
  return step;
}

HEADWISE_INLINE void TokenStream::fed(const Sequence& step) {
  vectors_fed_ += step.vectors.rows;
  fed_ += step.ids.size();
}

// After an exception the next call goes on where this one ended.
HEADWISE_INLINE void TokenStream::feed(std::size_t end) {
  while (fed_ < end) {
    const Sequence step = pending(end);
    model_->forward(step, output_);
    fed(step);
  }
}

HEADWISE_INLINE std::optional<std::int32_t> TokenStream::choose(std::span<float> logits) {
  logits_ = logits;
  if (options_.log_probs) unfiltered_.assign(logits.begin(), logits.end());
  const std::int32_t id = sampler_.sample(logits, context_);
  if (std::find(options_.stop_ids.begin(), options_.stop_ids.end(), id) != options_.stop_ids.end()) {
    finish_ = FinishReason::stop_id;
    return std::nullopt;
  }
  if (options_.log_probs) {
    const auto size = static_cast<index_t>(unfiltered_.size());
    float total = 0;
    model_->kernels().elementwise.log_sum_exp(unfiltered_.data(), size, 1, size, &total);
    log_probs_.push_back(unfiltered_[static_cast<std::size_t>(id)] - total);
  }
  context_.push_back(id);
  return id;
}

HEADWISE_INLINE std::optional<std::int32_t> TokenStream::next() {
  if (!prepare()) return std::nullopt;
  const auto start = std::chrono::steady_clock::now();
  double& seconds = fed_ < prompt_size_ ? prefill_seconds_ : decode_seconds_;
  feed(context_.size());
  const auto id = choose(output_.logits_row(0, 0));
  seconds += detail::seconds_since(start);
  return id;
}

HEADWISE_INLINE Generation generate(const Model& model, StateSet& state, std::vector<std::int32_t> prompt, const GenerateOptions& options,
                                    const std::function<bool(std::int32_t)>& on_token) {
  TokenStream stream(model, state, std::move(prompt), options);
  while (const auto id = stream.next())
    if (on_token && !on_token(*id)) stream.stop(FinishReason::callback);
  return {{stream.ids().begin(), stream.ids().end()}, stream.finish()};
}

HEADWISE_INLINE Score score(const Model& model, std::span<const std::int32_t> ids, index_t chunk) {
  if (ids.size() < 2) fail("score", "at least two tokens", std::to_string(ids.size()));
  if (chunk < 1) fail("score", "a chunk of at least 1", std::to_string(chunk));
  StateSet state = model.make_state();
  Output out;
  Score result;
  double sum = 0;
  for (std::size_t at = 0; at + 1 < ids.size();) {
    const std::size_t n = std::min(ids.size() - 1 - at, static_cast<std::size_t>(chunk));
    model.forward(Sequence{ids.subspan(at, n), &state, Wanted::all}, out);
    const ConstView logits = out.logits();
    for (std::size_t i = 0; i < n; ++i) {
      const auto row = static_cast<index_t>(i);
      float total = 0;
      model.kernels().elementwise.log_sum_exp(logits.row(row), logits.stride, 1, logits.cols, &total);
      result.per_token.push_back(total - logits(row, ids[at + i + 1]));
      sum += static_cast<double>(result.per_token.back());
    }
    at += n;
  }
  result.mean_nll = sum / static_cast<double>(result.per_token.size());
  return result;
}

}  // namespace hw
