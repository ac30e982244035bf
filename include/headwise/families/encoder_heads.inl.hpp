#pragma once
#include <algorithm>

#include "headwise/families/common.hpp"
#include "headwise/families/encoder_heads.hpp"

namespace hw::families {

HEADWISE_LOAD_TIME std::string read_task(const HfConfig& c) {
  const std::string name = read_architecture(c);
  const std::size_t at = name.rfind("For");
  return at == std::string::npos || name.ends_with("Model") || name.ends_with("Encoder") ? "" : name.substr(at + 3);
}

HEADWISE_LOAD_TIME std::vector<Head::Config> encoder_heads(const HfConfig& c, const WeightSource& source, const EncoderHeads& h) {
  const std::string task = read_task(c);
  const auto masked = [&](std::string name) {
    return Head::Config{std::move(name),
                        Pooling::none,
                        {DenseStage{"transform", h.transform_size, h.transform_bias}, ActivationStage{h.transform},
                         NormStage{"norm", h.norm}, DenseStage{"decoder", h.vocab_size, h.decoder_bias}}};
  };
  const auto pooled = [&](std::string name, index_t labels, Pooling pooling, Activation act) {
    Head::Config out{std::move(name), pooling, {DenseStage{"pooler", h.hidden_size}, ActivationStage{act}}};
    if (labels > 0) out.stages.emplace_back(DenseStage{"classifier", labels});
    return out;
  };
  const auto dense = [](std::string name, std::string stage, index_t out) {
    return Head::Config{std::move(name), Pooling::none, {DenseStage{std::move(stage), out}}};
  };
  if (task.empty()) {
    const bool pooler = std::any_of(source.tensors().begin(), source.tensors().end(), [](const RawTensor& t) {
      return t.name.ends_with("pooler.dense.weight") || t.name.ends_with("pooler.weight");
    });
    if (!pooler) return {};
    return {pooled("pooler_output", 0, Pooling::first, Activation::tanh)};
  }
  if (task == "MaskedLM") return {masked("logits")};
  if (task == "PreTraining") return {masked("prediction_logits"), pooled(h.sentence, 2, Pooling::first, Activation::tanh)};
  if (task == "NextSentencePrediction") return {pooled("logits", 2, Pooling::first, Activation::tanh)};
  if (task == "SequenceClassification") return {pooled("logits", read_labels(c), h.pooling, h.classifier)};
  if (task == "TokenClassification") return {dense("logits", "classifier", read_labels(c))};
  if (task == "QuestionAnswering") return {dense("start_logits", "start", 1), dense("end_logits", "end", 1)};
  c.fail(
      concat("architectures: expected a model by itself or ForMaskedLM, ForPreTraining, ForNextSentencePrediction, "
             "ForSequenceClassification, ForTokenClassification or ForQuestionAnswering, found ",
             quoted(read_architecture(c))));
}

}  // namespace hw::families
