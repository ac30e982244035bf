#pragma once
// What decoders with two mixers share.

#include <optional>

#include "headwise/families/moe_common.hpp"

namespace hw::families {

/// A decoder whose layers have a mixer A or B, and an MLP or experts.
template <class A, class B>
struct HybridParts {
  using Experts = MoeParts<>::Sparse;
  template <class Mixer, class Mlp>
  using Layer = Block<PreNorm<RmsNorm, Mixer>, PreNorm<RmsNorm, Mlp>>;
  using Model = Decoder<Layer<A, GatedMlp>, Layer<B, GatedMlp>, Layer<A, Experts>, Layer<B, Experts>>;

  Add<RmsNorm>::Config join;
  typename A::Config a;
  typename B::Config b;
  GatedMlp::Config mlp;
  std::optional<Experts::Config> experts{};

  /// Pre: where `has_experts`, there are some.
  [[gnu::cold]] typename Model::BlockConfig layer(bool has_a, bool has_experts) const {
    if (has_a && has_experts) return typename Layer<A, Experts>::Config{{join, a}, {join, *experts}};
    if (has_a) return typename Layer<A, GatedMlp>::Config{{join, a}, {join, mlp}};
    if (has_experts) return typename Layer<B, Experts>::Config{{join, b}, {join, *experts}};
    return typename Layer<B, GatedMlp>::Config{{join, b}, {join, mlp}};
  }
};

}  // namespace hw::families
