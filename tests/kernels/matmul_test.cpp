#include "headwise/kernels/matmul.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "headwise/kernels/ref/matmul.hpp"
#include "headwise/kernels/table.hpp"
#include "tests/kernels/weights.hpp"

namespace {

using namespace hw;
using namespace hw::kernels;
using test::FileMatrix;
using test::kWeightTypes;
using test::Packed;

constexpr float kUntouched = -12345.0f;

struct Form {
  DType type;
  bool bf16 = false;  // activations
};
std::vector<Form> forms() {
  std::vector<Form> out;
  for (const DType type : kWeightTypes) out.push_back({type});
  out.push_back({DType::bf16, true});
  return out;
}
std::string name_of(Form form) { return std::string(hw::name_of(form.type)) + (form.bf16 ? " x bf16" : ""); }

std::vector<float> random_values(index_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> out(static_cast<std::size_t>(count));
  for (float& v : out) v = normal(random);
  return out;
}

// Rows of x in memory at an odd stride, quantised if the weights are.
struct Input {
  Input(index_t t, index_t k, unsigned seed = 7) : t(t), k(k), stride(k + 3), values(random_values(t * stride, seed)) {}
  index_t t, k, stride;
  std::vector<float> values;
  float& at(index_t row, index_t i) { return values[static_cast<std::size_t>(row * stride + i)]; }
  std::span<const float> row(index_t r) const { return std::span(values).subspan(static_cast<std::size_t>(r * stride), static_cast<std::size_t>(k)); }
};

// y (t, rows + 5), what lies beside the columns of the panels asked for stays kUntouched.
std::vector<float> multiply(const Table& table, const PackedMatrix& w, bool bf16, const Input& in, index_t row, index_t t,
                            const float* bias, index_t panel_begin, index_t panel_end) {
  const index_t y_stride = w.rows + 5;
  std::vector<float> y(static_cast<std::size_t>(t * y_stride), kUntouched);
  const Activations form = activations_for(w.type, bf16);
  AlignedBuffer<std::byte> prepared(prepared_bytes(form, t, in.k)), scratch(table.matmul.scratch_bytes(w.type, t, in.k));
  const float* x = in.values.data() + row * in.stride;
  if (form != Activations::f32) table.matmul.prepare(form, x, in.stride, 0, t, in.k, prepared.data());
  table.matmul.run({.weights = w, .activations = form, .x = form == Activations::f32 ? x : nullptr, .x_stride = in.stride,
                    .prepared_x = prepared.data(), .t = t,
                    .y = y.data(), .y_stride = y_stride, .bias = bias, .panel_begin = panel_begin, .panel_end = panel_end,
                    .scratch = scratch.data()});
  return y;
}

void expect_close(const Table& table, const FileMatrix& file, const PackedMatrix& w, bool bf16, const Input& in, const float* bias) {
  const std::vector<float> y = multiply(table, w, bf16, in, 0, in.t, bias, 0, w.panels());
  // f32 chain of k terms; the scalar target rounds twice each.
  const double tolerance = 1e-7 * (4.0 + static_cast<double>(in.k) * (is_quantised(w.type) ? 0.1 : 0.5));
  for (index_t t = 0; t < in.t; ++t)
    for (index_t n = 0; n < w.rows + 5; ++n) {
      const float got = y[static_cast<std::size_t>(t * (w.rows + 5) + n)];
      if (n >= w.rows) {
        ASSERT_EQ(got, kUntouched);
        continue;
      }
      const ref::Product want = ref::matmul_element(w.type, file.row(n), in.row(t), bias ? bias[n] : 0.0, bf16);
      ASSERT_NEAR(got, want.value, tolerance * want.magnitude + 1e-30)
          << hw::kernels::name_of(table.target) << " " << name_of(Form{w.type, bf16}) << " row " << t << " output " << n << " k " << in.k << " t " << in.t;
    }
}

TEST(Matmul, IsTheReferenceForEveryTypeAndTarget) {
  for (const auto [type, bf16] : forms()) {
    const index_t step = block_size(type).elements;
    for (const index_t k : step == 1 ? std::vector<index_t>{1, 3, 385, 800} : std::vector<index_t>{step, 576 / step * step, 5 * step})
      for (const index_t n : {1, 32, 77}) {
        const FileMatrix file(type, n, k);
        const Packed packed(file);
        const std::vector<float> bias = random_values(n, 3);
        for (const Target target : supported_targets())
          for (const index_t t : {1, 3, 13}) expect_close(table(target), file, packed.matrix, bf16, Input(t, k), t == 3 ? nullptr : bias.data());
      }
  }
}

TEST(Matmul, EveryRowHasTheBitsOfItsOwnResult) {
  for (const auto [type, bf16] : forms()) {
    const index_t k = is_quantised(type) ? 1280 : 801, n = 75, most = 300;
    const FileMatrix file(type, n, k);
    const Packed packed(file);
    const std::vector<float> bias = random_values(n, 3);
    const Input in(most, k);
    for (const Target target : supported_targets()) {
      const Table& kernels = table(target);
      const index_t stride = n + 5, limit = target == Target::scalar ? 40 : most;
      std::vector<float> alone;
      for (index_t r = 0; r < limit; ++r) {
        const std::vector<float> y = multiply(kernels, packed.matrix, bf16, in, r, 1, bias.data(), 0, 3);
        alone.insert(alone.end(), y.begin(), y.end());
      }
      for (const index_t t : {2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 23, 24, 25, 40, 265, 300}) {
        if (t > limit) continue;
        const std::vector<float> y = multiply(kernels, packed.matrix, bf16, in, 0, t, bias.data(), 0, 3);
        for (index_t i = 0; i < t * stride; ++i)
          ASSERT_EQ(std::bit_cast<std::uint32_t>(y[static_cast<std::size_t>(i)]), std::bit_cast<std::uint32_t>(alone[static_cast<std::size_t>(i)]))
              << hw::kernels::name_of(target) << " " << name_of(Form{type, bf16}) << " t " << t << " row " << i / stride << " output " << i % stride;
      }
    }
  }
}

TEST(Matmul, PanelRangesGiveTheSameBitsAndTouchNothingElse) {
  for (const auto [type, bf16] : forms()) {
    const FileMatrix file(type, 75, 512);
    const Packed packed(file);
    for (const Target target : supported_targets())
      for (const index_t t : {1, 6, 30}) {
        const Input in(t, 512);
        const std::vector<float> whole = multiply(table(target), packed.matrix, bf16, in, 0, t, nullptr, 0, 3);
        for (index_t panel = 0; panel < 3; ++panel) {
          const std::vector<float> part = multiply(table(target), packed.matrix, bf16, in, 0, t, nullptr, panel, panel + 1);
          for (index_t i = 0; i < t * 80; ++i) {
            const bool inside = i % 80 / 32 == panel && i % 80 < 75;
            ASSERT_EQ(part[static_cast<std::size_t>(i)], inside ? whole[static_cast<std::size_t>(i)] : kUntouched)
                << hw::kernels::name_of(target) << " " << name_of(Form{type, bf16});
          }
        }
      }
  }
}

// Scratch is counted to the byte: what a target writes behind it would be a neighbour's.
TEST(Matmul, ScratchIsEnoughForEveryShape) {
  constexpr std::size_t kGuard = 256;
  for (const auto [type, bf16] : forms())
    for (const index_t k : {512, 4096})
      for (const index_t t : {9, 130, 300}) {
        const FileMatrix file(type, 32, k);
        const Packed packed(file);
        const Input in(t, k);
        const Activations form = activations_for(type, bf16);
        for (const Target target : supported_targets()) {
          if (target == Target::scalar && k > 512) continue;
          const MatmulKernels& kernels = table(target).matmul;
          const auto bytes = static_cast<std::size_t>(kernels.scratch_bytes(type, t, k));
          AlignedBuffer<std::byte> prepared(prepared_bytes(form, t, k)), scratch(static_cast<index_t>(bytes + kGuard));
          std::fill(scratch.data() + bytes, scratch.data() + bytes + kGuard, std::byte{0xA5});
          std::vector<float> y(static_cast<std::size_t>(t * 32));
          if (form != Activations::f32) kernels.prepare(form, in.values.data(), in.stride, 0, t, k, prepared.data());
          kernels.run({.weights = packed.matrix, .activations = form, .x = in.values.data(), .x_stride = in.stride,
                       .prepared_x = prepared.data(), .t = t, .y = y.data(), .y_stride = 32, .panel_end = 1, .scratch = scratch.data()});
          for (std::size_t i = 0; i < kGuard; ++i) ASSERT_EQ(scratch.data()[bytes + i], std::byte{0xA5}) << name_of(Form{type, bf16});
        }
      }
}

TEST(Matmul, NothingToDoIsDone) {
  for (const auto [type, bf16] : forms()) {
    const FileMatrix empty(type, 7, 0);
    const std::vector<float> bias = random_values(7, 3);
    for (const Target target : supported_targets())
      for (const index_t t : {0, 1, 50}) {
        const std::vector<float> y = multiply(table(target), {type, 7, 0, nullptr}, bf16, Input(t, 0), 0, t, bias.data(), 0, 1);
        for (index_t i = 0; i < t * 12; ++i) ASSERT_EQ(y[static_cast<std::size_t>(i)], i % 12 < 7 ? bias[static_cast<std::size_t>(i % 12)] : kUntouched);
      }
  }
}

TEST(Matmul, NonFiniteInputsStayInTheirRow) {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  for (const auto [type, bf16] : forms()) {
    const FileMatrix file(type, 40, 512);
    const Packed packed(file);
    for (const Target target : supported_targets())
      for (const index_t t : {3, 20}) {
        Input in(t, 512);
        const std::vector<float> clean = multiply(table(target), packed.matrix, bf16, in, 0, t, nullptr, 0, 2);
        in.at(0, 100) = nan;
        in.at(2, 511) = -inf;
        const std::vector<float> y = multiply(table(target), packed.matrix, bf16, in, 0, t, nullptr, 0, 2);
        for (index_t r = 0; r < t; ++r)
          for (index_t n = 0; n < 40; ++n) {
            const float got = y[static_cast<std::size_t>(r * 45 + n)];
            if (r == 0 || (r == 2 && is_quantised(type)))
              ASSERT_TRUE(std::isnan(got)) << hw::kernels::name_of(target) << " " << name_of(Form{type, bf16}) << " " << r;
            else if (r == 2)
              ASSERT_FALSE(std::isfinite(got));
            else
              ASSERT_EQ(got, clean[static_cast<std::size_t>(r * 45 + n)]);
          }
      }
  }
}

TEST(Quantise, GivesTheSameBlocksForEveryTargetAndRange) {
  const index_t t = 9, k = 192;
  Input in(t, k);
  for (index_t i = 0; i < k; ++i) in.at(1, i) *= 1e-25f, in.at(2, i) *= 1e30f, in.at(3, i) *= 1e-38f, in.at(4, i) = 0.0f;
  in.at(5, 40) = std::numeric_limits<float>::max();
  for (int i = 0; i < 32; ++i) in.at(6, i) = static_cast<float>(i) + 0.5f;  // ties
  in.at(6, 31) = 127.0f;
  const auto bytes = static_cast<std::size_t>(prepared_bytes(Activations::int8, t, k));
  for (const Target target : supported_targets()) {
    AlignedBuffer<std::byte> all(static_cast<index_t>(bytes)), parts(static_cast<index_t>(bytes));
    const auto prepare = table(target).matmul.prepare;
    prepare(Activations::int8, in.values.data(), in.stride, 0, t, k, all.data());
    prepare(Activations::int8, in.values.data(), in.stride, 4, t, k, parts.data());
    prepare(Activations::int8, in.values.data(), in.stride, 0, 4, k, parts.data());
    EXPECT_EQ(std::memcmp(all.data(), parts.data(), bytes), 0);
    const auto* block = reinterpret_cast<const QuantisedBlock*>(all.data());
    for (index_t r = 0; r < t; ++r) {
      const std::vector<double> want = ref::quantised_values(in.row(r));
      for (index_t i = 0; i < k; ++i) {
        const QuantisedBlock& b = block[r * (k / 32) + i / 32];
        const double got = static_cast<double>(b.scale) * b.values[i % 32];
        ASSERT_EQ(got, want[static_cast<std::size_t>(i)]) << name_of(target) << " row " << r << " at " << i;
        if (i % 32) continue;
        int low = 0, sum = 0;
        for (int j = 0; j < 32; ++j) sum += b.values[j], low += j < 16 ? b.values[j] : 0;
        ASSERT_EQ(b.minus_sum, -sum);
        ASSERT_EQ(b.minus_low_sum, -low);
        ASSERT_EQ(b.scaled_sum, b.scale * static_cast<float>(sum));
      }
    }
  }
}

}  // namespace
