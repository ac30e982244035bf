#pragma once
// Two BERTs as one model: the second reads what the first wrote.                                                   arXiv:1907.12461

#include "headwise/families/seq2seq_common.hpp"

namespace hw::families {

struct Bert2Bert {
  static constexpr std::string_view kModelTypes[] = {"encoder-decoder"};
  using Model = Seq2Seq;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    c.only("is_encoder_decoder", true);
    const HfConfig reader = c.sub("encoder"), writer = c.sub("decoder");
    for (const HfConfig& side : {reader, writer}) {
      side.only("model_type", "bert");
      side.only("position_embedding_type", "absolute");
    }
    reader.only("is_decoder", false);
    writer.only("is_decoder", true);
    writer.only("add_cross_attention", true);
    writer.ignore({"tie_word_embeddings"});
    reader.ignore({"tie_word_embeddings"});
    Model::Config m;
    m.encoder = make_reader(side_of(read_encoder(reader, source)), {});
    EncoderParts p = read_encoder(writer, source);
    const index_t d = p.norm.size;
    Seq2SeqSide side = side_of(p);
    side.cross.memory_size = m.encoder.embedding.hidden_size;
    m.decoder = make_writer(side, {});
    m.decoder.heads[0].stages = {DenseStage{"transform", d}, ActivationStage{p.mlp.activation}, NormStage{"norm", p.norm},
                                 DenseStage{"decoder", p.embedding.vocab_size}};
    return m;
  }

  static WeightMap weights(const HfConfig&, const WeightSource&) {
    WeightMap map;
    for (const std::string side : {"encoder", "decoder"}) {
      const std::string file = side == "encoder" ? "encoder." : "decoder.bert.";
      const std::string ours = side + ".layers.*.", theirs = file + "encoder.layer.*.";
      map.rename(side + ".embedding", file + "embeddings.word_embeddings");
      map.rename(side + ".embedding.positions", file + "embeddings.position_embeddings");
      map.rename(side + ".embedding.types", file + "embeddings.token_type_embeddings");
      map.rename(side + ".embedding.norm", file + "embeddings.LayerNorm");
      for (const auto& [part, name] : {std::pair("attention", "attention"), {"cross_attention", "crossattention"}}) {
        for (const auto& [x, long_x] : {std::pair("q", "query"), {"k", "key"}, {"v", "value"}})
          map.rename(concat(ours, part, ".", x), concat(theirs, name, ".self.", long_x));
        map.rename(concat(ours, part, ".o"), concat(theirs, name, ".output.dense"));
        map.rename(concat(ours, part, ".post_norm"), concat(theirs, name, ".output.LayerNorm"));
      }
      map.rename(ours + "mlp.up", theirs + "intermediate.dense");
      map.rename(ours + "mlp.down", theirs + "output.dense");
      map.rename(ours + "mlp.post_norm", theirs + "output.LayerNorm");
      map.ignore(file + "embeddings.position_ids");
    }
    map.rename("decoder.head.transform", "decoder.cls.predictions.transform.dense");
    map.rename("decoder.head.norm", "decoder.cls.predictions.transform.LayerNorm");
    map.rename("decoder.head.decoder", "decoder.bert.embeddings.word_embeddings");
    map.rename("decoder.head.decoder.bias", "decoder.cls.predictions.bias");
    map.ignore("decoder.cls.predictions.decoder.**");  // copies
    map.ignore("encoder.pooler.**");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Bert2Bert)
}
