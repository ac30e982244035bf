#pragma once
// What the recurrences' tests share: every part is run at once, and in steps of one and of three rows, with the same bits.

#include <cmath>

#include "tests/mechanisms/given_attention.hpp"

namespace mechanism {

constexpr const char* kInState = "kept in the state";

// Where a part's config keeps the width of its input.
constexpr auto kSize = [](auto& c) -> index_t& { return c.size.hidden_size; };
constexpr auto kHidden = [](auto& c) -> index_t& { return c.hidden_size; };

inline Array mapped(Array a, double (*f)(double)) {
  for (float& v : a.values) v = static_cast<float>(f(v));
  return a;
}
inline double logit(double p) { return std::log(p / (1 - p)); }
inline double logit_of_exp(double log_p) { return log_p - std::log(-std::expm1(log_p)); }
inline double inverse_softplus_of_minus(double log_p) { return std::log(std::expm1(-log_p)); }

/// (b, H, t) as rows (b, t, H); (b, H, t, n) as (b, t, H n).
inline Array in_rows(const Array& a) { return joined(a.shape.size() == 3 ? a.reshaped({a.dim(0), a.dim(1), a.dim(2), 1}) : a); }

/// The outputs (b, t, width) of a part that is given the projections of its input: `parts` are rows of x, by the names of its weights.
template <class Part, class SetSize>
inline Array given(const Golden& g, typename Part::Config c, SetSize&& hidden_size, const std::vector<std::pair<std::string, Array>>& parts,
                   index_t width, Weights further = {}) {
  std::vector<Array> rows;
  for (const auto& [name, part] : parts) rows.push_back(part);
  const Array x = beside(rows);
  const index_t d = std::max(x.shape.back(), width);
  index_t from = 0;
  for (const auto& [name, part] : parts) {
    further.emplace_back(name + ".weight", picking(part.shape.back(), d, from));
    from += part.shape.back();
  }
  further.emplace_back("o.weight", picking(width, d, 0).permuted({1, 0}));
  hidden_size(c) = d;
  const hw::Build b = g.build(further);
  return columns(run(Part(c, b), b, widened(x, d)), 0, width);
}

/// Rows before the first ones of x (b, t, n) of every sequence.
inline Array behind(const Array& before, const Array& x) {
  Array out{{x.dim(0), before.dim(1) + x.dim(1), x.dim(2)}, {}};
  for (index_t s = 0; s < x.dim(0); ++s)
    for (const Array* part : {&before, &x}) {
      const Array own = part->at(s);
      out.values.insert(out.values.end(), own.values.begin(), own.values.end());
    }
  return out;
}
/// The last t rows.
inline Array without_first(const Array& x, index_t n) {
  Array out{{x.dim(0), x.dim(1) - n, x.dim(2)}, {}};
  for (index_t s = 0; s < x.dim(0); ++s) {
    const Array own = x.at(s);
    out.values.insert(out.values.end(), own.values.begin() + n * x.dim(2), own.values.end());
  }
  return out;
}
/// What writes a state (b, H, k, v) into an empty one, row by row of it: keys that are unit vectors, values that are its rows.
inline Array unit_keys(const Array& state) {
  Array out = filled({state.dim(0), state.dim(2), state.dim(1) * state.dim(2)}, 0);
  for (index_t t = 0; t < out.view().rows; ++t)
    for (index_t h = 0; h < state.dim(1); ++h) out.view()(t, h * state.dim(2) + t % state.dim(2)) = 1;
  return out;
}
inline Array rows_of_state(const Array& state) { return joined(state); }

}  // namespace mechanism
