#pragma once
// Sound as samples: RIFF/WAVE files, and another sampling rate.

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "headwise/core/config.hpp"

namespace hw {

/// One channel; samples in [-1, 1], `rate` of them a second.
struct Sound {
  std::vector<float> samples{};
  index_t rate = 0;
};

/// Reads a .wav file: PCM of 8 (unsigned), 16, 24 or 32 bits, or IEEE float of 32 bits. Several channels become their mean; n bits of PCM
/// are divided by 2^(n - 1).          Multimedia Programming Interface and Data Specifications 1.0 (1991); WAVE_FORMAT_EXTENSIBLE (2001)
/// Errors: no such file; no RIFF/WAVE; chunks that go past the end (a cut file); no `fmt ` before `data`, or neither; another coding, more
/// than 64 channels, rates outside of [1000, 768000]; half a frame at the end; a float that is no number.
Sound read_wav(const std::string& path);
/// The same of bytes; `where`: what messages call them.
Sound parse_wav(std::span<const std::byte> bytes, std::string_view where);

/// The sound at `rate` samples a second: ceil(n rate / sound.rate) of them, by a windowed sinc of 32 zero crossings to each side, which
/// cuts off what the lower of the two rates cannot hold. At the same rate the samples stay as they are.
///                                                      J. O. Smith, Digital Audio Resampling (2002); Kaiser window of beta 9
/// Error: a rate outside of [1000, 768000].
Sound resample(Sound sound, index_t rate);

}  // namespace hw

#if HEADWISE_DEFINITIONS
#include "headwise/audio/wav.inl.hpp"
#endif
