#pragma once
#include <algorithm>

#include "headwise/generate/batch.hpp"
#include "headwise/generate/check_option.hpp"

namespace hw {

HEADWISE_INLINE GenerationBatch::GenerationBatch(const Model& model, index_t max_sequences, index_t max_step_rows) : model_(&model) {
  detail::require_count("max_sequences", max_sequences, 1);
  detail::require_count("max_step_rows", max_step_rows, 1);
  max_sequences_ = static_cast<std::size_t>(max_sequences);
  max_step_rows_ = static_cast<std::size_t>(max_step_rows);
}

HEADWISE_INLINE std::size_t GenerationBatch::add(std::vector<std::int32_t> prompt, GenerateOptions options) {
  return add(model_->make_state(), std::move(prompt), std::move(options));
}

HEADWISE_INLINE std::size_t GenerationBatch::add(StateSet state, std::vector<std::int32_t> prompt, GenerateOptions options) {
  detail::require_ids("prompt", prompt, model_->info().vocab_size);
  const index_t limit = model_->info().max_positions, size = state.size() + std::ssize(prompt);
  if (limit > 0 && size > limit) fail("prompt", concat("at most ", limit, " positions, with what the state holds"), concat(size));
  options.prefill_chunk = std::min(options.prefill_chunk, static_cast<index_t>(max_step_rows_));
  auto request = std::make_unique<Request>(Request{added_, std::move(state), std::nullopt, nullptr, false});
  request->stream.emplace(*model_, request->state, std::move(prompt), std::move(options));
  requests_.push_back(std::move(request));
  return added_++;
}

HEADWISE_INLINE std::span<const BatchEvent> GenerationBatch::step() {
  events_.clear();
  stepping_.clear();
  batch_.clear();
  std::size_t rows = 0;  // of prompts
  std::size_t running = 0;
  for (const auto& request : requests_) {
    if (running == max_sequences_) break;
    if (request->ended) continue;
    if (!request->stream->prepare()) {
      end(*request);
      continue;
    }
    ++running;
    TokenStream& stream = *request->stream;
    Sequence sequence = stream.pending(stream.context_.size());
    if (sequence.ids.size() > 1) {
      if (rows + sequence.ids.size() > max_step_rows_ && rows > 0) continue;  // next time
      rows += sequence.ids.size();
    }
    stepping_.push_back(request.get());
    batch_.push_back(sequence);
  }
  if (batch_.empty()) return events_;
  forward(0, batch_.size());
  return events_;
}

// Some of the step's sequences. What is wrong with one of them ends that one alone: a forward that fails has changed nothing.
HEADWISE_INLINE void GenerationBatch::forward(std::size_t begin, std::size_t end) {
  try {
    model_->forward(std::span(batch_).subspan(begin, end - begin), output_);
  } catch (...) {
    if (end - begin == 1) return failed(*stepping_[begin]);
    for (std::size_t s = begin; s < end; ++s) forward(s, s + 1);
    return;
  }
  for (std::size_t s = begin; s < end; ++s) {
    TokenStream& stream = *stepping_[s]->stream;
    stream.fed(batch_[s]);
    if (batch_[s].wanted != Wanted::last) continue;
    try {
      if (const auto id = stream.choose(output_.logits_row(static_cast<index_t>(s - begin), 0)))
        events_.push_back({stepping_[s]->number, *id, FinishReason::none});
    } catch (...) {
      failed(*stepping_[s]);
      continue;
    }
    if (!stream.prepare()) this->end(*stepping_[s]);
  }
}

HEADWISE_INLINE void GenerationBatch::failed(Request& request) {
  request.error = std::current_exception();
  request.stream->stop(FinishReason::error);
  end(request);
}

HEADWISE_INLINE void GenerationBatch::end(Request& request) {
  request.ended = true;
  events_.push_back({request.number, -1, request.stream->finish()});
}

HEADWISE_INLINE GenerationBatch::Request& GenerationBatch::find(std::size_t request) {
  for (const auto& r : requests_)
    if (r->number == request) return *r;
  fail("batch", "a request that was added and not taken", concat(request));
}

HEADWISE_INLINE void GenerationBatch::cancel(std::size_t request) {
  Request& r = find(request);
  if (r.ended) return;
  r.stream->stop(FinishReason::callback);
  r.ended = true;
}

HEADWISE_INLINE BatchResult GenerationBatch::take(std::size_t request) {
  Request& r = find(request);
  if (!r.ended) fail("batch", concat("request ", request, " has not ended"));
  const auto ids = r.stream->ids();
  const auto log_probs = r.stream->log_probs();
  BatchResult result{{{ids.begin(), ids.end()}, r.stream->finish()}, {log_probs.begin(), log_probs.end()}, std::move(r.state)};
  const std::exception_ptr error = r.error;
  std::erase_if(requests_, [&](const auto& other) { return other.get() == &r; });
  if (error) std::rethrow_exception(error);
  return result;
}

HEADWISE_INLINE std::size_t GenerationBatch::active() const noexcept {
  return static_cast<std::size_t>(std::count_if(requests_.begin(), requests_.end(), [](const auto& r) { return !r->ended; }));
}

}  // namespace hw
