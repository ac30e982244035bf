// The Fourier mixer against the definition of the transform.

#include "headwise/mixers/fourier.hpp"

#include <gtest/gtest.h>

#include <complex>
#include <numbers>

#include "headwise/headwise.hpp"

namespace {

using hw::index_t;

TEST(Fourier, IsTheRealPartOfBothTransforms) {
  for (const index_t d : {1, 6, 36})
    for (const int threads : {1, 3}) {
      hw::ThreadPool pool(threads);
      const hw::Build build(hw::RandomWeights{}, hw::kernels::table(), pool);
      const hw::Fourier mixer({d}, build);
      const std::vector<hw::RowRange> sequences{{0, 5}, {5, 6}, {6, 15}};
      hw::Tensor<float> x({15, d}), y({15, d});
      for (index_t i = 0; i < 15 * d; ++i) x.view().data[i] = std::sin(2.3f * static_cast<float>(i));
      const std::vector<index_t> index(15);
      hw::TokenSet tokens;
      tokens.sequences = sequences;
      tokens.index = index;
      hw::Arena arena;
      hw::Step step{pool, hw::kernels::table(), arena};
      const hw::Frame frame(step, tokens, {});
      mixer.forward({x.view(), frame}, y.view());
      for (const hw::RowRange rows : sequences)
        for (index_t a = 0; a < rows.size(); ++a)
          for (index_t b = 0; b < d; ++b) {
            std::complex<double> sum = 0;
            for (index_t i = 0; i < rows.size(); ++i)
              for (index_t j = 0; j < d; ++j) {
                const double turns = static_cast<double>(a * i) / static_cast<double>(rows.size()) + static_cast<double>(b * j) / static_cast<double>(d);
                sum += static_cast<double>(x.view()(rows.begin + i, j)) * std::polar(1.0, -2 * std::numbers::pi * turns);
              }
            EXPECT_NEAR(static_cast<double>(y.view()(rows.begin + a, b)), sum.real(), 1e-4);
          }
    }
}

}  // namespace
