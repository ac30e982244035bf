#pragma once
// Rotary position embedding: frequencies, and the scalings that published checkpoints use.

#include <string>
#include <vector>

#include "headwise/flow/build.hpp"
#include "headwise/kernels/elementwise.hpp"

namespace hw {

/// How frequencies are stretched beyond the length a model was trained on; names and fields as in config.json.
enum class RopeScaling : std::uint8_t { none, linear, dynamic, yarn, llama3, longrope };

/// Angle of pair i at position p: p * f_i, f_i = theta^(-2i / dims), scaled:               RoPE, arXiv:2104.09864
///
///   linear   f_i / factor                                                                 arXiv:2306.15595
///   dynamic  theta' = theta (factor n / max - (factor - 1))^(dims / (dims - 2)) once a sequence has n > max tokens
///   yarn     f_i / factor where a pair turns less than beta_slow times in the original length, f_i where more than beta_fast
///            times, a linear ramp over i between; cos and sin times the attention factor  arXiv:2309.00071
///   llama3   f_i / factor for wavelengths above original / low, f_i below original / high, blended between
///   longrope f_i / frequency_factors_i, and f_i / long_factors_i once a sequence has more than the original number of tokens; cos and
///            sin times the attention factor                                              arXiv:2402.13753
struct RotaryConfig {
  index_t dims = 0;  // coordinates of a head that rotate: the first `dims`
  double theta = 10000.0;
  kernels::RopePairs pairs = kernels::RopePairs::halves;
  RopeScaling scaling = RopeScaling::none;
  double factor = 1.0;
  double original_max_positions = 0;
  double attention_factor = 0;  // yarn: 0 means 0.1 ln(factor) + 1; longrope: 0 means sqrt(1 + ln(factor) / ln(original))
  double beta_fast = 32, beta_slow = 1;
  double mscale = 0, mscale_all_dim = 0;
  bool truncate = true;  // yarn: the ends of the ramp are whole numbers
  double low_freq_factor = 1, high_freq_factor = 4;
  std::vector<float> frequency_factors{};  // f_i is divided by the i-th, where there are any (dims / 2)
  index_t table_rows = 0;                  // above 0: sin and cos are read from the file, `angles.weight` (table_rows, dims), sin first
  std::vector<float> long_factors{};       // longrope: those of long sequences

  friend bool operator==(const RotaryConfig&, const RotaryConfig&) = default;
};

/// The frequencies f_i for a sequence of `total` tokens. Errors: none; check_rotary has been here.
std::vector<double> rotary_frequencies(const RotaryConfig& c, index_t total);

/// What cos and sin are multiplied by.
double rotary_magnitude(const RotaryConfig& c);

/// Errors: dims odd, not positive or above head_dim; factor, theta or lengths that give no finite frequency.
void check_rotary(const RotaryConfig& c, index_t head_dim, std::string_view where);

/// 0 while a sequence's frequencies are those of a short one; above, its length where dynamic scaling changes with every token, or 1.
int rotary_regime(const RotaryConfig& c, index_t total);

/// The stream of a step's angles, (t, dims): cos in the first half of a row, sin in the second. Equal configs share one. Where they are
/// a table of the file, positions behind its end read the last row.
Slot rotary_stream(const RotaryConfig& c, const Build& b);

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/mixers/attention/rotary.inl.hpp"
#endif
