#pragma once
// BERT, with the heads that its published classes have.                                                           arXiv:1810.04805

#include "headwise/families/common.hpp"
#include "headwise/families/zoo.hpp"
#include "headwise/layers/mlp.hpp"
#include "headwise/mixers/attention/attention.hpp"
#include "headwise/models/stack.hpp"

namespace hw::families {

struct Bert {
  static constexpr std::string_view kModelTypes[] = {"bert"};
  using Block = hw::Block<PostNorm<LayerNorm, Attention<Full>>, PostNorm<LayerNorm, Mlp>>;
  using Model = Encoder<Block>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    const auto d = c.size("hidden_size"), heads = c.size("num_attention_heads"), vocab = c.size("vocab_size");
    const auto positions = c.size("max_position_embeddings");
    const LayerNorm::Config norm{d, static_cast<float>(c.positive_or("layer_norm_eps", 1e-12))};
    const Activation act = parse_activation(c.get_or<std::string>("hidden_act", "gelu"));
    c.only("is_decoder", false);
    c.only("add_cross_attention", false);
    c.only("position_embedding_type", "absolute");

    Attention<Full>::Config attention;
    attention.project = {.hidden_size = d, .num_attention_heads = heads, .num_key_value_heads = heads, .head_dim = d / heads, .bias = true};
    attention.options.output_bias = true;
    const Mlp::Config mlp{d, c.size("intermediate_size"), act, true};

    Model::Config m;
    m.embedding = {.vocab_size = vocab, .hidden_size = d, .positions = positions, .types = c.size_or("type_vocab_size", 2), .norm = norm};
    m.blocks.assign(read_layers(c, "num_hidden_layers", source), Block::Config{{{{}, {}, norm}, attention}, {{{}, {}, norm}, mlp}});
    m.max_positions = positions;

    // A head: its output's name, the row it reads, its stages; its weights by stage name in scope "head".
    const auto mlm = [&](std::string name) {
      m.heads.push_back({std::move(name), Pooling::none,
                         {DenseStage{"transform", d}, ActivationStage{act}, NormStage{"norm", norm}, DenseStage{"decoder", vocab}}});
    };
    const auto pooled = [&](std::string name, index_t labels) {
      m.heads.push_back({std::move(name), Pooling::first, {DenseStage{"pooler", d}, ActivationStage{Activation::tanh}}});
      if (labels > 0) m.heads.back().stages.emplace_back(DenseStage{"classifier", labels});
    };
    const auto architecture = read_architecture(c);
    if (architecture.empty() || architecture == "BertModel") {
      if (source.find("pooler.dense.weight") != nullptr || source.find("bert.pooler.dense.weight") != nullptr) pooled("pooler_output", 0);
    } else if (architecture == "BertForMaskedLM") {
      mlm("logits");
    } else if (architecture == "BertForPreTraining") {
      mlm("prediction_logits");
      pooled("seq_relationship_logits", 2);
    } else if (architecture == "BertForNextSentencePrediction") {
      pooled("logits", 2);
    } else if (architecture == "BertForSequenceClassification") {
      pooled("logits", read_labels(c));
    } else if (architecture == "BertForTokenClassification") {
      m.heads = {{"logits", Pooling::none, {DenseStage{"classifier", read_labels(c)}}}};
    } else if (architecture == "BertForQuestionAnswering") {
      m.heads = {{"start_logits", Pooling::none, {DenseStage{"start", 1}}}, {"end_logits", Pooling::none, {DenseStage{"end", 1}}}};
    } else {
      c.fail(concat("architectures: expected BertModel or BertForMaskedLM, PreTraining, NextSentencePrediction, SequenceClassification, "
                    "TokenClassification or QuestionAnswering, found ", quoted(architecture)));
    }
    return m;
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map;
    map.optional_prefix("bert");
    map.suffix("weight", "gamma");  // how the first checkpoints call a norm's weights
    map.suffix("bias", "beta");
    map.rename("embedding", "embeddings.word_embeddings");
    map.rename("embedding.positions", "embeddings.position_embeddings");
    map.rename("embedding.types", "embeddings.token_type_embeddings");
    map.rename("embedding.norm", "embeddings.LayerNorm");
    map.rename("layers.*.attention.q", "encoder.layer.*.attention.self.query");
    map.rename("layers.*.attention.k", "encoder.layer.*.attention.self.key");
    map.rename("layers.*.attention.v", "encoder.layer.*.attention.self.value");
    map.rename("layers.*.attention.o", "encoder.layer.*.attention.output.dense");
    map.rename("layers.*.attention.post_norm", "encoder.layer.*.attention.output.LayerNorm");
    map.rename("layers.*.mlp.up", "encoder.layer.*.intermediate.dense");
    map.rename("layers.*.mlp.down", "encoder.layer.*.output.dense");
    map.rename("layers.*.mlp.post_norm", "encoder.layer.*.output.LayerNorm");
    map.rename("head.pooler", "pooler.dense");
    map.rename("head.classifier", "classifier");
    map.rename("head.classifier", "cls.seq_relationship");
    map.rename("head.start", "qa_outputs").rows(0, 1);
    map.rename("head.end", "qa_outputs").rows(1, 1);
    map.rename("head.transform", "cls.predictions.transform.dense");
    map.rename("head.norm", "cls.predictions.transform.LayerNorm");
    if (c.get_or("tie_word_embeddings", true)) {
      map.rename("head.decoder", "embeddings.word_embeddings");
      map.ignore("cls.predictions.decoder.weight");
      map.ignore("cls.predictions.decoder.bias");
    } else {
      map.rename("head.decoder", "cls.predictions.decoder");
    }
    // The decoder's bias lies beside it; an untied decoder has one of its own, and the other is a copy.
    if (source.find("cls.predictions.decoder.bias") != nullptr && !c.get_or("tie_word_embeddings", true)) {
      map.ignore("cls.predictions.bias");
    } else {
      map.rename("head.decoder.bias", "cls.predictions.bias");
    }
    map.ignore("embeddings.position_ids");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Bert)
}
