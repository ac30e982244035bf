#pragma once
// Cells for Recurrence of diagonal state spaces, and one that remembers at several time scales. Not in the umbrella header.

#include <bit>
#include <complex>

#include "headwise/mixers/linear_attention/cells.hpp"

namespace hw {
namespace detail {

using Complex = std::complex<double>;

/// h = a h + u over complex numbers (pairs of floats); gives Re(c h).
inline float turn(float* h, Complex a, Complex c, float u_re, float u_im = 0) noexcept {
  const auto ar = static_cast<float>(a.real()), ai = static_cast<float>(a.imag());
  const float re = ar * h[0] - ai * h[1] + u_re, im = ar * h[1] + ai * h[0] + u_im;
  h[0] = re, h[1] = im;
  return static_cast<float>(c.real()) * re - static_cast<float>(c.imag()) * im;
}

}  // namespace detail

/// By channel, over n complex numbers: h = e^(D A) h + (e^(D A) - 1) / A u, o = 2 Re(C . h) + d u; D = e^log_dt, A = -e^a_re + i a_im
///                                                                                                        S4D, arXiv:2206.11893
/// Weights: `u` (m, d), `skip`, `log_dt` (m), `a_re`, `a_im`, `c_re`, `c_im` (m n); what is called B there is in C.
struct S4d {
  struct Config {
    index_t hidden_size = 0, size = 0, states = 0;  // m, n
  };
  S4d(const Config& c, const Build& b) : m(c.size), n(c.states), skip(b.vector("skip", m)) {
    const auto dt = b.vector("log_dt", m), re = b.vector("a_re", m * n), im = b.vector("a_im", m * n), c_re = b.vector("c_re", m * n),
               c_im = b.vector("c_im", m * n);
    for (std::size_t i = 0; i < re.size(); ++i) {
      const detail::Complex rate(-std::exp(double{re[i]}), im[i]);
      a.push_back(std::exp(std::exp(double{dt[i / static_cast<std::size_t>(n)]}) * rate));
      read.push_back(2.0 * detail::Complex(c_re[i], c_im[i]) * (a.back() - 1.0) / rate);
    }
  }
  index_t state() const { return 2 * m * n; }
  index_t width() const { return m; }
  std::vector<LinearPart> parts() const { return {{"u", m}}; }
  void step(const float* u, float* h, float* o) const {
    for (index_t i = 0; i < m; ++i) {
      o[i] = skip[static_cast<std::size_t>(i)] * u[i];
      for (index_t j = i * n; j < (i + 1) * n; ++j)
        o[i] += detail::turn(h + 2 * j, a[static_cast<std::size_t>(j)], read[static_cast<std::size_t>(j)], u[i]);
    }
  }
  index_t m, n;
  std::vector<float> skip;
  std::vector<detail::Complex> a, read;
};

/// All channels into n complex numbers, and out of them: h = e^(D A) h + (e^(D A) - 1) / A B u, o = 2 Re(C h) + d u; D = e^log_dt,
/// A = -e^a_re + i a_im                                                                                     S5, arXiv:2208.04933
/// Weights: `u` (m, d), `skip` (m), `log_dt`, `a_re`, `a_im` (n), `b_re`, `b_im` (n, m), `c_re`, `c_im` (m, n).
struct S5 {
  struct Config {
    index_t hidden_size = 0, size = 0, states = 0;  // m, n
  };
  S5(const Config& c, const Build& b)
      : m(c.size),
        n(c.states),
        skip(b.vector("skip", m)),
        b_re("b_re", n, m, b),
        b_im("b_im", n, m, b),
        c_re("c_re", m, n, b),
        c_im("c_im", m, n, b) {
    const auto dt = b.vector("log_dt", n), re = b.vector("a_re", n), im = b.vector("a_im", n);
    for (std::size_t j = 0; j < re.size(); ++j) {
      const detail::Complex rate(-std::exp(double{re[j]}), im[j]);
      a.push_back(std::exp(std::exp(double{dt[j]}) * rate));
      write.push_back((a.back() - 1.0) / rate);
    }
  }
  index_t state() const { return 2 * n; }
  index_t width() const { return m; }
  std::vector<LinearPart> parts() const { return {{"u", m}}; }
  void step(const float* u, float* h, float* o) const {
    for (index_t i = 0; i < m; ++i) o[i] = skip[static_cast<std::size_t>(i)] * u[i];
    for (index_t j = 0; j < n; ++j) {
      const auto in = write[static_cast<std::size_t>(j)] * detail::Complex(b_re.dot(j, u), b_im.dot(j, u));
      detail::turn(h + 2 * j, a[static_cast<std::size_t>(j)], 0, static_cast<float>(in.real()), static_cast<float>(in.imag()));
      for (index_t i = 0; i < m; ++i) o[i] += 2 * (c_re(i, j) * h[2 * j] - c_im(i, j) * h[2 * j + 1]);
    }
  }
  index_t m, n;
  std::vector<float> skip;
  SmallMatrix b_re, b_im, c_re, c_im;
  std::vector<detail::Complex> a, write;
};

/// o = sum_l w_l S_l^T q by head: S_0 holds this token, S_l the 2^(l-1) tokens of the past that a Fenwick tree puts into level l, the last
/// level what is older; all but S_0 decay by a; w = softplus(Ww x), a = exp(-softplus(Wa x))              log-linear attention,
/// arXiv:2506.04761 Weights: `q`, `k` (h n, d), `v` (h p, d), `a` (h, d), `w` (h levels, d).
struct LogLinear {
  struct Config : CellSize {
    index_t levels = 2;
  };
  LogLinear(const Config& c, const Build& b) : c(c) {
    if (c.levels < 2 || c.levels > 24) fail(b.path("w"), "2 to 24 levels", std::to_string(c.levels));
  }
  index_t state() const { return c.levels * c.num_heads * c.key_dim * c.value_dim + 1; }  // S by level, and the token's number
  index_t width() const { return c.num_heads * c.value_dim; }
  std::vector<LinearPart> parts() const {
    const index_t keys = c.num_heads * c.key_dim;
    return {{"q", keys}, {"k", keys}, {"v", width()}, {"a", c.num_heads}, {"w", c.num_heads * c.levels}};
  }
  void step(const float* x, float* s, float* o) const {
    const index_t n = c.key_dim, p = c.value_dim, keys = c.num_heads * n, all = keys * p, last = c.levels - 1;
    const auto t = static_cast<std::uint32_t>(s[c.levels * all]);
    const index_t into = t == 0 ? last : std::countr_zero(t) + 1;  // the level that the younger ones become
    s[c.levels * all] = static_cast<float>((t + 1) % (1U << (last - 1)));
    const float *const k = x + keys, *const v = k + keys, *const a = v + width(), *const w = a + c.num_heads;
    std::fill_n(o, width(), 0.0f);
    for (index_t i = 0; i < all; ++i) {
      const index_t h = i / (n * p), key = i / p, value = h * p + i % p;
      const float decay = std::exp(-softplus(a[h]));
      float sum = into == last ? s[last * all + i] : 0.0f, read = 0;
      for (index_t l = 0; l < into; ++l) sum += std::exchange(s[l * all + i], 0.0f);
      s[into * all + i] = sum;
      for (index_t l = into; l <= last; ++l) s[l * all + i] *= decay;
      s[i] = k[key] * v[value];
      for (index_t l = 0; l <= last; ++l) read += softplus(w[h * c.levels + l]) * s[l * all + i];
      o[value] += x[key] * read;
    }
  }
  Config c;
};

}  // namespace hw
