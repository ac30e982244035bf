#pragma once
// Goldens that give queries, keys and values: they go through the whole of Attention, behind projections that pick columns.

#include "headwise/headwise.hpp"
#include "headwise/mixers/attention/attend_with.hpp"
#include "tests/mechanisms/golden_mechanism.hpp"

namespace mechanism {

/// A matrix (rows, cols) with ones at (i, from + i).
inline Array picking(index_t rows, index_t cols, index_t from) {
  Array out = filled({rows, cols}, 0);
  for (index_t i = 0; i < rows && from + i < cols; ++i) out[i * cols + from + i] = 1;
  return out;
}

/// The last dimension with zeros behind it.
inline Array widened(const Array& a, index_t width) {
  Array out{a.shape, {}};
  out.shape.back() = width;
  for (index_t t = 0; t < a.view().rows; ++t) {
    out.values.insert(out.values.end(), a.view().row(t), a.view().row(t) + a.shape.back());
    out.values.resize(static_cast<std::size_t>((t + 1) * width));
  }
  return out;
}
inline Array columns(const Array& a, index_t from, index_t to) {
  Array out{a.shape, {}};
  out.shape.back() = to - from;
  for (index_t t = 0; t < a.view().rows; ++t) out.values.insert(out.values.end(), a.view().row(t) + from, a.view().row(t) + to);
  return out;
}

using Weights = std::vector<std::pair<std::string, Array>>;

/// The heads' outputs (b, H, t, v) for q (b, H, t, k), k (b, G, t, k), v (b, G, t, v). `further`: the policies' weights; `beside_them`:
/// further columns (b, t, n) of the layer's input, behind q, k and v.
template <class A>
Array attend(const Golden& g, typename A::Config c, const Array& q, const Array& k, const Array& v, Weights further = {},
             const std::vector<Array>& beside_them = {}, const Rows* rows = nullptr) {
  const index_t heads = q.dim(1), groups = k.dim(1), dim = std::max(q.dim(3), v.dim(3));
  if (!c.options.scale) c.options.scale = 1 / std::sqrt(static_cast<float>(q.dim(3)));
  std::vector<Array> parts{joined(widened(q, dim)), joined(widened(k, dim)), joined(widened(v, dim))};
  parts.insert(parts.end(), beside_them.begin(), beside_them.end());
  const Array x = beside(parts);
  const index_t width = x.shape.back();
  c.project.hidden_size = width;
  c.project.num_attention_heads = heads;
  c.project.num_key_value_heads = groups;
  c.project.head_dim = dim;
  further.insert(further.end(), {{"q.weight", picking(heads * dim, width, 0)},
                                 {"k.weight", picking(groups * dim, width, heads * dim)},
                                 {"v.weight", picking(groups * dim, width, (heads + groups) * dim)},
                                 {"o.weight", picking(heads * dim, width, 0).permuted({1, 0})}});
  const hw::Build b = g.build(further);
  const Array y = run(A(c, b), b, x, 0, rows);
  return columns(heads_of(columns(y, 0, heads * dim), heads), 0, v.dim(3));
}

/// The weights themselves (b, H, t, t): the outputs where the values are the unit vectors.
template <class A>
Array weights_of(const Golden& g, typename A::Config c, const Array& q, const Array& k, Weights further = {}, const Rows* rows = nullptr) {
  const index_t tokens = k.dim(2);
  Array v{{k.dim(0), k.dim(1), tokens, tokens}, {}};
  for (index_t i = 0; i < k.dim(0) * k.dim(1); ++i) {
    const Array unit = identity(tokens);
    v.values.insert(v.values.end(), unit.values.begin(), unit.values.end());
  }
  return attend<A>(g, std::move(c), q, k, v, std::move(further), {}, rows);
}

}  // namespace mechanism
