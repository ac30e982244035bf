#pragma once
// XLNet, as an encoder: relative positions and segments in the scores.                                             arXiv:1906.08237

#include "headwise/families/encoder_common.hpp"
#include "headwise/mixers/attention/segment_relative.hpp"

namespace hw::families {

struct XlNet {
  static constexpr std::string_view kModelTypes[] = {"xlnet"};
  using Attention = hw::Attention<Full, SegmentRelativeProjection>;
  using Block = hw::Block<PostNorm<LayerNorm, Attention>, PostNorm<LayerNorm, Mlp>>;
  using Model = Encoder<Block>;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    const index_t d = c.size({"d_model", "hidden_size"}), heads = c.size({"n_head", "num_attention_heads"}), vocab = c.size("vocab_size");
    const LayerNorm::Config norm{d, static_cast<float>(c.positive_or("layer_norm_eps", 1e-12))};
    for (const auto& [field, value] :
         {std::pair<const char*, Json>("attn_type", "bi"), {"bi_data", false}, {"clamp_len", -1}, {"same_length", false}})
      c.only(field, value);
    c.ignore({"mem_len", "reuse_len", "use_mems_eval", "use_mems_train", "end_n_top", "start_n_top", "summary_activation", "summary_type",
              "summary_use_proj", "untie_r"});  // memories of earlier segments are off unless a caller hands them in
    Attention::Config attention;
    attention.project = {d, heads, c.size_or("d_head", d / heads)};
    attention.project.scale = 1.0f / std::sqrt(static_cast<float>(attention.project.head_dim));
    attention.options.scale = attention.project.scale;
    const Mlp::Config mlp{d, c.size("d_inner"), read_activation(c, "ff_activation", "gelu"), true};

    Model::Config m;
    m.embedding = {.vocab_size = vocab, .hidden_size = d};
    m.blocks.assign(read_layers(c, {"n_layer", "num_hidden_layers"}, source),
                    Block::Config{{{{}, {}, norm}, attention}, {{{}, {}, norm}, mlp}});
    const std::string name = read_architecture(c);
    if (name == "XLNetLMHeadModel") {
      m.heads = {{"logits", Pooling::none, {DenseStage{"", vocab}}}};
    } else if (name != "XLNetModel" && !name.empty()) {
      c.fail(concat("architectures: expected XLNetModel or XLNetLMHeadModel, found ", quoted(name)));
    }
    return m;
  }

  static WeightMap weights(const HfConfig& c, const WeightSource&) {
    WeightMap map;
    map.optional_prefix("transformer");
    const std::string part = "layers.*.attention.", file = "layer.*.rel_attn.";
    map.rename("embedding", "word_embedding");
    for (const char* name : {"q", "k", "v", "r"}) map.rename(concat(part, name, ".weight"), file + name).flatten(2).transpose();
    map.rename(part + "o.weight", file + "o").flatten(2);
    map.rename(part + "content_bias", file + "r_w_bias").flatten(1);
    map.rename(part + "position_bias", file + "r_r_bias").flatten(1);
    map.rename(part + "segment_bias", file + "r_s_bias").flatten(1);
    map.rename(part + "segments", file + "seg_embed").flatten(2);
    map.rename(part + "post_norm", file + "layer_norm");
    map.rename("layers.*.mlp.up", "layer.*.ff.layer_1");
    map.rename("layers.*.mlp.down", "layer.*.ff.layer_2");
    map.rename("layers.*.mlp.post_norm", "layer.*.ff.layer_norm");
    map.rename("head", c.get_or("tie_word_embeddings", true) ? "word_embedding" : "lm_loss");
    map.rename("head.bias", "lm_loss.bias");
    map.ignore("lm_loss.weight");
    map.ignore("mask_emb");
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(XlNet)
}
