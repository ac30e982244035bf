#pragma once
#include <cmath>

#include "headwise/families/seq2seq_common.hpp"

namespace hw::families {

HEADWISE_LOAD_TIME Seq2SeqSide read_side(const HfConfig& c, const WeightSource& source, const Seq2SeqTraits& t, const std::string& side,
                                      index_t vocab) {
  Seq2SeqSide s;
  const auto field = [&](const char* name) { return concat(side, "_", name); };
  const auto d = c.size("d_model"), heads = c.size(std::string_view(field("attention_heads")));
  if (heads > d || d % heads != 0)
    c.fail(concat("d_model: expected a multiple of ", field("attention_heads"), " (", heads, "), found ", d));
  s.layers = read_layers(c, std::string_view(field("layers")), source);
  s.norm = {d, 1e-5f};
  const std::string own = concat("max_", side, "_position_embeddings");
  s.max_positions = c.size({"max_position_embeddings", own, side == "encoder" ? "max_source_positions" : "max_target_positions"});
  s.embedding = {.vocab_size = vocab, .hidden_size = d};
  if (c.get_or("scale_embedding", false)) s.embedding.scale = std::sqrt(static_cast<float>(d));
  s.embedding.position_offset = t.position_offset;
  const RawTensor* table = nullptr;  // a computed table may be in the file, which then counts
  for (const RawTensor& tensor : source.tensors())
    if (tensor.name.ends_with(side + ".embed_positions.weight") && !tensor.shape.empty()) table = &tensor;
  if (t.sinusoids == Sinusoids::none) {
    s.embedding.positions = s.max_positions + t.position_offset;
  } else if (table == nullptr) {
    s.embedding.sinusoid_steps = t.sinusoids == Sinusoids::of_width ? d / 2 : d / 2 - 1;
  } else {
    s.embedding.positions = table->shape[0];
    s.max_positions = std::min(s.max_positions, s.embedding.positions - t.position_offset);
    if (s.max_positions < 1)
      c.fail(concat(side, ".embed_positions: expected more rows than ", t.position_offset, ", found ", table->shape[0]));
  }
  if (t.embedding_norm) s.embedding.norm = s.norm;
  s.project = {.hidden_size = d, .num_attention_heads = heads, .num_key_value_heads = heads, .head_dim = d / heads,
               .bias = t.attention_bias, .key_bias = t.key_bias};
  s.cross = {.hidden_size = d, .num_attention_heads = heads, .num_key_value_heads = heads, .head_dim = d / heads, .bias = t.attention_bias,
             .key_bias = t.key_bias};
  s.cross.options.output_bias = t.attention_bias;
  s.mlp = {d, c.size(std::string_view(field("ffn_dim"))), read_activation(c, "activation_function", t.default_activation), true};
  return s;
}

HEADWISE_LOAD_TIME Seq2SeqSide side_of(const EncoderParts& p) {
  const QkvProjection::Config& q = p.attention.project;
  Seq2SeqSide s{.embedding = p.embedding, .norm = p.norm, .project = q, .cross = {}, .mlp = p.mlp, .layers = p.layers,
                .max_positions = p.max_positions};
  s.cross = {.hidden_size = q.hidden_size, .num_attention_heads = q.num_attention_heads, .num_key_value_heads = q.num_key_value_heads,
             .head_dim = q.head_dim, .bias = q.bias};
  s.cross.options.output_bias = p.attention.options.output_bias;
  return s;
}

HEADWISE_LOAD_TIME BertStack::Config make_reader(const Seq2SeqSide& s, const Seq2SeqTraits& t) {
  BertStack::Config m;
  m.embedding = s.embedding;
  m.max_positions = s.max_positions;
  Attention<Full>::Config attention{.project = s.project};
  attention.options.output_bias = t.attention_bias;
  if (t.pre_norm)
    m.blocks.assign(s.layers, PreNormLayer::Config{{{s.norm}, attention}, {{s.norm}, s.mlp}});
  else
    m.blocks.assign(s.layers, PostNormLayer::Config{{{{}, {}, s.norm}, attention}, {{{}, {}, s.norm}, s.mlp}});
  if (t.final_norm) m.norm = s.norm;
  return m;
}

HEADWISE_LOAD_TIME WriterStack::Config make_writer(const Seq2SeqSide& s, const Seq2SeqTraits& t) {
  WriterStack::Config m;
  m.embedding = s.embedding;
  m.max_positions = s.max_positions;
  Attention<>::Config attention{.project = s.project};
  attention.options.output_bias = t.attention_bias;
  if (t.pre_norm)
    m.blocks.assign(s.layers, PreNormWriter::Config{{{s.norm}, attention}, {{s.norm}, s.cross}, {{s.norm}, s.mlp}});
  else
    m.blocks.assign(s.layers,
                    PostNormWriter::Config{{{{}, {}, s.norm}, attention}, {{{}, {}, s.norm}, s.cross}, {{{}, {}, s.norm}, s.mlp}});
  if (t.final_norm) m.norm = s.norm;
  m.heads = {{"logits", Pooling::none, {DenseStage{"", s.embedding.vocab_size, t.logits_bias}}}};
  return m;
}

HEADWISE_LOAD_TIME Seq2Seq::Config make_seq2seq(const HfConfig& c, const WeightSource& source, const Seq2SeqTraits& t) {
  // Older configurations say what the family is made of; all of one family say the same.
  c.only("normalize_before", t.pre_norm);
  c.only("add_final_layer_norm", t.final_norm);
  c.only("normalize_embedding", t.embedding_norm);
  c.only("static_position_embeddings", t.sinusoids != Sinusoids::none);
  c.only("is_encoder_decoder", true);
  c.ignore({"add_bias_logits", "classif_dropout", "extra_pos_embeddings", "num_hidden_layers", "share_encoder_decoder_embeddings"});
  const auto vocab = c.size({"vocab_size", "src_vocab_size"});
  Seq2Seq::Config m;
  m.encoder = make_reader(read_side(c, source, t, "encoder", vocab), t);
  m.decoder = make_writer(read_side(c, source, t, "decoder", c.size_or({"decoder_vocab_size", "tgt_vocab_size"}, vocab)), t);
  return m;
}

HEADWISE_LOAD_TIME Speech2Seq::Config make_speech2seq(const HfConfig& c, const WeightSource& source, const Seq2SeqTraits& t,
                                                      index_t signal_size, std::vector<ConvFront::Stage> stages) {
  Seq2Seq::Config text = make_seq2seq(c, source, t);
  Speech2Seq::Config m;
  m.encoder.front = {.signal_size = signal_size, .stages = std::move(stages), .scale = text.encoder.embedding.scale};
  m.encoder.stack = std::move(text.encoder);
  m.encoder.stack.embedding.vocab_size = 0;
  m.decoder = std::move(text.decoder);
  return m;
}

}  // namespace hw::families

#if defined(HEADWISE_COMPILED)
template class hw::Stack<hw::families::PostNormWriter, hw::families::PreNormWriter>;
template class hw::Decoder<hw::families::PostNormWriter, hw::families::PreNormWriter>;
template class hw::EncoderDecoder<hw::families::BertStack, hw::families::WriterStack>;
template class hw::WithFront<hw::ConvFront, hw::families::BertStack>;
template class hw::EncoderDecoder<hw::families::SpeechReader, hw::families::WriterStack>;
#endif
