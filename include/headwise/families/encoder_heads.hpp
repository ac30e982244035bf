#pragma once
// The heads that published classes put on encoders.

#include <string>
#include <vector>

#include "headwise/io/hf_config.hpp"
#include "headwise/io/weight_source.hpp"
#include "headwise/layers/head.hpp"

namespace hw::families {

/// What the published classes put on an encoder, and in what they differ. Weights in scope `head`: `transform`, `norm`, `decoder` of a
/// masked language model; `pooler`, `classifier`; `start`, `end` of question answering.
struct EncoderHeads {
  index_t hidden_size = 0;
  index_t vocab_size = 0;
  index_t transform_size = 0;               // masked LM: width before the decoder
  Activation transform = Activation::gelu;  // and its activation
  AnyNormConfig norm{};                     // and its norm (of transform_size)
  bool transform_bias = true;
  bool decoder_bias = true;
  Pooling pooling = Pooling::first;                  // sequence classification: the row,
  Activation classifier = Activation::tanh;          // the activation after its dense layer
  std::string sentence = "seq_relationship_logits";  // the pretraining class's name of its second output
};

/// The class that saved the checkpoint without the model's name: "MaskedLM", "SequenceClassification"; "" for the bare encoder.
std::string read_task(const HfConfig& c);

/// The heads of the class that saved the checkpoint. Errors: a class that is not known.
std::vector<Head::Config> encoder_heads(const HfConfig& c, const WeightSource& source, const EncoderHeads& heads);

}  // namespace hw::families

#if HEADWISE_DEFINITIONS
#include "headwise/families/encoder_heads.inl.hpp"
#endif
