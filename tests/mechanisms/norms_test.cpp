// Norms.

#include "headwise/headwise.hpp"
#include "headwise/layers/norm_variants.hpp"
#include "tests/mechanisms/golden_mechanism.hpp"

namespace {

using namespace mechanism;

constexpr const char* kHeader = "layers/norm_variants.hpp";

TEST(Mechanisms, norm_rms_layer_scale_dyt) {
  Golden g("norm_rms_layer_scale_dyt");
  g.expressed_by("RmsNorm", "layers/norms.hpp", kStock);
  g.expressed_by("LayerNorm", "layers/norms.hpp", kStock);
  for (const char* type : {"ScaleNorm", "DynamicTanh", "GroupRmsNorm", "L2Norm"}) g.expressed_by(type, kHeader, kModifier);
  const Array x = g["x"];
  hw::Build b = g.build({{"weight", g["g"]}});
  g.holds("rms", run_norm(hw::RmsNorm({.size = 12}, b), b, x));
  g.holds("group", run_norm(hw::GroupRmsNorm({.size = 12, .groups = 3}, b), b, x));
  Array plus_one = g["gz"];
  for (float& v : plus_one.values) v += 1;
  b = g.build({{"weight", plus_one}});
  g.holds("rms1", run_norm(hw::RmsNorm({.size = 12}, b), b, x));
  b = g.build({{"weight", g["g"]}, {"bias", g["b"]}});
  g.holds("ln", run_norm(hw::LayerNorm({.size = 12}, b), b, x));
  b = g.build({{"scale", g["s"]}});
  g.holds("scale", run_norm(hw::ScaleNorm({}, b), b, x));
  b = g.build({{"weight", g["g"]}, {"bias", g["b"]}, {"alpha", g["alpha"]}});
  g.holds("dyt", run_norm(hw::DynamicTanh({.size = 12}, b), b, x));
  g.holds("l2", run_norm(hw::L2Norm({}, b), b, x));
}

TEST(Mechanisms, norm_power_repbn) {
  Golden g("norm_power_repbn");
  g.expressed_by("PowerNorm", kHeader, kModifier);
  g.expressed_by("RepBatchNorm", kHeader, kModifier);
  hw::Build b = g.build({{"weight", g["g"]}, {"bias", g["b"]}, {"running_phi", g["psi2"]}});
  g.holds("power", run_norm(hw::PowerNorm({.size = 12, .groups = 3}, b), b, g["x"]));
  g.holds("power_plain", run_norm(hw::PowerNorm({.size = 12}, b), b, g["x"]));
  b = g.build({{"weight", g["g"]},
               {"bias", g["b"]},
               {"running_mean", g["mu"]},
               {"running_var", g["var"]},
               {"alpha", g["eta"]},
               {"next.weight", g["w"]}});
  const Array y = run_norm(hw::RepBatchNorm({.size = 12}, b), b, g["x"]);
  g.holds("repbn", y);
  struct Next {
    hw::Linear linear;
    void forward(hw::In in, hw::View delta) const { linear.forward(in.x, delta, in.frame); }
  };
  g.holds("folded", run(Next{hw::Linear(12, 5, false, b.scope("next"))}, b, y, 5));
}

// A pre-norm block on a stream whose rows have mean zero is the same block with RMSNorm.
TEST(Mechanisms, norm_crms_prerms) {
  Golden g("norm_crms_prerms");
  g.expressed_by("CompressedRmsNorm", kHeader, kModifier);
  g.expressed_by("RmsNorm", "layers/norms.hpp", kStock);
  g.expressed_by("LayerNorm", "layers/norms.hpp", kStock);
  const auto centred = [](Array a) {  // the last dimension
    for (index_t t = 0; t < a.view().rows; ++t) {
      double mean = 0;
      for (const float v : a.view()[t]) mean += v / static_cast<double>(a.shape.back());
      for (float& v : a.view()[t]) v -= static_cast<float>(mean);
    }
    return a;
  };
  const hw::Mlp::Config mlp{.hidden_size = 8, .intermediate_size = 16, .activation = hw::Activation::gelu, .bias = true};
  hw::Build b = g.build({{"mlp.norm.weight", g["g"]},
                         {"mlp.norm.bias", g["b"]},
                         {"mlp.up.weight", g["w1"]},
                         {"mlp.up.bias", filled({16}, 0)},
                         {"mlp.down.weight", g["w2"]},
                         {"mlp.down.bias", g["b2"]}});
  using Layered = hw::Block<hw::PreNorm<hw::LayerNorm, hw::Mlp>>;
  g.holds("y_ln", run_segment(Layered({{{.pre = {.size = 8}}, mlp}}, b), b, g["x"]));

  // RMSNorm has no bias: it goes through the first matrix at load.
  Array up_bias = filled({16}, 0);
  for (index_t o = 0; o < 16; ++o)
    for (index_t i = 0; i < 8; ++i) up_bias[o] += g["w1"][o * 8 + i] * g["b"][i];
  b = g.build({{"mlp.norm.weight", g["g"]},
               {"mlp.up.weight", g["w1"]},
               {"mlp.up.bias", up_bias},
               {"mlp.down.weight", centred(g["w2"].permuted({1, 0})).permuted({1, 0})},
               {"mlp.down.bias", centred(g["b2"])}});
  using Rms = hw::Block<hw::PreNorm<hw::RmsNorm, hw::Mlp>>;
  const Array x = centred(g["x"]);
  g.holds("y_rms", run_segment(Rms({{{.pre = {.size = 8, .eps = 1e-5f}}, mlp}}, b), b, x));
  Array kept{{2, 6, 7}, {}};
  for (index_t t = 0; t < 12; ++t) kept.values.insert(kept.values.end(), x.view().row(t), x.view().row(t) + 7);
  g.holds("crms", run_norm(hw::CompressedRmsNorm({}, b), b, kept));
}

}  // namespace
