#pragma once
// Mamba-2: a structured state space in every layer, no MLP.                                                    arXiv:2405.21060

#include "headwise/families/mamba.hpp"
#include "headwise/families/recurrent_common.hpp"

namespace hw::families {

struct Mamba2 {
  static constexpr std::string_view kModelTypes[] = {"mamba2"};
  using Block = hw::Block<PreNorm<RmsNorm, Ssd>>;
  using Model = Decoder<Block>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    const index_t d = c.size("hidden_size"), vocab = c.size("vocab_size");
    const RmsNorm::Config norm{d, static_cast<float>(c.positive_or({"layer_norm_epsilon", "rms_norm_eps"}, 1e-5))};
    const Ssd::Config ssm = read_ssd(c, norm.eps);
    c.only("hidden_act", "silu");
    c.ignore({"max_position_embeddings"});  // a GGUF file's: of the training
    const std::size_t layers = read_layers(c, {"num_hidden_layers", "n_layer"}, source);
    return plain_decoder<Model>(norm, vocab, {layers, Block::Config{{{.pre = norm}, ssm}}});
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) { return Mamba::names(c, source, 1); }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Mamba2)
}
