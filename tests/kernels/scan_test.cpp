#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "headwise/kernels/ref/scan.hpp"
#include "headwise/kernels/target.hpp"

namespace {

using namespace hw;
using namespace hw::kernels;

std::vector<float> draw(index_t n, unsigned seed, float low, float high) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(low, high);
  std::vector<float> out(static_cast<std::size_t>(n));
  for (float& x : out) x = uniform(random);
  return out;
}

// Everything that a scan of `tokens` reads, drawn; rows lie further apart than they are wide.
struct Drawn {
  Drawn(index_t tokens, index_t keys, index_t values, Decay kind, bool delta)
      : tokens(tokens), keys(keys), values(values), kind(kind), delta(delta), q(draw(tokens * (keys + 3), 1, -1, 1)),
        k(draw(tokens * (keys + 1), 2, -0.4f, 0.4f)), v(draw(tokens * (values + 2), 3, -1, 1)), beta(draw(tokens, 4, 0, 1)),
        factors(draw(tokens * (keys + values), 5, kind == Decay::cell ? 0.01f : 0.5f, 1)), rates(draw(keys * stride(), 6, -2, -0.1f)),
        state(draw(keys * stride(), 7, -1, 1)) {}

  index_t stride() const { return values + 5; }
  // Tokens [first, last), columns [left, right).
  Scan scan(index_t first, index_t last, index_t left, index_t right, const float* from, float* to, float* out) const {
    const bool by_column = kind == Decay::value || kind == Decay::cell;
    return {.tokens = last - first, .keys = keys, .values = right - left, .q = &q[0] + first * (keys + 3), .k = &k[0] + first * (keys + 1),
            .v = &v[0] + first * (values + 2) + left, .q_stride = keys + 3, .k_stride = keys + 1, .v_stride = values + 2, .kind = kind,
            .decay = &factors[0] + first * (keys + values) + (by_column ? left : 0), .decay_stride = keys + values, .rates = &rates[0] + left,
            .beta = delta ? &beta[0] + first : nullptr, .beta_stride = 1, .from = from + left, .to = to + left, .state_stride = stride(),
            .out = out + first * values + left, .out_stride = values};
  }

  index_t tokens, keys, values;
  Decay kind;
  bool delta;
  std::vector<float> q, k, v, beta, factors, rates, state;
};

class ScanTest : public testing::TestWithParam<Target> {};

TEST_P(ScanTest, EqualsThePlainLoopAndMayBeCutAnywhere) {
  const ScanKernels& kernels = scan_kernels(GetParam());
  for (const Decay kind : {Decay::none, Decay::token, Decay::key, Decay::value, Decay::cell})
    for (const bool delta : {false, true})
      for (const auto& [keys, values] : {std::pair<index_t, index_t>(1, 5), {8, 16}, {11, 33}, {64, 64}, {3, 1}, {16, 47}}) {
        constexpr index_t kTokens = 37;
        SCOPED_TRACE(testing::Message() << "decay " << static_cast<int>(kind) << " delta " << delta << " " << keys << " x " << values);
        const Drawn d(kTokens, keys, values, kind, delta);
        const auto size = static_cast<std::size_t>(kTokens * values);
        std::vector<float> expected(size), whole(size), cut(size), to(d.state.size()), end(d.state.size()), reference(d.state.size());
        ref::scan(d.scan(0, kTokens, 0, values, d.state.data(), reference.data(), expected.data()));
        kernels.scan(d.scan(0, kTokens, 0, values, d.state.data(), end.data(), whole.data()));
        for (std::size_t i = 0; i < size; ++i) ASSERT_NEAR(whole[i], expected[i], 2e-4 * (1 + std::fabs(expected[i]))) << i;
        for (index_t i = 0; i < keys; ++i)
          for (index_t c = 0; c < values; ++c) {
            const auto at = static_cast<std::size_t>(i * d.stride() + c);
            ASSERT_NEAR(end[at], reference[at], 2e-4 * (1 + std::fabs(reference[at])));
          }
        // In steps, and in ranges of columns: the same bits.
        std::vector<float> from = d.state;
        index_t first = 0;
        for (const index_t last : {1, 2, 3, 10, 26, 37}) {
          const index_t middle = values / 3;
          kernels.scan(d.scan(first, last, 0, middle, from.data(), to.data(), cut.data()));
          kernels.scan(d.scan(first, last, middle, values, from.data(), to.data(), cut.data()));
          std::swap(from, to);
          first = last;
        }
        ASSERT_EQ(cut, whole);
        for (index_t i = 0; i < keys; ++i)
          for (index_t c = 0; c < values; ++c)
            ASSERT_EQ(from[static_cast<std::size_t>(i * d.stride() + c)], end[static_cast<std::size_t>(i * d.stride() + c)]);
      }
}

TEST_P(ScanTest, ConvolutionEqualsThePlainLoop) {
  const ScanKernels& kernels = scan_kernels(GetParam());
  for (const index_t channels : {1, 7, 16, 50})
    for (const index_t taps : {1, 3, 4})
      for (const bool biased : {false, true}) {
        constexpr index_t kTokens = 9;
        const auto x = draw(kTokens * (channels + 2), 1, -1, 1), tail = draw((taps - 1) * channels, 2, -1, 1),
                   weight = draw(taps * channels, 3, -1, 1), bias = draw(channels, 4, -1, 1);
        std::vector<float> y(static_cast<std::size_t>(kTokens * channels)), expected = y;
        const CausalConvolution call{.first = 0, .last = kTokens, .channels = channels, .taps = taps, .tail = tail.data(), .x = x.data(),
                                     .x_stride = channels + 2, .weight = weight.data(), .bias = biased ? bias.data() : nullptr, .y = y.data(),
                                     .y_stride = channels};
        CausalConvolution plain = call;
        plain.y = expected.data();
        ref::convolve(plain);
        for (const auto& [first, last] : {std::pair<index_t, index_t>(4, kTokens), {0, 4}}) {
          CausalConvolution part = call;
          part.first = first, part.last = last;
          kernels.convolve(part);
        }
        for (std::size_t i = 0; i < y.size(); ++i) ASSERT_NEAR(y[i], expected[i], 1e-5f);
      }
}

INSTANTIATE_TEST_SUITE_P(Targets, ScanTest, testing::ValuesIn(supported_targets()),
                         [](const auto& info) { return std::string(name_of(info.param)); });

}  // namespace
