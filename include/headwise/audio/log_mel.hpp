#pragma once
// Log-mel features: what models of speech hear.

#include <complex>
#include <span>
#include <vector>

#include "headwise/core/config.hpp"

namespace hw {

/// X[k] = sum_j x[j] exp(-2 pi i j k / n), for any n: n = p_1 p_2 ... takes n (p_1 + p_2 + ...) multiplications.
///                                                                                                    Cooley and Tukey, 1965
class FourierTransform {
 public:
  /// Error: n outside of [1, 2^20].
  explicit FourierTransform(index_t n);
  /// Shapes: x (n), y (n), not aliased.
  void operator()(std::span<const std::complex<double>> x, std::span<std::complex<double>> y) const;

 private:
  void transform(const std::complex<double>* x, std::size_t stride, std::complex<double>* y, std::size_t n, std::size_t factor,
                 std::complex<double>* parts) const;
  std::vector<std::size_t> factors_;
  std::vector<std::complex<double>> roots_;  // exp(-2 pi i k / n)
};

/// y[t, m] = (max(l[t, m], max l - 8) + 4) / 4,  l = log10 max(F |S|^2, 1e-10)                          Whisper, arXiv:2212.04356
///
/// S[t] is the Fourier transform of `window_size` samples around t hop_size under a periodic Hann window; sound goes on beyond its ends
/// as its mirror image. F: `mels` triangles of equal width on Slaney's mel scale (linear below 1 kHz, logarithmic above) from 0 to half the
/// rate, of area 1.
class LogMel {
 public:
  struct Config {
    index_t rate = 16000;  // samples a second
    index_t window_size = 400;
    index_t hop_size = 160;
    index_t mels = 80;
  };

  /// Errors: a rate, window or hop that is not above 0; an odd window, or one above 2^20; less than one or more than 512 mels.
  explicit LogMel(const Config& config);
  LogMel() : LogMel(Config()) {}

  /// The features of `frames` hops, (frames, mels), row by row: of the samples, cut to that length or continued with silence. The maximum
  /// is that of all frames. Error: frames outside of [1, 2^24], or so few that there are fewer samples than half a window.
  std::vector<float> operator()(std::span<const float> samples, index_t frames) const;

  const Config& config() const noexcept { return config_; }

 private:
  struct Band {
    std::size_t begin = 0;          // the first frequency of a triangle
    std::vector<double> weights{};  // and its weights from there on
  };
  Config config_;
  FourierTransform transform_;
  std::vector<double> window_;
  std::vector<Band> bands_;
};

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/audio/log_mel.inl.hpp"
#endif
