#pragma once
// Many continuations at once: requests join and leave a batch between steps.

#include <exception>
#include <memory>
#include <span>
#include <vector>

#include "headwise/generate/generate.hpp"

namespace hw {

/// What one request gave.
struct BatchResult {
  Generation generation;
  std::vector<float> log_probs;  // where its options ask for them
  StateSet state;                // as `generate` leaves it
};

/// One new token of a request, or its end.
struct BatchEvent {
  std::size_t request = 0;
  std::int32_t id = -1;                      // -1: it has ended
  FinishReason finish = FinishReason::none;  // why it has ended
};

/// Requests of any length and with options of their own, one forward a step for all of them: prompts are fed in chunks beside the tokens of
/// those that are being continued. A request has, bit for bit, the tokens that it would have alone, whatever comes and goes beside it.
///
/// One thread at a time.
class GenerationBatch {
 public:
  /// At most `max_sequences` requests run at once, the others wait in the order of add(); at most `max_step_rows` rows of prompts in
  /// a step, so that a long prompt does not hold the others up. Errors: either below 1.
  explicit GenerationBatch(const Model& model, index_t max_sequences = 16, index_t max_step_rows = 512);

  /// Adds a request, in a state that holds what came before. It takes part from the next step on. Returns its number.
  /// Errors: those of TokenStream; ids outside of the vocabulary; more tokens than positions; a state of another model.
  std::size_t add(std::vector<std::int32_t> prompt, GenerateOptions options = {});
  std::size_t add(StateSet state, std::vector<std::int32_t> prompt, GenerateOptions options = {});

  /// One step: what came out of it, in the order of the requests; empty when there is nothing to do, or while prompts are being fed. A
  /// request that fails (a state of another model, a filter that leaves no token) ends with FinishReason::error, the others go on.
  std::span<const BatchEvent> step();

  /// Ends a request as if a callback had: with what it has so far. Errors: there is no such request.
  void cancel(std::size_t request);
  /// The result of a request that has ended, which is forgotten here. Errors: no such request, or not ended; what it ended with.
  BatchResult take(std::size_t request);

  /// Requests that have not ended.
  std::size_t active() const noexcept;

  /// Steps until nothing is active.
  void run() {
    while (active() > 0) step();
  }

 private:
  struct Request {
    std::size_t number;
    StateSet state;
    std::optional<TokenStream> stream;
    std::exception_ptr error;
    bool ended = false;
  };
  Request& find(std::size_t request);
  void forward(std::size_t begin, std::size_t end);
  void end(Request& request);
  void failed(Request& request);

  const Model* model_;
  std::size_t max_sequences_, max_step_rows_, added_ = 0;
  std::vector<std::unique_ptr<Request>> requests_;  // in the order of add(); a stream points at its state
  std::vector<Request*> stepping_;
  std::vector<Sequence> batch_;
  std::vector<BatchEvent> events_;
  Output output_;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/generate/batch.inl.hpp"
#endif
