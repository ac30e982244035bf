#pragma once
// EuroBERT: Llama's layers under a full mask.                                                                       arXiv:2503.05500

#include "headwise/families/encoder_heads.hpp"
#include "headwise/families/llama.hpp"

namespace hw::families {

struct EuroBert {
  static constexpr std::string_view kModelTypes[] = {"eurobert"};
  using Block = hw::Block<PreNorm<RmsNorm, Attention<Full>>, PreNorm<RmsNorm, GatedMlp>>;
  using Model = Encoder<Block>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    const Llama::Model::Config llama = Llama::config(c, source);
    const index_t d = llama.embedding.hidden_size, vocab = llama.embedding.vocab_size;
    Model::Config m;
    m.embedding = llama.embedding;
    for (const auto& block : llama.blocks) {
      const auto& [attention, mlp] = std::get<0>(block);
      const Attention<Full>::Config full{.project = attention.sublayer.project, .mask = {}, .options = attention.sublayer.options};
      const Block::Config own{{attention.join, full}, mlp};  // by name: g++ 12 takes the temporary for uninitialised
      m.blocks.push_back(own);
    }
    m.norm = llama.norm;
    m.max_positions = llama.max_positions;

    const std::string task = read_task(c), pooling = c.get_or<std::string>("classifier_pooling", "late");
    if (task == "MaskedLM") {
      m.heads = {{"logits", Pooling::none, {DenseStage{"", vocab, c.get_or("mlp_bias", false)}}}};
    } else if (task == "SequenceClassification" || task == "TokenClassification") {
      const std::vector<HeadStage> stages{DenseStage{"dense", d}, ActivationStage{Activation::gelu},
                                          DenseStage{"classifier", read_labels(c)}};
      Pooling rows = Pooling::none;
      if (task[0] == 'S') {
        if (pooling != "bos" && pooling != "mean") c.fail(concat("classifier_pooling: expected bos or mean, found ", quoted(pooling)));
        rows = pooling == "bos" ? Pooling::first : Pooling::mean;
      }
      m.heads = {{"logits", rows, stages}};
    } else if (!task.empty()) {
      c.fail(concat("architectures: expected a model by itself or ForMaskedLM, ForSequenceClassification or ForTokenClassification, found ",
                    quoted(read_architecture(c))));
    }
    return m;
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = Llama::weights(c, source);
    map.rename("head.dense", "dense");
    map.rename("head.classifier", "classifier");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(EuroBert)
}
