// What takes the place of the softmax.

#include "headwise/mixers/attention/normalisers.hpp"

#include "tests/mechanisms/given_attention.hpp"

namespace {

using namespace mechanism;

constexpr const char* kHeader = "mixers/attention/normalisers.hpp";

template <class N, class M = hw::Causal>
using With = hw::Attention<M, hw::QkvProjection, hw::kernels::DotScore, N>;

TEST(Mechanisms, attn_sigmoid) {
  Golden g("attn_sigmoid");
  g.expressed_by("SigmoidWeights", kHeader, kModifier);
  using A = With<hw::SigmoidWeights>;
  A::Config c;
  g.holds("o_rowbias", attend<A>(g, c, g["q"], g["k"], g["v"]));
  c.normaliser.keys = 9;
  g.holds("o", attend<A>(g, c, g["q"], g["k"], g["v"]));
  g.holds("probs", weights_of<A>(g, c, g["q"], g["k"]));
}

TEST(Mechanisms, attn_topk_keys) {
  Golden g("attn_topk_keys");
  g.expressed_by("TopKeys", kHeader, kModifier);
  using A = With<hw::TopKeys>;
  A::Config c;
  c.normaliser.count = 3;
  g.holds("o", attend<A>(g, c, g["q"], g["k"], g["v"]));
  g.holds("probs", weights_of<A>(g, c, g["q"], g["k"]));
  g.leaves_out("idx", "which keys have a weight is in probs");
  g.leaves_out("dist2", "IceFormer's embedding for a search, which finds the same keys");
}

TEST(Mechanisms, attn_stick_breaking) {
  Golden g("attn_stick_breaking");
  g.expressed_by("StickBreaking", kHeader, kModifier);
  using A = With<hw::StickBreaking>;
  A::Config c;
  g.holds("o_inclusive", attend<A>(g, c, g["q"], g["k"], g["v"]));
  const Array probs = weights_of<A>(g, c, g["q"], g["k"]);
  g.holds("probs_inclusive", probs);
  Array rest = g["rem"];
  for (index_t i = 0; i < rest.view().rows * rest.shape.back(); ++i) {
    rest[i] = 1;
    for (const float p : probs.view()[i]) rest[i] -= p;
  }
  g.holds("rem", rest);
  c.normaliser.own = false;
  g.holds("o_strict", attend<A>(g, c, g["q"], g["k"], g["v"]));
}

TEST(Mechanisms, attn_talking_heads) {
  Golden g("attn_talking_heads");
  g.expressed_by("TalkingHeads", kHeader, kModifier);
  using A = With<hw::TalkingHeads>;
  A::Config c;
  c.normaliser.heads = 3;
  const Weights mixing{{"normaliser.pre", g["pre"]}, {"normaliser.post", g["post"]}};
  g.holds("o", attend<A>(g, c, g["q"], g["k"], g["v"], mixing));
  g.holds("probs", weights_of<A>(g, c, g["q"], g["k"], mixing));
}

TEST(Mechanisms, attn_postsoftmax_mask) {
  Golden g("attn_postsoftmax_mask");
  g.expressed_by("SoftmaxThenCausal", kHeader, kModifier);
  using A = With<hw::SoftmaxThenCausal, hw::Full>;
  g.holds("o", attend<A>(g, {}, g["q"], g["k"], g["v"]));
  g.holds("probs", weights_of<A>(g, {}, g["q"], g["k"]));
}

TEST(Mechanisms, attn_moba) {
  Golden g("attn_moba");
  g.expressed_by("BestBlocks", kHeader, kModifier);
  using A = With<hw::BestBlocks>;
  A::Config c;
  c.normaliser = {.block = 3, .count = 2};
  g.holds("o", attend<A>(g, c, g["q"], g["k"], g["v"]));
  const Array probs = weights_of<A>(g, c, g["q"], g["k"]);
  std::vector<std::int64_t> kept;
  for (index_t i = 0; i < probs.view().rows; ++i)
    for (index_t block = 0; block < 14; block += 3) {
      bool any = false;
      for (index_t j = block; j < std::min<index_t>(block + 3, 14); ++j) any = any || probs.view()(i, j) > 0;
      kept.push_back(any);
    }
  g.holds("sel", kept);
}

TEST(Mechanisms, pos_cope) {
  Golden g("pos_cope");
  g.expressed_by("ContextualPositions", kHeader, kModifier);
  using A = With<hw::ContextualPositions>;
  A::Config c;
  c.normaliser = {.last = 5, .head_dim = 6, .gate_scale = std::sqrt(6.0f)};
  const Weights table{{"normaliser.embedding", g["e"]}};
  g.holds("o", attend<A>(g, c, g["q"], g["k"], g["v"], table));
  c.normaliser.gate_scale = 1;
  g.holds("o_scaled_gate", attend<A>(g, c, g["q"], g["k"], g["v"], table));
  g.leaves_out("probs", "the outputs say it");
  g.leaves_out("pos", "not kept: the sum of the gates behind a key");
}

}  // namespace
