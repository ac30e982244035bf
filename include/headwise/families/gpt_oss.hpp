#pragma once
// gpt-oss: a sink in every softmax, windows in every other layer, experts with a clamped SwiGLU and biases.    arXiv:2508.10925

#include "headwise/families/moe_common.hpp"

namespace hw::families {

struct GptOss {
  static constexpr std::string_view kModelTypes[] = {"gpt_oss"};
  static constexpr std::string_view kArchitectures[] = {"gpt-oss"};
  using Parts = MoeParts<>;
  using Model = Parts::Model;

  static Model::Config config(const HfConfig& c, const WeightSource& source) {
    Parts p(c, source, {.norm_eps = 1e-5, .head_dim = 64, .bias = c.get_or("attention_bias", true), .rope_theta = 150000.0});
    p.attention.options.sinks = true;
    if (has_gguf_names(source)) p.attention.project.rotary->truncate = false;  // as published; the format does not say
    if (const auto quantised = c.find_sub("quantization_config")) {
      quantised->only("quant_method", "mxfp4");
      quantised->ignore({"modules_to_not_convert"});  // the tensors say
    }
    c.only("swiglu_alpha", 1.702);
    c.only("experts_per_token", p.moe.router.top_k);  // as published: said twice,
    c.ignore({"initial_context_length"});             // and by rope_scaling
    p.moe.router.bias = true;
    for (GatedMlp::Config& expert : p.moe.experts.experts) {
      expert.bias = true;
      expert.activation = Activation::gelu_quick;  // x sigmoid(1.702 x), whatever hidden_act says
      expert.limit = static_cast<float>(c.positive_or("swiglu_limit", 7.0));
      expert.up_offset = 1.0f;
    }
    const auto windows = read_windows(c, p.layers, 128, [](std::size_t i) { return i % 2 == 0; });
    return p.stack<Model>([&](std::size_t i) {
      p.attention.mask.window = windows[i];
      return p.layer(true);
    });
  }

  static WeightMap weights(const HfConfig& c, const WeightSource& source) {
    WeightMap map = decoder_names(c, source);
    if (has_gguf_names(source)) {
      map.replace("layers.*.mlp.norm", "blk.*.post_attention_norm");
      return map;
    }
    name_experts(map, {.router = "router"});
    const std::string experts = "model.layers.*.mlp.experts.";
    for (const auto& [part, i] : {std::pair("gate", 0), {"up", 1}}) {
      const std::string ours = concat("layers.*.mlp.experts.*.", part);
      const std::string file = experts + "gate_up_proj";
      map.rename(ours + ".weight", file).slice(1).transpose().interleaved(i, 2, 1);
      map.rename(ours + ".weight", {file + "_blocks", file + "_scales"}).slice(1).mxfp4().interleaved(i, 2, 1);
      map.rename(ours + ".bias", experts + "gate_up_proj_bias").slice(1).interleaved(i, 2, 1);
    }
    const std::string down = "layers.*.mlp.experts.*.down.weight", file = experts + "down_proj";
    map.rename(down, file).slice(1).transpose();
    map.rename(down, {file + "_blocks", file + "_scales"}).slice(1).mxfp4();
    map.rename("layers.*.mlp.experts.*.down.bias", experts + "down_proj_bias").slice(1);
    return map;
  }
};

}  // namespace hw::families

namespace hw {
HEADWISE_STOCK_FAMILY(GptOss)
}
