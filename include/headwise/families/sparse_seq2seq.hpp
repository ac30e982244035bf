#pragma once
// What encoder-decoders with experts share: from a dense stack's configuration to one with experts in some layers, the names of experts.

#include <tuple>
#include <utility>

#include "headwise/families/common.hpp"
#include "headwise/layers/mlp.hpp"
#include "headwise/moe/moe.hpp"

namespace hw::families {

/// num_experts alike, each with tensors of its own, and so fewer than the file has tensors.
[[gnu::cold]] inline index_t read_experts(const HfConfig& c, const WeightSource& source) {
  const index_t n = c.size("num_experts"), most = static_cast<index_t>(source.tensors().size());
  if (n > most) c.fail(concat("num_experts: expected at most as many as the file has tensors (", most, "), found ", n));
  return n;
}

/// The top_k experts of largest p = softmax(Wx), weighed by p.
[[gnu::cold]] inline TopKRouter::Config read_router(const HfConfig& c, index_t experts, index_t hidden_size, index_t top_k) {
  c.only("router_dtype", "float32");  // as this library computes it
  c.ignore({"router_jitter_noise", "router_ignore_padding_tokens", "router_z_loss_coef", "router_aux_loss_coef"});
  TopKRouter::Config r{.hidden_size = hidden_size, .num_experts = experts, .top_k = top_k, .renormalise = false};
  if (top_k > experts) c.fail(concat("num_experts: expected at least ", top_k, ", found ", experts));
  r.bias = c.get_or("router_bias", false);
  return r;
}

template <class Layer>
const auto& last_of(const Layer& layer) {
  return std::get<std::tuple_size_v<Layer> - 1>(layer);
}

/// `dense`, a layer whose last sublayer is an MLP, with experts in its place.
template <class Sparse, class Layer, class Experts>
typename Sparse::Config sparse_layer(const Layer& dense, const Experts& moe) {
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    return typename Sparse::Config{std::get<I>(dense)..., {last_of(dense).join, moe}};
  }
  (std::make_index_sequence<std::tuple_size_v<Layer> - 1>());
}

/// A stack of layers like `from`'s, all of kind Dense: those of which is_sparse(i) says so become Sparse, whose router is an R.
template <class To, class Dense, class Sparse, class R, class From, class IsSparse>
typename To::Config with_experts(const From& from, const typename R::Config& router, index_t experts, const IsSparse& is_sparse) {
  typename To::Config m;
  m.embedding = from.embedding;
  m.norm = from.norm;
  m.heads = from.heads;
  m.max_positions = from.max_positions;
  for (std::size_t i = 0; i < from.blocks.size(); ++i) {
    const auto& layer = std::get<typename Dense::Config>(from.blocks[i]);
    typename Moe<R, Mlp>::Config moe{.router = router};
    moe.experts.experts.assign(static_cast<std::size_t>(experts), last_of(layer).sublayer);
    if (is_sparse(i))
      m.blocks.push_back(sparse_layer<Sparse>(layer, moe));
    else
      m.blocks.push_back(layer);
  }
  return m;
}

/// ours: the MLP's scope, theirs: the file's, where experts are called `experts.expert_<i>`.
[[gnu::cold]] inline void name_experts(WeightMap& map, index_t experts, const std::string& ours, const std::string& theirs,
                                       std::string_view up, std::string_view down) {
  map.rename(ours + ".router", theirs + ".router.classifier");
  for (index_t i = 0; i < experts; ++i)
    for (const auto& [part, name] : {std::pair("up", up), {"down", down}})
      map.rename(concat(ours, ".experts.", i, ".", part), concat(theirs, ".experts.expert_", i, ".", name));
}

}  // namespace hw::families
