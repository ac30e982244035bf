#pragma once
// What BART and the encoder-decoders that came from it share: one stack, one reading of the configuration, their tensors' names. A family
// says what differs in `Seq2SeqTraits`.

#include "headwise/families/encoder_common.hpp"
#include "headwise/mixers/conv_front.hpp"
#include "headwise/models/encoder_decoder.hpp"
#include "headwise/models/with_front.hpp"

namespace hw::families {

/// Attention, cross-attention and MLP with the norm after the sum or before the sublayer. A checkpoint has one of them.
using PostNormWriter = Block<PostNorm<LayerNorm, Attention<>>, PostNorm<LayerNorm, CrossAttention>, PostNorm<LayerNorm, Mlp>>;
using PreNormWriter = Block<PreNorm<LayerNorm, Attention<>>, PreNorm<LayerNorm, CrossAttention>, PreNorm<LayerNorm, Mlp>>;
using WriterStack = Decoder<PostNormWriter, PreNormWriter>;
using Seq2Seq = EncoderDecoder<BertStack, WriterStack>;
/// The same with an encoder that reads frames of sound.
using SpeechReader = WithFront<ConvFront, BertStack>;
using Speech2Seq = EncoderDecoder<SpeechReader, WriterStack>;

/// Positions that are computed: with as many steps of the frequency as there are pairs, or one less (fairseq).
enum class Sinusoids : std::uint8_t { none, of_width, to_end };

/// What tells these families apart.
struct Seq2SeqTraits {
  bool pre_norm = false;
  bool embedding_norm = false;
  bool final_norm = false;   // after the last layer of each stack
  bool logits_bias = false;  // final_logits_bias
  Sinusoids sinusoids = Sinusoids::none;
  index_t position_offset = 0;
  bool attention_bias = true;
  bool key_bias = true;
  std::string_view default_activation = "gelu";
};

/// One side of the model as the configuration gives it.
struct Seq2SeqSide {
  Embedding::Config embedding;
  LayerNorm::Config norm;
  QkvProjection::Config project;
  CrossAttention::Config cross;
  Mlp::Config mlp;
  std::size_t layers = 0;
  index_t max_positions = 0;
};

/// side: "encoder" or "decoder", with whose name the fields begin. Errors: missing fields; fields that other mechanisms would need.
Seq2SeqSide read_side(const HfConfig& c, const WeightSource& source, const Seq2SeqTraits& t, const std::string& side, index_t vocab);

/// A side that is an encoder of its own (BERT), or was made of one.
Seq2SeqSide side_of(const EncoderParts& parts);

BertStack::Config make_reader(const Seq2SeqSide& side, const Seq2SeqTraits& t);
/// The decoder, with the head of a language model.
WriterStack::Config make_writer(const Seq2SeqSide& side, const Seq2SeqTraits& t);
Seq2Seq::Config make_seq2seq(const HfConfig& c, const WeightSource& source, const Seq2SeqTraits& t);
/// The encoder's rows come from `stages`, and are scaled as an embedding would be.
Speech2Seq::Config make_speech2seq(const HfConfig& c, const WeightSource& source, const Seq2SeqTraits& t, index_t signal_size,
                                   std::vector<ConvFront::Stage> stages);

}  // namespace hw::families

#if defined(HEADWISE_COMPILED)  // instantiated once, with this file's definitions
extern template class hw::Stack<hw::families::PostNormWriter, hw::families::PreNormWriter>;
extern template class hw::Decoder<hw::families::PostNormWriter, hw::families::PreNormWriter>;
extern template class hw::EncoderDecoder<hw::families::BertStack, hw::families::WriterStack>;
extern template class hw::WithFront<hw::ConvFront, hw::families::BertStack>;
extern template class hw::EncoderDecoder<hw::families::SpeechReader, hw::families::WriterStack>;
#endif

#if HEADWISE_DEFINITIONS
#include "headwise/families/seq2seq_common.inl.hpp"
#endif
