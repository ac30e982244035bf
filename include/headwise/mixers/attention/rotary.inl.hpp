#pragma once
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numbers>

#include "headwise/mixers/attention/rotary.hpp"

namespace hw {
namespace detail {

inline void yarn_frequencies(const RotaryConfig& c, std::vector<double>& f) {
  const double dims = static_cast<double>(c.dims);
  // The (fractional) index of the pair that turns `turns` times within the original length.
  const auto pair_of = [&](double turns) {
    return dims * std::log(c.original_max_positions / (turns * 2 * std::numbers::pi)) / (2 * std::log(c.theta));
  };
  double low = pair_of(c.beta_fast), high = pair_of(c.beta_slow);
  if (c.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, dims - 1);
  if (low == high) high += 0.001;
  for (std::size_t i = 0; i < f.size(); ++i) {
    const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    f[i] = f[i] / c.factor * ramp + f[i] * (1 - ramp);
  }
}

inline void llama3_frequencies(const RotaryConfig& c, std::vector<double>& f) {
  const double longest = c.original_max_positions / c.low_freq_factor, shortest = c.original_max_positions / c.high_freq_factor;
  for (double& v : f) {
    const double wavelength = 2 * std::numbers::pi / v;
    if (wavelength > longest) {
      v /= c.factor;
    } else if (wavelength >= shortest) {
      const double smooth = (c.original_max_positions / wavelength - c.low_freq_factor) / (c.high_freq_factor - c.low_freq_factor);
      v = (1 - smooth) * v / c.factor + smooth * v;
    }
  }
}

}  // namespace detail

HEADWISE_LOAD_TIME std::vector<double> rotary_frequencies(const RotaryConfig& c, index_t total) {
  double theta = c.theta;
  const double dims = static_cast<double>(c.dims);
  if (c.scaling == RopeScaling::dynamic && rotary_regime(c, total) != 0)
    theta *= std::pow(c.factor * static_cast<double>(total) / c.original_max_positions - (c.factor - 1), dims / (dims - 2));
  std::vector<double> f(static_cast<std::size_t>(c.dims / 2));
  for (std::size_t i = 0; i < f.size(); ++i) f[i] = std::pow(theta, -2.0 * static_cast<double>(i) / dims);
  const bool is_long = c.scaling == RopeScaling::longrope && rotary_regime(c, total) != 0;
  const std::vector<float>& factors = is_long ? c.long_factors : c.frequency_factors;
  for (std::size_t i = 0; i < factors.size(); ++i) f[i] /= static_cast<double>(factors[i]);
  if (c.scaling == RopeScaling::linear)
    for (double& v : f) v /= c.factor;
  if (c.scaling == RopeScaling::yarn) detail::yarn_frequencies(c, f);
  if (c.scaling == RopeScaling::llama3) detail::llama3_frequencies(c, f);
  return f;
}

HEADWISE_LOAD_TIME double rotary_magnitude(const RotaryConfig& c) {
  if (c.scaling != RopeScaling::yarn && c.scaling != RopeScaling::longrope) return 1.0;
  if (c.attention_factor != 0) return c.attention_factor;
  if (c.scaling == RopeScaling::longrope)
    return c.factor <= 1 ? 1.0 : std::sqrt(1 + std::log(c.factor) / std::log(c.original_max_positions));
  const auto of = [&](double mscale) { return c.factor <= 1 ? 1.0 : 0.1 * mscale * std::log(c.factor) + 1.0; };
  return c.mscale != 0 && c.mscale_all_dim != 0 ? of(c.mscale) / of(c.mscale_all_dim) : of(1.0);
}

HEADWISE_LOAD_TIME void check_rotary(const RotaryConfig& c, index_t head_dim, std::string_view where) {
  if (c.dims < 2 || c.dims % 2 != 0 || c.dims > head_dim)
    fail(where, concat("an even number of rotary dimensions from 2 to the head_dim ", head_dim), std::to_string(c.dims));
  const auto positive = [&](double v, const char* name) {
    if (!(v > 0) || !(v < 1e30)) fail(where, concat("a positive ", name), concat(v));
  };
  positive(c.theta, "rope_theta");
  for (const auto* factors : {&c.frequency_factors, &c.long_factors}) {
    if (factors->empty()) continue;
    if (static_cast<index_t>(factors->size()) != c.dims / 2)
      fail(where, concat(c.dims / 2, " frequency factors (short_factor, long_factor, rope_freqs)"), std::to_string(factors->size()));
    for (const float v : *factors) positive(v, "frequency factor");
  }
  if (c.scaling == RopeScaling::none) return;
  positive(c.factor, "rope scaling factor");
  if (c.scaling == RopeScaling::linear) return;
  positive(c.original_max_positions, "original_max_position_embeddings");
  if (c.scaling == RopeScaling::longrope && (c.frequency_factors.empty() || c.long_factors.empty()))
    fail(where, "longrope needs factors for short and for long sequences");
  if (c.scaling == RopeScaling::longrope && c.original_max_positions <= 1)
    fail(where, "an original_max_position_embeddings above 1", concat(c.original_max_positions));
  if (c.scaling == RopeScaling::dynamic && c.dims == 2) fail(where, "dynamic rope needs more than 2 rotary dimensions");
  if (c.scaling == RopeScaling::yarn) {
    positive(c.beta_fast, "beta_fast");
    positive(c.beta_slow, "beta_slow");
    if (c.theta == 1.0) fail(where, "yarn needs a rope_theta other than 1");
  }
  if (c.scaling == RopeScaling::llama3) {
    positive(c.low_freq_factor, "low_freq_factor");
    positive(c.high_freq_factor, "high_freq_factor");
    if (c.low_freq_factor == c.high_freq_factor) fail(where, "low_freq_factor and high_freq_factor are equal");
  }
}

HEADWISE_INLINE int rotary_regime(const RotaryConfig& c, index_t total) {
  const bool changes = c.scaling == RopeScaling::dynamic || c.scaling == RopeScaling::longrope;
  if (!changes || static_cast<double>(total) <= c.original_max_positions) return 0;
  if (c.scaling == RopeScaling::longrope) return 1;
  return static_cast<int>(std::min<index_t>(total, std::numeric_limits<int>::max()));
}

HEADWISE_LOAD_TIME Slot rotary_stream(const RotaryConfig& c, const Build& b) {
  if (c.table_rows > 0) {
    const MatrixSource table = b.matrix("angles.weight", c.table_rows, c.dims);
    return b.step_stream(concat("rotary table ", table.key), c.dims, [table](const TokenSet& tokens, View out) {
      for (index_t t = 0; t < out.rows; ++t) {
        const auto p = std::lround(tokens.coord[static_cast<std::size_t>(t * tokens.axes)]);
        table.read_row(std::clamp<index_t>(p, 0, table.rows - 1), out.row(t));
        std::rotate(out.row(t), out.row(t) + table.cols / 2, out.row(t) + table.cols);
      }
    });
  }
  std::string key = "rotary";
  for (const double v :
       {static_cast<double>(c.dims), c.theta, static_cast<double>(c.scaling), c.factor, c.original_max_positions, c.attention_factor,
        c.beta_fast, c.beta_slow, c.mscale, c.mscale_all_dim, static_cast<double>(c.truncate), c.low_freq_factor, c.high_freq_factor})
    key += concat(" ", std::bit_cast<std::uint64_t>(v));
  for (const auto* factors : {&c.frequency_factors, &c.long_factors})
    for (const float v : *factors) key += concat(" ", std::bit_cast<std::uint32_t>(v));
  return b.step_stream(key, c.dims,
                       [c, usual = rotary_frequencies(c, 0), magnitude = rotary_magnitude(c)](const TokenSet& tokens, View out) {
                         const index_t n = c.dims / 2;
                         for (std::size_t s = 0; s < tokens.sequences.size(); ++s) {
                           std::vector<double> other;  // a sequence in another length regime has frequencies of its own
                           if (rotary_regime(c, tokens.total[s]) != 0) other = rotary_frequencies(c, tokens.total[s]);
                           const double* f = other.empty() ? usual.data() : other.data();
                           for (index_t t = tokens.sequences[s].begin; t < tokens.sequences[s].end; ++t) {
                             const double p = static_cast<double>(tokens.coord[static_cast<std::size_t>(t * tokens.axes)]);
                             for (index_t i = 0; i < n; ++i) {
                               out(t, i) = static_cast<float>(std::cos(p * f[i]) * magnitude);
                               out(t, n + i) = static_cast<float>(std::sin(p * f[i]) * magnitude);
                             }
                           }
                         }
                       });
}

}  // namespace hw
