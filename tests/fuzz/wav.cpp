// A .wav file, brought to Whisper's rate.

#include <cmath>
#include <span>

#include "headwise/audio/wav.hpp"
#include "tests/fuzz/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::lawful([&] {
    hw::Sound sound = hw::parse_wav(std::as_bytes(std::span(data, size)), "a.wav");
    for (const float x : sound.samples)
      if (!std::isfinite(x)) fuzz::broken("samples are numbers");
    const std::size_t n = sound.samples.size(), rate = static_cast<std::size_t>(sound.rate);
    const hw::Sound heard = hw::resample(std::move(sound), 16000);
    if (heard.samples.size() != (n * 16000 + rate - 1) / rate) fuzz::broken("ceil(n rate / sound.rate) samples");
  });
  return 0;
}
