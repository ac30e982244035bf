#pragma once
// LED: Longformer's encoder before BART's decoder.                                                                 arXiv:2004.05150

#include "headwise/blocks/marked.hpp"
#include "headwise/families/seq2seq_names.hpp"

namespace hw::families {

/// Sequence::marks of a source says which of its tokens are global.
struct Led {
  static constexpr std::string_view kModelTypes[] = {"led"};
  using Attention = Marked<hw::Attention<NearOrMarked>, hw::Attention<OfMarked>>;
  using Reader = Block<PostNorm<LayerNorm, Attention>, PostNorm<LayerNorm, Mlp>>;
  using Model = EncoderDecoder<Encoder<Reader>, WriterStack>;
  static constexpr Seq2SeqTraits kTraits{.embedding_norm = true, .logits_bias = true};

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    c.only("is_encoder_decoder", true);
    const auto vocab = c.size("vocab_size");
    const Seq2SeqSide s = read_side(c, source, kTraits, "encoder", vocab);
    Model::Config m;
    m.encoder.embedding = s.embedding;
    m.encoder.max_positions = s.max_positions;
    for (const index_t window : read_attention_windows(c, s.layers)) {
      hw::Attention<NearOrMarked>::Config near{.project = s.project, .mask = {window / 2}};
      hw::Attention<OfMarked>::Config of_marked{.project = s.project};
      near.options.output_bias = of_marked.options.output_bias = true;
      m.encoder.blocks.push_back(Reader::Config{{{{}, {}, s.norm}, {near, of_marked}}, {{{}, {}, s.norm}, s.mlp}});
    }
    m.decoder = make_writer(read_side(c, source, kTraits, "decoder", vocab), kTraits);
    return m;
  }

  static WeightMap weights(const HfConfig& c, const WeightSource&) {
    WeightMap map = seq2seq_names(c, kTraits);
    map.optional_prefix("led");
    const std::string ours = "encoder.layers.*.attention.", theirs = "encoder.layers.*.self_attn.";
    for (const auto& [part, name] : {std::pair("q", "query"), {"k", "key"}, {"v", "value"}}) {
      map.replace(ours + part, concat(theirs, "longformer_self_attn.", name));
      map.rename(concat(ours, "marked.", part), concat(theirs, "longformer_self_attn.", name, "_global"));
    }
    map.replace(ours + "o", theirs + "output");
    map.rename(ours + "marked.o", theirs + "output");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(Led)
}
