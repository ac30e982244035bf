#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "headwise/kernels/ref/elementwise.hpp"
#include "headwise/kernels/table.hpp"

namespace {

using namespace hw;
using namespace hw::kernels;

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
const index_t kWidths[] = {1, 2, 3, 5, 8, 15, 16, 17, 31, 33, 64, 65, 100, 127, 128, 576, 1537};

// t rows of d random floats, `stride` apart, in memory that starts `offset` floats after an aligned address; gaps hold a guard value.
struct Rows {
  static constexpr float kGuard = 1234.5f;
  Rows(index_t t, index_t d, index_t stride, int offset, unsigned seed, float spread = 3.0f)
      : t(t), d(d), stride(stride), memory(static_cast<std::size_t>(offset + t * stride + 1), kGuard), offset(offset) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0.3f, spread);
    for (index_t i = 0; i < t; ++i)
      for (index_t j = 0; j < d; ++j) row(i)[j] = normal(random);
  }
  float* data() { return memory.data() + offset; }
  float* row(index_t i) { return data() + i * stride; }
  void expect_guards() {
    for (index_t i = 0; i < t; ++i)
      for (index_t j = d; j < stride; ++j) ASSERT_EQ(row(i)[j], kGuard) << "row " << i << " column " << j;
    ASSERT_EQ(memory.back(), kGuard);
  }
  index_t t, d, stride;
  std::vector<float> memory;
  int offset;
};

class Elementwise : public testing::TestWithParam<Target> {
 protected:
  const ElementwiseKernels& k = table(GetParam()).elementwise;
};

// Runs `kernel(x, x_stride, t, d, y, y_stride)` on aligned, unaligned and strided rows, in place and not, and compares each row with
// `oracle(x, d, y)`; and each row alone with the same row among others, bit for bit.
template <class Kernel, class Oracle>
void check_rows(double tolerance, Kernel kernel, Oracle oracle) {
  for (const index_t d : kWidths) {
    for (const int offset : {0, 1, 3}) {
      const index_t stride = d + offset * 2;
      Rows x(5, d, stride, offset, static_cast<unsigned>(d)), y(5, d, stride + 1, offset, 7);
      kernel(x.data(), x.stride, x.t, d, y.data(), y.stride);
      x.expect_guards(), y.expect_guards();
      std::vector<double> expected(static_cast<std::size_t>(d));
      for (index_t i = 0; i < x.t; ++i) {
        oracle(x.row(i), d, expected.data());
        double most = 0;
        for (const double v : expected) most = std::max(most, std::fabs(v));
        for (index_t j = 0; j < d; ++j)
          ASSERT_NEAR(y.row(i)[j], expected[static_cast<std::size_t>(j)], tolerance * most) << "d " << d << " row " << i << " column " << j;
        std::vector<float> alone(static_cast<std::size_t>(d));
        kernel(x.row(i), 0, 1, d, alone.data(), 0);
        ASSERT_EQ(std::memcmp(alone.data(), y.row(i), alone.size() * sizeof(float)), 0) << "d " << d;
      }
      Rows z = x;
      kernel(z.data(), z.stride, z.t, d, z.data(), z.stride);
      for (index_t i = 0; i < x.t; ++i)
        ASSERT_EQ(std::memcmp(z.row(i), y.row(i), static_cast<std::size_t>(d) * 4), 0) << "in place, d " << d;
      kernel(x.data(), x.stride, 0, d, y.data(), y.stride);  // no rows: nothing happens
    }
  }
}

TEST_P(Elementwise, RmsNorm) {
  Rows w(1, 2000, 2000, 1, 99);
  for (const float* weight : {static_cast<const float*>(w.data()), static_cast<const float*>(nullptr)})
    check_rows(
        1e-6, [&](auto x, auto xs, auto t, auto d, auto y, auto ys) { k.rms_norm(x, xs, t, d, weight, 1e-5f, y, ys); },
        [&](auto x, auto d, auto y) { ref::rms_norm(x, d, weight, 1e-5f, y); });
}

TEST_P(Elementwise, LayerNorm) {
  Rows w(1, 2000, 2000, 1, 99), b(1, 2000, 2000, 3, 98);
  for (int which = 0; which < 4; ++which) {
    const float* weight = which & 1 ? w.data() : nullptr;
    const float* bias = which & 2 ? b.data() : nullptr;
    check_rows(
        2e-6, [&](auto x, auto xs, auto t, auto d, auto y, auto ys) { k.layer_norm(x, xs, t, d, weight, bias, 1e-3f, y, ys); },
        [&](auto x, auto d, auto y) { ref::layer_norm(x, d, weight, bias, 1e-3f, y); });
  }
}

// What the header says of sums: against double, relative to the root of the mean square.
TEST_P(Elementwise, NormsOfLongRowsStayNearDouble) {
  const index_t d = 16384;
  Rows x(4, d, d, 0, 5), y(4, d, d, 0, 6);
  std::vector<double> expected(d);
  double worst = 0;
  k.rms_norm(x.data(), d, 4, d, nullptr, 1e-6f, y.data(), d);
  for (index_t i = 0; i < 4; ++i) {
    ref::rms_norm(x.row(i), d, nullptr, 1e-6f, expected.data());
    for (index_t j = 0; j < d; ++j) worst = std::max(worst, std::fabs(y.row(i)[j] / expected[static_cast<std::size_t>(j)] - 1));
  }
  EXPECT_LT(worst, 4e-7);
  for (float& v : x.memory) v += 50;  // a mean far from zero
  k.layer_norm(x.data(), d, 4, d, nullptr, nullptr, 1e-6f, y.data(), d);
  worst = 0;
  for (index_t i = 0; i < 4; ++i) {
    ref::layer_norm(x.row(i), d, nullptr, nullptr, 1e-6f, expected.data());
    for (index_t j = 0; j < d; ++j) worst = std::max(worst, std::fabs(y.row(i)[j] - expected[static_cast<std::size_t>(j)]));
  }
  EXPECT_LT(worst, 3e-5);
}

TEST_P(Elementwise, L2Normalise) {
  for (const float eps : {1e-12f, 100.0f})
    check_rows(
        1e-6, [&](auto x, auto xs, auto t, auto d, auto y, auto ys) { k.l2_normalise(x, xs, t, d, eps, y, ys); },
        [&](auto x, auto d, auto y) { ref::l2_normalise(x, d, eps, y); });
  float zeros[5] = {};
  k.l2_normalise(zeros, 5, 1, 5, 1e-12f, zeros, 5);
  for (const float v : zeros) EXPECT_EQ(v, 0.0f);
}

TEST_P(Elementwise, Softmax) {
  check_rows(
      1e-6, [&](auto x, auto xs, auto t, auto d, auto y, auto ys) { k.softmax(x, xs, t, d, y, ys); }, ref::softmax);
  const float masked[] = {-kInf, 2.0f, -kInf, 1.0f, -1e30f};
  float y[5];
  k.softmax(masked, 0, 1, 5, y, 0);
  EXPECT_EQ(y[0], 0.0f);
  EXPECT_EQ(y[2], 0.0f);
  EXPECT_EQ(y[4], 0.0f);
  EXPECT_NEAR(y[1] + y[3], 1.0f, 1e-6f);
  const float bad[] = {1.0f, kNan, 0.0f, 2.0f, 3.0f};
  k.softmax(bad, 0, 1, 5, y, 0);
  for (const float v : y) EXPECT_TRUE(std::isnan(v));
}

TEST_P(Elementwise, LogSumExp) {
  for (const index_t d : kWidths) {
    Rows x(3, d, d + 3, 1, static_cast<unsigned>(d), 30.0f);
    float y[4] = {0, 0, 0, Rows::kGuard};
    k.log_sum_exp(x.data(), x.stride, 3, d, y);
    for (index_t i = 0; i < 3; ++i) ASSERT_NEAR(y[i], ref::log_sum_exp(x.row(i), d), 1e-6 * (1 + std::fabs(y[i])));
    ASSERT_EQ(y[3], Rows::kGuard);
  }
  const float rows[3][4] = {{-kInf, -kInf, -kInf, -kInf}, {1, kInf, 2, 3}, {1, kNan, 2, 3}};
  float y[3];
  k.log_sum_exp(rows[0], 4, 3, 4, y);
  EXPECT_EQ(y[0], -kInf);
  EXPECT_EQ(y[1], kInf);
  EXPECT_TRUE(std::isnan(y[2]));
  k.log_sum_exp(rows[0], 4, 1, 0, y);
  EXPECT_EQ(y[0], -kInf);
}

TEST_P(Elementwise, ActivationsOfRows) {
  for (int a = 0; a < kActivationCount; ++a) {
    const auto act = static_cast<Activation>(a);
    check_rows(
        1e-6, [&](auto x, auto xs, auto t, auto d, auto y, auto ys) { k.activate(act, x, xs, t, d, y, ys); },
        [&](auto x, auto d, auto y) {
          for (index_t j = 0; j < d; ++j) y[j] = ref::activation(act, x[j]);
        });
  }
}

TEST_P(Elementwise, GatedActivations) {
  for (int a = 0; a < kActivationCount; ++a) {
    const auto act = static_cast<Activation>(a);
    // gate and up side by side in one row, as a fused projection leaves them
    check_rows(
        1e-6,
        [&](auto x, auto xs, auto t, auto d, auto y, auto ys) {
          k.gate(act, x, xs, x + d / 2, xs, t, d - d / 2, y, ys);
          for (index_t i = 0; i < t; ++i) std::fill_n(y + i * ys + d - d / 2, d / 2, 0.0f);
        },
        [&](auto x, auto d, auto y) {
          std::fill_n(y, d, 0.0);
          for (index_t j = 0; j < d - d / 2; ++j) y[j] = ref::activation(act, x[j]) * x[d / 2 + j];
        });
  }
}

TEST_P(Elementwise, SumsAndScales) {
  Rows other(5, 1537, 1537, 1, 3);
  check_rows(
      5e-7, [&](auto x, auto xs, auto t, auto d, auto y, auto ys) { k.add_scaled(x, xs, 1.5f, other.data(), 0, -0.25f, t, d, y, ys); },
      [&](auto x, auto d, auto y) {
        for (index_t j = 0; j < d; ++j) y[j] = 1.5 * x[j] - 0.25 * other.data()[j];
      });
  check_rows(
      0, [&](auto x, auto xs, auto t, auto d, auto y, auto ys) { k.add_scaled(x, xs, 1.0f, other.data(), 0, 1.0f, t, d, y, ys); },
      [&](auto x, auto d, auto y) {
        for (index_t j = 0; j < d; ++j) y[j] = x[j] + other.data()[j];
      });
  check_rows(
      0, [&](auto x, auto xs, auto t, auto d, auto y, auto ys) { k.scale(x, xs, 0.3f, t, d, y, ys); },
      [&](auto x, auto d, auto y) {
        for (index_t j = 0; j < d; ++j) y[j] = 0.3f * x[j];
      });
  check_rows(
      1e-6, [&](auto x, auto xs, auto t, auto d, auto y, auto ys) { k.soft_cap(x, xs, 5.0f, t, d, y, ys); },
      [&](auto x, auto d, auto y) {
        for (index_t j = 0; j < d; ++j) y[j] = ref::soft_cap(x[j], 5.0);
      });
}

TEST_P(Elementwise, MeanOfRows) {
  for (const index_t d : kWidths) {
    Rows x(9, d, d + 1, 1, static_cast<unsigned>(d));
    std::vector<float> y(static_cast<std::size_t>(d) + 1, Rows::kGuard);
    k.mean_rows(x.data(), x.stride, 9, d, y.data());
    for (index_t j = 0; j < d; ++j) {
      double sum = 0;
      for (index_t i = 0; i < 9; ++i) sum += x.row(i)[j];
      ASSERT_NEAR(y[static_cast<std::size_t>(j)], sum / 9, 2e-6);
    }
    ASSERT_EQ(y.back(), Rows::kGuard);
    k.mean_rows(x.data(), x.stride, 0, d, y.data());
    EXPECT_EQ(y.front(), 0.0f);
  }
}

TEST_P(Elementwise, Rope) {
  for (const RopePairs pairs : {RopePairs::halves, RopePairs::neighbours}) {
    for (const index_t n : {1, 2, 3, 4, 5, 8, 15, 16, 17, 32, 40, 64}) {
      for (const index_t rest : {0, 3}) {  // partial rotary: coordinates behind the first 2 n stay
        const index_t head_dim = 2 * n + rest, heads = 3, t = 4;
        Rows x(t, heads * head_dim, heads * head_dim + 5, 1, static_cast<unsigned>(n)), before = x;
        Rows angle(t, n, n + 2, 0, 77), cos = angle, sin = angle;
        for (index_t i = 0; i < t; ++i)
          for (index_t j = 0; j < n; ++j) cos.row(i)[j] = std::cos(angle.row(i)[j]), sin.row(i)[j] = std::sin(angle.row(i)[j]);
        k.rope(x.data(), x.stride, t, heads, head_dim, cos.data(), sin.data(), cos.stride, n, pairs);
        x.expect_guards();
        for (index_t i = 0; i < t; ++i) {
          for (index_t h = 0; h < heads; ++h) {
            std::vector<double> head(before.row(i) + h * head_dim, before.row(i) + (h + 1) * head_dim);
            ref::rope(head.data(), cos.row(i), sin.row(i), n, pairs);
            for (index_t j = 0; j < head_dim; ++j)
              ASSERT_NEAR(x.row(i)[h * head_dim + j], head[static_cast<std::size_t>(j)], 2e-6) << "n " << n << " column " << j;
            for (index_t j = 2 * n; j < head_dim; ++j) ASSERT_EQ(x.row(i)[h * head_dim + j], before.row(i)[h * head_dim + j]);
          }
        }
        Rows alone = before;
        for (index_t i = 0; i < t; ++i) k.rope(alone.row(i), 0, 1, heads, head_dim, cos.row(i), sin.row(i), 0, n, pairs);
        ASSERT_EQ(alone.memory, x.memory);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, Elementwise, testing::ValuesIn(supported_targets()),
                         [](const auto& info) { return std::string(name_of(info.param)); });

}  // namespace
