#pragma once
// TrOCR: the rows of a vision transformer, read by BART's decoder.                                                 arXiv:2109.10282

#include "headwise/families/vit_reader.hpp"

namespace hw::families {

struct TrOcr {
  static constexpr std::string_view kModelTypes[] = {"vision-encoder-decoder"};
  using Model = EncoderDecoder<VitReader, WriterStack>;

  static bool takes(const HfConfig& c) { return writes_with(c, "trocr"); }
  static Seq2SeqTraits traits(const HfConfig& writer) {
    return {.embedding_norm = writer.get_or("layernorm_embedding", true), .position_offset = 2};
  }
  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    const HfConfig writer = read_writer(c);
    writer.only("use_learned_position_embeddings", true);
    Model::Config m;
    m.encoder = read_vit(c.sub("encoder"), source);
    Seq2SeqSide side = read_side(writer, source, traits(writer), "decoder", writer.size("vocab_size"));
    side.cross.memory_size = writer.size_or("cross_attention_hidden_size", side.norm.size);
    m.decoder = make_writer(side, traits(writer));
    return m;
  }
  static WeightMap weights(const HfConfig& c, const WeightSource&) {
    const HfConfig writer = c.sub("decoder");
    WeightMap map = seq2seq_names(writer, traits(writer));
    map.optional_prefix("decoder.model");
    name_vit(map);
    if (!writer.get_or("tie_word_embeddings", true)) map.replace("decoder.head", "decoder.output_projection");
    map.ignore("decoder.output_projection.weight");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(TrOcr)
}
