// The vector functions, held to double over floats of every magnitude: every 1009th by default (4 million a target), every one with
// HEADWISE_TEST_ALL_FLOATS set.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <vector>

#include "headwise/core/error.hpp"
#include "headwise/kernels/ref/elementwise.hpp"
#include "headwise/kernels/table.hpp"

namespace {

using namespace hw;
using namespace hw::kernels;

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr double kSmallest = 0x1p-126;  // of the normal numbers; below it an ulp is 2^-149

double ulp_of(double exact) {
  const double magnitude = std::max(std::fabs(exact), kSmallest);
  return std::ldexp(1.0, std::max(std::ilogb(magnitude), -126) - 23);
}

// Errors in ulp of the exact result, for arguments from `from` on. Below it, where the result fades out, an error in the exponent
// becomes a relative one: 2e-5 of the result, down to where exponentials are denormal.
struct Bound {
  Activation act;
  double ulp;
  float from = -kInf;
};
const Bound kMaxUlp[] = {
    {Activation::identity, 0},       {Activation::relu, 0},           {Activation::relu2, 0.5},     {Activation::gelu, 10, -4},
    {Activation::gelu_tanh, 22, -4}, {Activation::gelu_quick, 9, -4}, {Activation::silu, 3.5, -86}, {Activation::sigmoid, 2.5, -87},
    {Activation::tanh, 3},           {Activation::softplus, 3, -87},  {Activation::mish, 5, -86},   {Activation::elu, 1},
};

class ActivationError : public testing::TestWithParam<Target> {};

TEST_P(ActivationError, StaysWithinItsBoundOverAllFloats) {
  const ElementwiseKernels& k = table(GetParam()).elementwise;
  const std::uint32_t step = std::getenv("HEADWISE_TEST_ALL_FLOATS") ? 1 : GetParam() == Target::scalar ? 3001 : 1009;
  std::vector<float> x(4096), y(4096);
  for (const Bound& bound : kMaxUlp) {
    double worst = 0;
    float at = 0;
    for (std::uint64_t bits = 0; bits < 0x100000000ull;) {
      std::size_t n = 0;
      for (; n < x.size() && bits < 0x100000000ull; bits += step) {
        x[n] = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
        n += std::isfinite(x[n]);
      }
      k.activate(bound.act, x.data(), 0, 1, static_cast<index_t>(n), y.data(), 0);
      for (std::size_t i = 0; i < n; ++i) {
        const double exact = ref::activation(bound.act, x[i]);
        if (std::fabs(exact) > 3.4e38) continue;  // overflows
        if (x[i] < bound.from) {
          ASSERT_LE(std::fabs(y[i] - exact), 2e-5 * std::fabs(exact) + 1e-35) << name_of(bound.act) << " " << x[i];
          continue;
        }
        const double error = std::fabs(y[i] - exact) / ulp_of(exact);
        if (!(error <= worst)) worst = error, at = x[i];
      }
    }
    EXPECT_LE(worst, bound.ulp) << name_of(bound.act) << " at " << at;
    RecordProperty(std::string(name_of(bound.act)), std::to_string(worst));
    if (std::getenv("HEADWISE_TEST_VERBOSE")) std::printf("  %-10s %6.2f ulp at %g\n", std::string(name_of(bound.act)).c_str(), worst, at);
  }
}

TEST_P(ActivationError, NansAndInfinitiesFollowTheFormula) {
  const ElementwiseKernels& k = table(GetParam()).elementwise;
  const float x[] = {kNan, kInf, -kInf, 0.0f, -0.0f, 1e38f, -1e38f};
  for (int a = 0; a < kActivationCount; ++a) {
    const auto act = static_cast<Activation>(a);
    float y[7];
    k.activate(act, x, 0, 1, 7, y, 0);
    for (int i = 0; i < 7; ++i) {
      const double exact = ref::activation(act, x[i]);
      if (std::isnan(exact))
        EXPECT_TRUE(std::isnan(y[i])) << name_of(act) << " " << x[i] << " " << y[i];
      else
        EXPECT_EQ(y[i], static_cast<float>(exact)) << name_of(act) << " " << x[i];
    }
  }
}

// softmax of (0, x) shows e^x: y1 / y0 for x <= 0.
TEST_P(ActivationError, ExponentialsOfSoftmaxAreWithinTwoUlp) {
  const ElementwiseKernels& k = table(GetParam()).elementwise;
  for (float x = 0; x > -87; x -= 0.00137f) {
    const float row[2] = {0, x};
    float y[2];
    k.softmax(row, 0, 1, 2, y, 0);
    const double exact = std::exp(double(x)) / (1 + std::exp(double(x)));
    ASSERT_NEAR(y[1], exact, 3 * ulp_of(exact)) << x;
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, ActivationError, testing::ValuesIn(supported_targets()),
                         [](const auto& info) { return std::string(name_of(info.param)); });

TEST(ActivationNames, AreThoseOfConfigurations) {
  EXPECT_EQ(parse_activation("gelu"), Activation::gelu);
  for (const char* name : {"gelu_new", "gelu_pytorch_tanh", "gelu_fast"}) EXPECT_EQ(parse_activation(name), Activation::gelu_tanh);
  EXPECT_EQ(parse_activation("quick_gelu"), Activation::gelu_quick);
  EXPECT_EQ(parse_activation("silu"), Activation::silu);
  EXPECT_EQ(parse_activation("swish"), Activation::silu);
  EXPECT_EQ(parse_activation("relu2"), Activation::relu2);
  for (int a = 0; a < kActivationCount; ++a) {
    const auto act = static_cast<Activation>(a);
    if (act == Activation::gelu_quick) continue;  // the one that goes by another name
    EXPECT_EQ(parse_activation(name_of(act)), act);
  }
}

TEST(ActivationNames, UnknownNameListsTheKnown) {
  try {
    parse_activation("gelu2\x1b");
    FAIL();
  } catch (const Error& error) {
    const std::string what = error.what();
    for (const char* part : {"activation", "gelu_pytorch_tanh", "silu", "'gelu2\\x1b'"})
      EXPECT_NE(what.find(part), std::string::npos) << what;
  }
}

}  // namespace
