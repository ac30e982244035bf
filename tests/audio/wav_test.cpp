// Files built byte by byte, what is wrong with others, and tones at another rate.

#include "headwise/audio/wav.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <numbers>

#include "headwise/core/error.hpp"

namespace {

using hw::index_t;

std::string number(std::uint32_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> 8 * i & 255);
  return out;
}
std::string chunk(const std::string& tag, const std::string& body) {
  return tag + number(static_cast<std::uint32_t>(body.size()), 4) + body + std::string(body.size() % 2, '\0');
}
std::string format(std::uint32_t coding, std::uint32_t channels, std::uint32_t rate, std::uint32_t bits) {
  const std::uint32_t block = channels * bits / 8;
  return number(coding, 2) + number(channels, 2) + number(rate, 4) + number(rate * block, 4) + number(block, 2) + number(bits, 2);
}
std::string riff(const std::string& chunks) { return chunk("RIFF", "WAVE" + chunks); }
hw::Sound parse(const std::string& file) { return hw::parse_wav(std::as_bytes(std::span(file.data(), file.size())), "a.wav"); }
std::string message(const std::string& file) {
  try {
    parse(file);
  } catch (const hw::Error& e) {
    return e.what();
  }
  return "no error";
}

TEST(Wav, ReadsEveryCoding) {
  const auto one = [](std::uint32_t coding, std::uint32_t bits, const std::string& data) {
    return parse(riff(chunk("fmt ", format(coding, 1, 8000, bits)) + chunk("data", data))).samples;
  };
  using Samples = std::vector<float>;
  EXPECT_EQ(one(1, 8, number(0, 1) + number(128, 1) + number(192, 1)), (Samples{-1, 0, 0.5}));
  EXPECT_EQ(one(1, 16, number(0x8000, 2) + number(0x4000, 2) + number(0xFFFF, 2)), (Samples{-1, 0.5, -1.0f / 32768}));
  EXPECT_EQ(one(1, 24, number(0x800000, 3) + number(0x400000, 3) + number(0xFFFFFF, 3)), (Samples{-1, 0.5, -1.0f / 8388608}));
  EXPECT_EQ(one(1, 32, number(0x80000000, 4) + number(0x20000000, 4)), (Samples{-1, 0.25}));
  EXPECT_EQ(one(3, 32, number(std::bit_cast<std::uint32_t>(-0.375f), 4)), (Samples{-0.375f}));
  EXPECT_TRUE(one(1, 16, "").empty());
}

TEST(Wav, MixesChannelsAndPassesOverOtherChunks) {
  const std::string extensible =
      format(0xFFFE, 2, 44100, 16) + number(22, 2) + number(16, 2) + number(3, 4) + number(1, 2) + std::string(14, 'x');
  const hw::Sound sound = parse(riff(chunk("LIST", "odd") + chunk("fmt ", extensible) + chunk("fact", "1234") +
                                     chunk("data", number(0x4000, 2) + number(0, 2) + number(0x8000, 2) + number(0x8000, 2))));
  EXPECT_EQ(sound.rate, 44100);
  EXPECT_EQ(sound.samples, (std::vector<float>{0.25, -1}));
}

TEST(Wav, RefusesWhatIsWrong) {
  const auto expect = [](const std::string& file, const char* part) {
    EXPECT_NE(message(file).find(part), std::string::npos) << message(file);
    EXPECT_TRUE(message(file).starts_with("a.wav"));
  };
  const std::string fmt = chunk("fmt ", format(1, 1, 16000, 16)), good = riff(fmt + chunk("data", "abcd"));
  EXPECT_EQ(message(good), "no error");
  for (std::size_t n = 0; n < good.size(); ++n) EXPECT_NE(message(good.substr(0, n)), "no error") << n;  // cut anywhere
  expect(good.substr(0, good.size() - 1), "the file is cut");
  expect("", "0 bytes");
  expect("RIFX" + good.substr(4), "another beginning");
  expect(riff(fmt), "a chunk 'data'");
  expect(riff(chunk("data", "abcd") + fmt), "before the chunk 'data'");
  expect(riff(chunk("fmt ", "short") + chunk("data", "")), "at least 16 bytes");
  expect(riff(chunk("fmt ", format(2, 1, 16000, 4)) + chunk("data", "")), "coding 2 of 4 bits");
  expect(riff(chunk("fmt ", format(1, 1, 16000, 12)) + chunk("data", "")), "coding 1 of 12 bits");
  expect(riff(chunk("fmt ", format(3, 1, 16000, 64)) + chunk("data", "")), "coding 3 of 64 bits");
  expect(riff(chunk("fmt ", format(0xFFFE, 1, 16000, 16)) + chunk("data", "")), "40 bytes");
  expect(riff(chunk("fmt ", format(1, 0, 16000, 16)) + chunk("data", "")), "64 channels, found 0");
  expect(riff(chunk("fmt ", format(1, 65, 16000, 16)) + chunk("data", "")), "64 channels, found 65");
  expect(riff(chunk("fmt ", format(1, 1, 0, 16)) + chunk("data", "")), "samples a second, found 0");
  expect(riff(chunk("fmt ", format(1, 1, 0xFFFFFFFF, 16)) + chunk("data", "")), "found 4294967295");
  std::string block = format(1, 2, 16000, 16);
  block[12] = 3;
  expect(riff(chunk("fmt ", block) + chunk("data", "")), "expected 4 bytes");
  expect(riff(fmt + chunk("data", "abc")), "whole frames of 2 bytes");
  expect(riff(fmt + "data" + number(0xFFFFFFFF, 4) + "abcd"), "4294967295 bytes");
  expect(riff(chunk("fmt ", format(3, 1, 16000, 32)) + chunk("data", number(0x7FC00000, 4))), "sample 0 is no number");
  EXPECT_THROW(hw::read_wav(std::string(HEADWISE_TEST_DATA) + "/no.wav"), hw::Error);
}

// A tone of so many hertz.
std::vector<float> tone(double hertz, index_t rate, std::size_t n) {
  std::vector<float> out(n);
  for (std::size_t i = 0; i < n; ++i)
    out[i] = static_cast<float>(0.8 * std::sin(2 * std::numbers::pi * hertz * static_cast<double>(i) / static_cast<double>(rate) + 0.4));
  return out;
}

TEST(Resample, KeepsTonesBelowAndRemovesThoseAboveTheLowerRate) {
  for (const index_t from : {8000, 16000, 22050, 44100, 48000, 44101})
    for (const double hertz : {100.0, 1000.0, 3000.0}) {
      const auto n = static_cast<std::size_t>(from / 2);
      const hw::Sound sound = hw::resample({tone(hertz, from, n), from}, 16000);
      ASSERT_EQ(sound.rate, 16000);
      ASSERT_EQ(std::ssize(sound.samples), 8000);
      const auto expected = tone(hertz, 16000, 8000);
      for (std::size_t i = 200; i < 7800; ++i) ASSERT_NEAR(sound.samples[i], expected[i], 2e-4) << from << " " << hertz << " " << i;
    }
  const hw::Sound high = hw::resample({tone(12000, 48000, 24000), 48000}, 16000);  // would be heard as 4000 Hz
  for (std::size_t i = 200; i < 7800; ++i) ASSERT_LT(std::abs(high.samples[i]), 1e-3f) << i;
}

TEST(Resample, SameRateEmptyAndRefused) {
  const std::vector<float> x = tone(440, 16000, 100);
  EXPECT_EQ(hw::resample({x, 16000}, 16000).samples, x);
  EXPECT_TRUE(hw::resample({{}, 8000}, 16000).samples.empty());
  EXPECT_EQ(hw::resample({{1.0f}, 16000}, 8000).samples.size(), 1u);
  EXPECT_THROW(hw::resample({x, 0}, 16000), hw::Error);
  EXPECT_THROW(hw::resample({x, 16000}, 999), hw::Error);
}

}  // namespace
