#pragma once
// A decoder whose blocks read what an encoder made of a source.

#include <memory>
#include <type_traits>
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
template <template <class...> class S, class... Kinds>
struct stack_of<S, S<Kinds...>> {
  using type = S<Kinds...>;
};
}  // namespace detail

/// encode: memory = encoder(source), which the decoder's blocks keep in a state (CrossAttention);  forward: decoder(tokens | memory)
///
/// E and D are the kinds of block, or Encoder<...> and Decoder<...> of several. The encoder runs once a source; steps run the decoder
/// alone, under the laws of every decoder: states of sources of any length in one batch, forks that share the memory, truncate, save,
/// load.
/// Weights: `encoder.*` and `decoder.*`, each as its stack names them; a tensor that both use is packed once.
template <class E, class D>
class EncoderDecoder : public detail::stack_of<Decoder, D>::type {
 public:
  using EncoderStack = typename detail::stack_of<Encoder, E>::type;
  using DecoderStack = typename detail::stack_of<Decoder, D>::type;

  struct Config {
    std::string model_type = "custom";
    typename EncoderStack::Config encoder{};
    typename DecoderStack::Config decoder{};
  };

  /// Errors: those of the two stacks.
  EncoderDecoder(Config config, const Build& b, std::shared_ptr<Executor> executor)
      : DecoderStack(named(std::move(config.decoder), config.model_type), b.model("decoder"), executor),
        encoder_(named(std::move(config.encoder), config.model_type), b.model("encoder"), std::move(executor)) {
    Fingerprint both;
    both.add(this->info_.fingerprint);
    both.add(encoder_.info().fingerprint);
    this->info_.fingerprint = both.value();
    this->info_.matrices = b.report();
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
};

}  // namespace hw
