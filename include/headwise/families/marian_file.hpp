#pragma once
// Marian's own files of transformers whose decoder is a recurrence: Bergamot's quick translators.        aclanthology.org/2020.ngt-1.26

#include <filesystem>

#include "headwise/families/seq2seq_common.hpp"
#include "headwise/families/zoo.hpp"
#include "headwise/io/marian.hpp"
#include "headwise/mixers/ssm/ssru.hpp"

namespace hw::families {

using SsruWriter = Block<PostNorm<LayerNorm, Ssru>, PostNorm<LayerNorm, CrossAttention>, PostNorm<LayerNorm, Mlp>>;

struct MarianSsru {
  static constexpr std::string_view kModelTypes[] = {"marian-transformer"};
  using Model = EncoderDecoder<BertStack, SsruWriter>;

  /// Of a folder without a config.json, the file model*.bin. Error: several.
  static std::optional<Checkpoint> open(const std::string& folder, MappedFile::Access access) {
    std::error_code ignored;
    if (std::filesystem::exists(folder + "/config.json", ignored)) return std::nullopt;
    std::string path;
    for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
      const std::string name = entry.path().filename().string();
      if (!name.starts_with("model") || !name.ends_with(".bin") || !MarianFile::begins(entry.path().string())) continue;
      if (!path.empty()) fail(hw::quoted(folder, 300), "one file model*.bin", "several");
      path = entry.path().string();
    }
    if (path.empty()) return std::nullopt;
    const MarianFile file = MarianFile::open(path, access);
    return Checkpoint{HfConfig(file.config()), std::make_shared<const WeightSource>(file.weights())};
  }

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    for (const auto& [key, value] : {std::pair("dec-cell", "ssru"),
                                     {"transformer-decoder-autoreg", "rnn"},
                                     {"transformer-preprocess", ""},
                                     {"transformer-postprocess", "dan"},
                                     {"transformer-postprocess-emb", "d"},
                                     {"transformer-postprocess-top", ""}})
      c.only(key, value);
    for (const auto& [key, value] : {std::pair("tied-embeddings-all", true),
                                     {"transformer-train-position-embeddings", false},
                                     {"ulr", false},
                                     {"output-omit-bias", false},
                                     {"transformer-no-projection", false},
                                     {"right-left", false},
                                     {"skip", false},
                                     {"transformer-pool", false},
                                     {"layer-normalization", false}})
      c.only(key, value);
    c.only("transformer-ffn-depth", 2);
    c.only("lemma-dim-emb", 0);
    for (const char* key : {"input-types", "transformer-tied-layers"}) c.only(key, Json::array({}));
    c.ignore({"bert-train-type-embeddings", "bert-type-vocab-size", "dec-cell-base-depth", "dec-cell-high-depth", "dim-rnn", "enc-cell",
              "enc-cell-depth", "enc-type", "tied-embeddings", "tied-embeddings-src", "transformer-aan-activation", "transformer-aan-depth",
              "transformer-aan-nogate", "transformer-dim-aan", "transformer-guided-alignment-layer", "type", "ulr-dim-emb",
              "ulr-trainable-transformation", "version"});
    const auto vocab = c.get<std::vector<index_t>>("dim-vocabs");
    if (vocab.size() != 2 || vocab[0] != vocab[1] || vocab[0] < 1) c.fail("dim-vocabs: expected twice the same size, for tied embeddings");
    JsonBuilder sizes;
    sizes.begin_object().member("d_model", c.size("dim-emb")).member("max_position_embeddings", 1 << 16).member("scale_embedding", true);
    sizes.member("activation_function", c.get<std::string>("transformer-ffn-activation"));
    for (const std::string side : {"encoder", "decoder"})
      sizes.member(side + "_layers", c.size(side == "encoder" ? "enc-depth" : "dec-depth"))
          .member(side + "_attention_heads", c.size("transformer-heads"))
          .member(side + "_ffn_dim", c.size("transformer-dim-ffn"));
    const HfConfig fields(sizes.end_object().finish());
    const Seq2SeqTraits t{.logits_bias = true, .sinusoids = Sinusoids::to_end};
    Model::Config m;
    m.encoder = make_reader(read_side(fields, source, t, "encoder", vocab[0]), t);
    const Seq2SeqSide s = read_side(fields, source, t, "decoder", vocab[0]);
    m.decoder.embedding = s.embedding;
    m.decoder.embedding.zero_id = 0;  // the end of a sentence stands before the first word, and is none
    m.decoder.max_positions = s.max_positions;
    m.decoder.blocks.assign(s.layers,
                            SsruWriter::Config{{{{}, {}, s.norm}, {s.norm.size}}, {{{}, {}, s.norm}, s.cross}, {{{}, {}, s.norm}, s.mlp}});
    m.decoder.heads = {{"logits", Pooling::none, {DenseStage{"", vocab[0], true}}}};
    return m;
  }

  static WeightMap weights(const HfConfig&, const WeightSource&) {
    WeightMap map;
    for (const char* part : {"encoder.embedding", "decoder.embedding", "decoder.head"}) map.rename(concat(part, ".weight"), "Wemb");
    map.rename("decoder.head.bias", "decoder_ff_logit_out_b");
    for (const std::string side : {"encoder", "decoder"}) {
      const std::string ours = side + ".layers.*.", theirs = side + ".layer.*.";
      const auto linear = [&](const std::string& part, const std::string& weight, const std::string& bias) {
        map.rename(concat(ours, part, ".weight"), theirs + weight);
        map.rename(concat(ours, part, ".bias"), theirs + bias);
      };
      const auto norm = [&](const std::string& part, const std::string& file) {
        linear(part + ".post_norm", file + "_ln_scale", file + "_ln_bias");
      };
      const std::string own = side == "encoder" ? "attention" : "cross_attention", file = side == "encoder" ? "self" : "context";
      for (const char* part : {"q", "k", "v", "o"}) linear(concat(own, ".", part), concat(file, "_W", part), concat(file, "_b", part));
      norm(own, file + "_Wo");
      linear("mlp.up", "ffn_W1", "ffn_b1");
      linear("mlp.down", "ffn_W2", "ffn_b2");
      norm("mlp", "ffn_ffn");
      linear("recurrence.forget", "rnn_Wf", "rnn_bf");
      map.rename(ours + "recurrence.value.weight", theirs + "rnn_W");
      norm("recurrence", "rnn_ffn");
    }
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(MarianSsru)
}
