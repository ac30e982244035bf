#pragma once
#include <algorithm>
#include <cmath>
#include <numbers>

#include "headwise/audio/log_mel.hpp"
#include "headwise/core/error.hpp"

namespace hw {
namespace detail {

// Slaney's scale: 3 mels for 200 Hz up to 1 kHz, then 27 for a factor of 6.4.
inline double mel_of(double hertz) { return hertz < 1000 ? hertz * 3 / 200 : 15 + 27 * std::log(hertz / 1000) / std::log(6.4); }
inline double hertz_of(double mel) { return mel < 15 ? mel * 200 / 3 : 1000 * std::pow(6.4, (mel - 15) / 27); }

inline const LogMel::Config& checked(const LogMel::Config& c) {
  const auto within = [](const char* what, index_t value, index_t low, index_t high) {
    if (value < low || value > high) fail(concat("LogMel: ", what), concat("from ", low, " to ", high), concat(value));
  };
  within("rate", c.rate, 1, 1 << 30);
  within("window_size", c.window_size, 2, 1 << 20);
  within("hop_size", c.hop_size, 1, 1 << 20);
  within("mels", c.mels, 1, 512);
  if (c.window_size % 2 != 0) fail("LogMel: window_size", "an even number", concat(c.window_size));
  return c;
}

}  // namespace detail

HEADWISE_LOAD_TIME FourierTransform::FourierTransform(index_t n) {
  if (n < 1 || n > 1 << 20) fail("FourierTransform", "a size from 1 to 2^20", concat(n));
  auto left = static_cast<std::size_t>(n);
  for (std::size_t p = 2; left > 1; ++p)
    for (; left % p == 0; left /= p) factors_.push_back(p);
  for (index_t k = 0; k < n; ++k)
    roots_.push_back(std::polar(1.0, -2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(n)));
}

// y = the transform of x[0], x[stride], ...: transforms of every p-th of these, then p of the results at a time.
HEADWISE_INLINE void FourierTransform::transform(const std::complex<double>* x, std::size_t stride, std::complex<double>* y, std::size_t n,
                                                 std::size_t factor, std::complex<double>* parts) const {
  if (n == 1) {
    *y = *x;
    return;
  }
  const std::size_t p = factors_[factor], m = n / p, all = roots_.size(), turn = all / n;
  for (std::size_t r = 0; r < p; ++r) transform(x + r * stride, stride * p, y + r * m, m, factor + 1, parts);
  for (std::size_t k = 0; k < m; ++k) {
    for (std::size_t r = 0; r < p; ++r) parts[r] = y[r * m + k];
    for (std::size_t q = 0; q < p; ++q) {
      std::complex<double> sum = parts[0];
      for (std::size_t r = 1; r < p; ++r) {
        const std::complex<double> root = roots_[r * (q * m + k) * turn % all], part = parts[r];
        sum += std::complex(part.real() * root.real() - part.imag() * root.imag(), part.real() * root.imag() + part.imag() * root.real());
      }
      y[q * m + k] = sum;
    }
  }
}

HEADWISE_INLINE void FourierTransform::operator()(std::span<const std::complex<double>> x, std::span<std::complex<double>> y) const {
  if (x.size() != roots_.size() || y.size() != roots_.size())
    fail("FourierTransform", concat(roots_.size(), " values"), concat(x.size(), " and ", y.size()));
  std::vector<std::complex<double>> parts(factors_.empty() ? 1 : factors_.back());  // the largest
  transform(x.data(), 1, y.data(), x.size(), 0, parts.data());
}

HEADWISE_LOAD_TIME LogMel::LogMel(const Config& c) : config_(detail::checked(c)), transform_(c.window_size) {
  const auto n = static_cast<double>(c.window_size), rate = static_cast<double>(c.rate);
  for (index_t i = 0; i < c.window_size; ++i) window_.push_back(0.5 - 0.5 * std::cos(2 * std::numbers::pi * static_cast<double>(i) / n));
  const double top = detail::mel_of(rate / 2), step = top / static_cast<double>(c.mels + 1);
  for (index_t m = 0; m < c.mels; ++m) {
    const double at = static_cast<double>(m), low = detail::hertz_of(at * step), middle = detail::hertz_of((at + 1) * step),
                 high = detail::hertz_of((at + 2) * step);
    Band band;
    for (index_t k = 0; k <= c.window_size / 2; ++k) {
      const double hertz = static_cast<double>(k) * rate / n;
      const double height = std::min((hertz - low) / (middle - low), (high - hertz) / (high - middle));
      if (height <= 0) continue;
      if (band.weights.empty()) band.begin = static_cast<std::size_t>(k);
      band.weights.push_back(height * 2 / (high - low));
    }
    bands_.push_back(std::move(band));
  }
}

HEADWISE_INLINE std::vector<float> LogMel::operator()(std::span<const float> samples, index_t frames) const {
  const index_t size = config_.window_size, half = size / 2, hop = config_.hop_size, mels = config_.mels;
  if (frames < 1 || frames > 1 << 24) fail("LogMel", "from 1 to 2^24 frames", concat(frames));
  const index_t n = frames * hop, given = std::min(n, std::ssize(samples));
  if (n <= half) fail("LogMel", concat("frames that hold more than ", half, " samples, half a window"), concat(n));
  const auto sample = [&](index_t i) {  // mirrored at both ends, which are not repeated
    i = i < 0 ? -i : i >= n ? 2 * (n - 1) - i : i;
    return i >= 0 && i < given ? static_cast<double>(samples[static_cast<std::size_t>(i)]) : 0.0;
  };
  // Two frames a transform: one as the real part, one as the imaginary.
  std::vector<std::complex<double>> x(static_cast<std::size_t>(size)), y(x.size());
  std::vector<double> power[2];
  for (auto& p : power) p.resize(static_cast<std::size_t>(half) + 1);
  std::vector<float> out(static_cast<std::size_t>(frames * mels));
  double most = -10;
  for (index_t t = 0; t < frames; t += 2) {
    for (index_t i = 0; i < size; ++i) {
      const double w = window_[static_cast<std::size_t>(i)];
      const double second = t + 1 < frames ? sample((t + 1) * hop + i - half) : 0.0;
      x[static_cast<std::size_t>(i)] = {w * sample(t * hop + i - half), w * second};
    }
    transform_(x, y);
    for (index_t k = 0; k <= half; ++k) {
      const auto a = y[static_cast<std::size_t>(k)], b = std::conj(y[static_cast<std::size_t>((size - k) % size)]);
      power[0][static_cast<std::size_t>(k)] = std::norm(a + b) / 4;
      power[1][static_cast<std::size_t>(k)] = std::norm(a - b) / 4;
    }
    for (index_t f = t; f < std::min(frames, t + 2); ++f)
      for (index_t m = 0; m < mels; ++m) {
        const Band& band = bands_[static_cast<std::size_t>(m)];
        double sum = 0;
        for (std::size_t k = 0; k < band.weights.size(); ++k) sum += band.weights[k] * power[f - t][band.begin + k];
        const double level = std::log10(std::max(sum, 1e-10));
        most = std::max(most, level);
        out[static_cast<std::size_t>(f * mels + m)] = static_cast<float>(level);
      }
  }
  for (float& v : out) v = (std::max(v, static_cast<float>(most - 8)) + 4) / 4;
  return out;
}

}  // namespace hw
