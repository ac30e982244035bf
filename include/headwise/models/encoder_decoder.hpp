#pragma once
// A decoder whose blocks read what an encoder made of a source.

#include <concepts>
#include <memory>
#include <optional>
#include <utility>

#include "headwise/mixers/attention/cross_attention.hpp"
#include "headwise/models/stack.hpp"

namespace hw {
namespace detail {
// A block stands for the stack of blocks of its kind.
template <template <class...> class S, class Part>
struct stack_of {
  using type = S<Part>;
};
template <template <class...> class S, std::derived_from<Model> Part>
struct stack_of<S, Part> {
  using type = Part;
};
}  // namespace detail

/// encode: memory = encoder(source), which the decoder's blocks keep in a state (CrossAttention);  forward: decoder(tokens | memory)
///
/// E and D are the kinds of block, or Encoder<...> (with a front, perhaps: models/with_front.hpp) and Decoder<...> of several. The encoder
/// runs once a source; steps run the decoder
/// alone, under the laws of every decoder: states of sources of any length in one batch, forks that share the memory, truncate, save,
/// load.
/// Weights: `encoder.*` and `decoder.*`, each as its stack names them, and `bridge.*`; a tensor that several use is packed once.
template <class E, class D>
class EncoderDecoder : public detail::stack_of<Decoder, D>::type {
 public:
  using EncoderStack = typename detail::stack_of<Encoder, E>::type;
  using DecoderStack = typename detail::stack_of<Decoder, D>::type;

  struct Config {
    std::string model_type = "custom";
    typename EncoderStack::Config encoder{};
    typename DecoderStack::Config decoder{};
    bool bridge = false;  // memory = Wb encoder(source) + bb, as wide as the decoder
  };

  /// Errors: those of the two stacks.
  EncoderDecoder(Config config, const Build& b, std::shared_ptr<Executor> executor)
      : DecoderStack(named(std::move(config.decoder), config.model_type), b.model("decoder"), executor),
        encoder_(named(std::move(config.encoder), config.model_type), b.model("encoder"), std::move(executor)) {
    if (config.bridge) bridge_.emplace(encoder_.info().hidden_size, this->info_.hidden_size, true, b.scope("bridge"));
    Fingerprint both;
    both.add(this->info_.fingerprint);
    both.add(encoder_.info().fingerprint);
    if (config.bridge) both.add(b.fingerprint().value());
    this->info_.fingerprint = both.value();
    this->info_.matrices = b.report();
    this->info_.experts = b.experts();
  }

  /// Composes from weights that are named canonically ("encoder.layers.0.attention.q.weight"), checks that all are used.
  EncoderDecoder(Config config, const Weights& weights, std::shared_ptr<Executor> executor = nullptr, BuildOptions options = {})
      : EncoderDecoder(std::move(config), weights, detail::executor_or_pool(std::move(executor)), options, 0) {
    weights.account();
  }
  /// Composes with weights that are drawn: a first try of an architecture.
  EncoderDecoder(Config config, RandomWeights random, std::shared_ptr<Executor> executor = nullptr)
      : EncoderDecoder(std::move(config), random, detail::executor_or_pool(std::move(executor)), {}, 0) {}

  const Model* encoder() const noexcept override { return &encoder_; }

 protected:
  void remember(const Frame& memory, std::span<StateSet> states) const override {
    if (!bridge_) return DecoderStack::remember(memory, states);
    View rows[1] = {memory.step.arena.take_view(memory.rows(), bridge_->out())};
    bridge_->forward(memory.at({}), rows[0], memory);
    DecoderStack::remember(Frame(memory.step, memory.tokens(), rows), states);
  }

 private:
  template <class W>
  EncoderDecoder(Config config, const W& weights, const std::shared_ptr<Executor>& executor, const BuildOptions& options, int)
      : EncoderDecoder(std::move(config), Build(weights, kernels::table(), *executor, options), executor) {}

  template <class StackConfig>
  static StackConfig named(StackConfig config, const std::string& model_type) {
    config.model_type = model_type;
    return config;
  }

  EncoderStack encoder_;
  std::optional<Linear> bridge_;
};

}  // namespace hw
