#pragma once
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <numbers>

#include "headwise/audio/wav.hpp"
#include "headwise/core/error.hpp"
#include "headwise/io/mapped_file.hpp"

namespace hw {
namespace detail {

constexpr index_t kLowestRate = 1000, kHighestRate = 768000;

struct WavFormat {
  std::uint32_t coding = 0, channels = 0, rate = 0, block = 0, bits = 0;
};

// Little-endian, of 1 to 4 bytes.
inline std::uint32_t wav_number(std::span<const std::byte> bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) value |= static_cast<std::uint32_t>(bytes[i]) << 8 * i;
  return value;
}
inline std::string_view wav_tag(std::span<const std::byte> bytes) { return {reinterpret_cast<const char*>(bytes.data()), 4}; }

inline WavFormat wav_format(std::span<const std::byte> chunk, std::string_view where) {
  constexpr std::uint32_t kPcm = 1, kFloat = 3, kExtensible = 0xFFFE;
  if (chunk.size() < 16) fail(where, "a chunk 'fmt ' of at least 16 bytes", concat(chunk.size()));
  const auto number = [&](std::size_t at, std::size_t size) { return wav_number(chunk.subspan(at, size)); };
  WavFormat f{number(0, 2), number(2, 2), number(4, 4), number(12, 2), number(14, 2)};
  if (f.coding == kExtensible) {  // the coding proper is where the subformat begins
    if (chunk.size() < 40) fail(where, "a chunk 'fmt ' of 40 bytes for an extensible format", concat(chunk.size()));
    f.coding = number(24, 2);
  }
  const bool pcm = f.coding == kPcm && (f.bits == 8 || f.bits == 16 || f.bits == 24 || f.bits == 32);
  if (!pcm && !(f.coding == kFloat && f.bits == 32))
    fail(where, "PCM (1) of 8, 16, 24 or 32 bits, or float (3) of 32", concat("coding ", f.coding, " of ", f.bits, " bits"));
  if (f.channels < 1 || f.channels > 64) fail(where, "from 1 to 64 channels", concat(f.channels));
  if (f.rate < kLowestRate || f.rate > kHighestRate)
    fail(where, concat("from ", kLowestRate, " to ", kHighestRate, " samples a second"), concat(f.rate));
  if (f.block != f.channels * f.bits / 8)
    fail(where, concat(f.channels * f.bits / 8, " bytes for the samples of all channels"), concat(f.block));
  return f;
}

inline float wav_sample(std::span<const std::byte> bytes, const WavFormat& f) {
  const std::uint32_t raw = wav_number(bytes);
  if (f.coding == 3) return std::bit_cast<float>(raw);
  if (f.bits == 8) return (static_cast<float>(raw) - 128.0f) / 128.0f;
  return static_cast<float>(static_cast<double>(static_cast<std::int32_t>(raw << (32 - f.bits))) / 2147483648.0);
}

inline Sound wav_samples(std::span<const std::byte> data, const WavFormat& f, std::string_view where) {
  if (data.size() % f.block != 0)
    fail(where, concat("whole frames of ", f.block, " bytes in the chunk 'data'"), concat(data.size(), " bytes"));
  Sound out{std::vector<float>(data.size() / f.block), static_cast<index_t>(f.rate)};
  const std::size_t size = f.bits / 8;
  for (std::size_t i = 0; i < out.samples.size(); ++i) {
    float sum = 0;
    for (std::size_t channel = 0; channel < f.channels; ++channel) sum += wav_sample(data.subspan(i * f.block + channel * size, size), f);
    out.samples[i] = sum / static_cast<float>(f.channels);
    if (!std::isfinite(out.samples[i])) fail(where, concat("sample ", i, " is no number"));
  }
  return out;
}

// sin(pi u) / (pi u), under a Kaiser window that ends at u = kCrossings; read between the places of a table.
class WindowedSinc {
 public:
  static constexpr int kCrossings = 32;

  WindowedSinc() : table_(static_cast<std::size_t>(kCrossings * kSteps + 2), 0.0) {
    for (int i = 0; i < kCrossings * kSteps; ++i) {
      const double u = static_cast<double>(i) / kSteps, x = std::numbers::pi * u, edge = u / kCrossings;
      table_[static_cast<std::size_t>(i)] = (i == 0 ? 1.0 : std::sin(x) / x) * bessel(kBeta * std::sqrt(1 - edge * edge)) / bessel(kBeta);
    }
  }
  double operator()(double u) const {
    const double at = std::min(std::abs(u), static_cast<double>(kCrossings)) * kSteps;
    const auto i = static_cast<std::size_t>(at);
    return table_[i] + (at - static_cast<double>(i)) * (table_[i + 1] - table_[i]);
  }

 private:
  static constexpr int kSteps = 512;
  static constexpr double kBeta = 9;
  // I_0 by its series.
  static double bessel(double x) {
    double sum = 1, term = 1;
    for (int k = 1; k < 64; ++k) sum += term *= x * x / (4.0 * k * k);
    return sum;
  }
  std::vector<double> table_;
};

}  // namespace detail

HEADWISE_LOAD_TIME Sound parse_wav(std::span<const std::byte> bytes, std::string_view where) {
  using namespace detail;
  if (bytes.size() < 12 || wav_tag(bytes) != "RIFF" || wav_tag(bytes.subspan(8)) != "WAVE")
    fail(where, "a WAV file (RIFF, WAVE)", bytes.size() < 12 ? concat(bytes.size(), " bytes") : "another beginning");
  WavFormat format;
  for (std::size_t at = 12; bytes.size() - at >= 8;) {
    const std::string_view tag = wav_tag(bytes.subspan(at));
    const std::size_t size = wav_number(bytes.subspan(at + 4, 4)), left = bytes.size() - at - 8;
    if (size > left) fail(where, concat(size, " bytes in the chunk ", quoted(tag)), concat(left, ": the file is cut"));
    const auto chunk = bytes.subspan(at + 8, size);
    if (tag == "fmt ") format = wav_format(chunk, where);
    if (tag == "data") {
      if (format.block == 0) fail(where, "a chunk 'fmt ' before the chunk 'data'", "none");
      return wav_samples(chunk, format, where);
    }
    at += 8 + std::min(size + size % 2, left);  // chunks begin at even places
  }
  fail(where, "a chunk 'data'", "none");
}

HEADWISE_LOAD_TIME Sound read_wav(const std::string& path) {
  const MappedFile file = MappedFile::open(path, MappedFile::Access::copy);
  return parse_wav(file.bytes(), quoted(path, 200));
}

HEADWISE_LOAD_TIME Sound resample(Sound sound, index_t rate) {
  for (const index_t r : {sound.rate, rate})
    if (r < detail::kLowestRate || r > detail::kHighestRate)
      fail("resample", concat("from ", detail::kLowestRate, " to ", detail::kHighestRate, " samples a second"), concat(r));
  if (sound.rate == rate) return sound;
  const auto n = std::ssize(sound.samples);
  const detail::WindowedSinc kernel;
  const double ratio = static_cast<double>(sound.rate) / static_cast<double>(rate), cutoff = std::min(1.0, 1 / ratio);
  const double reach = detail::WindowedSinc::kCrossings / cutoff;
  Sound out{std::vector<float>(static_cast<std::size_t>((n * rate + sound.rate - 1) / sound.rate)), rate};
  for (std::size_t i = 0; i < out.samples.size(); ++i) {
    const double centre = static_cast<double>(i) * ratio;
    const auto begin = static_cast<index_t>(std::ceil(centre - reach)), end = static_cast<index_t>(std::floor(centre + reach)) + 1;
    double sum = 0, weights = 0;
    for (index_t j = begin; j < end; ++j) {
      const double weight = kernel((static_cast<double>(j) - centre) * cutoff);
      weights += weight;
      if (j >= 0 && j < n) sum += weight * static_cast<double>(sound.samples[static_cast<std::size_t>(j)]);
    }
    out.samples[i] = static_cast<float>(sum / weights);
  }
  return out;
}

}  // namespace hw
