// Features against those of Hugging Face's extractor, transforms against the sum that defines them.

#include "headwise/audio/log_mel.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "headwise/audio/wav.hpp"
#include "headwise/core/error.hpp"
#include "headwise/io/json.hpp"

namespace {

using hw::index_t;
using Complex = std::complex<double>;
const std::string kReal = std::string(HEADWISE_TEST_DATA) + "/real/";

TEST(FourierTransform, IsItsSum) {
  for (const index_t n : {1, 2, 3, 5, 7, 12, 97, 121, 400, 512}) {
    std::vector<Complex> x(static_cast<std::size_t>(n)), y(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = {std::sin(1.7 * static_cast<double>(i * i)), std::cos(0.3 * static_cast<double>(i))};
    hw::FourierTransform transform(n);
    transform(x, y);
    for (std::size_t k = 0; k < x.size(); ++k) {
      Complex sum = 0;
      for (std::size_t j = 0; j < x.size(); ++j)
        sum += x[j] * std::polar(1.0, -2 * std::numbers::pi * static_cast<double>(j * k % x.size()) / static_cast<double>(n));
      ASSERT_LT(std::abs(sum - y[k]), 1e-9) << n << " " << k;
    }
  }
  EXPECT_THROW(hw::FourierTransform(0), hw::Error);
  std::vector<Complex> three(3), four(4);
  EXPECT_THROW(hw::FourierTransform(4)(three, four), hw::Error);
}

TEST(LogMel, IsWhatTheReferenceHears) {
  const hw::Json golden = hw::Json::read(kReal + "whisper.json");
  int clips = 0;
  for (const hw::Json clip : golden.at("clips").items()) {
    const hw::Sound sound = hw::read_wav(kReal + clip.get<std::string>("wav"));
    ASSERT_EQ(sound.rate, 16000);
    ASSERT_EQ(std::ssize(sound.samples), clip.get<index_t>("samples"));
    const std::vector<float> mel = hw::LogMel()(sound.samples, 3000);
    const hw::Json wanted = clip.at("mel");
    const auto expect_frame = [&](std::size_t frame, const std::vector<double>& values) {
      ASSERT_EQ(values.size(), 80u);
      for (std::size_t m = 0; m < 80; ++m) ASSERT_NEAR(mel[frame * 80 + m], values[m], 1e-4) << frame << " " << m;
    };
    const auto first = wanted.get<std::vector<std::vector<double>>>("frames0to3");
    ASSERT_EQ(first.size(), 4u);
    for (std::size_t t = 0; t < 4; ++t) expect_frame(t, first[t]);
    expect_frame(100, wanted.get<std::vector<double>>("frame100"));
    double sum = 0;
    for (const float v : mel) sum += v;
    EXPECT_NEAR(sum / static_cast<double>(mel.size()), wanted.get<double>("mean"), 1e-5);
    EXPECT_NEAR(*std::min_element(mel.begin(), mel.end()), wanted.get<double>("min"), 1e-5);
    EXPECT_NEAR(*std::max_element(mel.begin(), mel.end()), wanted.get<double>("max"), 1e-5);
    ++clips;
  }
  EXPECT_EQ(clips, 3);
}

TEST(LogMel, SilenceAndTheLengthAsked) {
  const hw::LogMel mel;
  const std::vector<float> silence(100);
  for (const float v : mel(silence, 5)) ASSERT_FLOAT_EQ(v, -1.5f);  // (-10 + 4) / 4
  std::vector<float> tone(4000);
  for (std::size_t i = 0; i < tone.size(); ++i) tone[i] = static_cast<float>(std::sin(0.2 * static_cast<double>(i)));
  // What lies beyond the frames asked for is cut off: an odd number of frames is as good as an even one.
  const auto cut = mel(tone, 9), same = mel(std::span(tone).first(9 * 160), 9);
  EXPECT_EQ(cut, same);
  EXPECT_EQ(cut.size(), 9u * 80u);
}

TEST(LogMel, RefusesWhatCannotBe) {
  using Config = hw::LogMel::Config;
  EXPECT_THROW(hw::LogMel(Config{.rate = 0}), hw::Error);
  EXPECT_THROW(hw::LogMel(Config{.window_size = 401}), hw::Error);
  EXPECT_THROW(hw::LogMel(Config{.hop_size = 0}), hw::Error);
  EXPECT_THROW(hw::LogMel(Config{.mels = 513}), hw::Error);
  const std::vector<float> samples(1000);
  EXPECT_THROW(hw::LogMel()(samples, 0), hw::Error);
  EXPECT_THROW(hw::LogMel()(samples, 1), hw::Error);  // 160 samples, and half a window is 200
}

}  // namespace
