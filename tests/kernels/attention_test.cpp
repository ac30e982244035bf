// Attention on every target against whole score rows in double.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "headwise/core/half.hpp"
#include "tests/kernels/attention_cases.hpp"

namespace {

using namespace headwise_test;

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

class Attention : public testing::TestWithParam<Target> {
 protected:
  const AttentionKernels& kernels = table(GetParam()).attention;

  // Runs `a` and compares every row with the oracle.
  void expect_formula(Problem& p, const Attend& a, index_t kv_head, double tolerance, const std::string& what) {
    std::fill(p.out.begin(), p.out.end(), 1234.5f);
    kernels.attend(a, p.scratch.data());
    for (index_t i = 0; i < a.tokens; ++i) {
      for (index_t h = 0; h < a.heads; ++h) {
        const std::vector<double> expected = ref::attend(a, p.plain(kv_head), i, h);
        for (index_t j = 0; j < a.layout.value_dim; ++j) {
          const float found = a.out[i * a.out_token_stride + h * a.out_head_stride + j];
          const double wanted = expected[static_cast<std::size_t>(j)];
          if (std::isnan(wanted))
            ASSERT_TRUE(std::isnan(found)) << what << " token " << i << " head " << h << " column " << j;
          else
            ASSERT_NEAR(found, wanted, tolerance) << what << " token " << i << " head " << h << " column " << j;
        }
      }
    }
  }
};

const Shape kShapes[] = {
    {1, 1, 1, 1, 64, 64},      // one entry sees itself
    {64, 64, 1, 1, 16, 16},    // one block
    {65, 65, 3, 1, 12, 12},    // head sizes that are no multiple of any vector, groups of 3
    {130, 7, 8, 2, 8, 8},      // two KV heads, groups of 8
    {200, 33, 2, 1, 10, 20},   // values wider than keys
    {333, 5, 4, 1, 80, 33},    //
    {300, 9, 5, 1, 64, 64},    // a group that fills no tile
    {257, 2, 6, 1, 128, 128},  //
    {100, 3, 7, 1, 256, 256},  //
    {1300, 40, 3, 1, 24, 48},  // two segments
    {2500, 2, 1, 1, 16, 16},   // three segments
};

std::string describe(const Shape& s) {
  return std::to_string(s.entries) + " entries, " + std::to_string(s.tokens) + " tokens, " + std::to_string(s.heads) + " heads, k " +
         std::to_string(s.key_dim) + " v " + std::to_string(s.value_dim);
}

TEST_P(Attention, CausalOfEveryShape) {
  for (const Shape& shape : kShapes) {
    Problem p(shape, kernels);
    for (index_t g = 0; g < shape.kv_heads; ++g) expect_formula(p, p.call(g), g, 2e-6, describe(shape));
  }
}

TEST_P(Attention, RangesOfEntries) {
  const Shape shape{400, 50, 3, 1, 32, 32};
  Problem p(shape, kernels);
  struct Kind {
    const char* name;
    EntryRange (*range)(index_t entry, index_t entries);
  };
  const Kind kinds[] = {
      {"bidirectional",
       [](index_t, index_t n) {
         return EntryRange{0, n};
       }},
      {"window",
       [](index_t e, index_t) {
         return EntryRange{std::max<index_t>(0, e - 70), e + 1};
       }},
      {"window of one",
       [](index_t e, index_t) {
         return EntryRange{e, e + 1};
       }},
      {"chunks of 96",
       [](index_t e, index_t) {
         return EntryRange{e / 96 * 96, e + 1};
       }},
      {"prefix",
       [](index_t e, index_t) {
         return EntryRange{0, std::max<index_t>(e + 1, 380)};
       }},
      {"nothing for some",
       [](index_t e, index_t) {
         return e % 3 ? EntryRange{e - 5, e} : EntryRange{e, e};
       }},
      {"nothing at all", [](index_t, index_t) { return EntryRange{}; }},
  };
  for (const Kind& kind : kinds) {
    for (index_t i = 0; i < shape.tokens; ++i)
      p.visible[static_cast<std::size_t>(i)] = kind.range(p.query_entry[static_cast<std::size_t>(i)], shape.entries);
    expect_formula(p, p.call(), 0, 2e-6, kind.name);
  }
}

TEST_P(Attention, RowsThatSeeNothingAreZeros) {
  Problem p({10, 3, 2, 1, 16, 16}, kernels);
  for (EntryRange& r : p.visible) r = {4, 4};
  kernels.attend(p.call(), p.scratch.data());
  for (const float y : p.out) EXPECT_EQ(y, 0.0f);
}

TEST_P(Attention, ModifiersOfScores) {
  for (const Shape& shape : {Shape{200, 20, 3, 1, 16, 16}, Shape{70, 70, 8, 1, 64, 64}, Shape{1100, 3, 1, 1, 24, 8}}) {
    Problem p(shape, kernels, 3, 2.0f);
    const float slopes[] = {0.5f, 0.25f, 0.125f, 0.0625f, 0.03f, 0.02f, 0.01f, 0.005f};
    const float sinks[] = {0.0f, 3.0f, -2.0f, 10.0f, -kInf, 1.0f, 2.0f, -50.0f};
    std::vector<float> bias(static_cast<std::size_t>(shape.tokens * shape.heads * shape.entries));
    for (std::size_t i = 0; i < bias.size(); ++i) bias[i] = std::sin(0.37f * static_cast<float>(i));
    for (int which = 0; which < 16; ++which) {
      Attend a = p.call();
      if (which & 1) a.soft_cap = 2.0f;
      if (which & 2) a.alibi = slopes;
      if (which & 4) a.sink = sinks;
      if (which & 8) a.bias = bias.data(), a.bias_token_stride = shape.heads * shape.entries, a.bias_head_stride = shape.entries;
      expect_formula(p, a, 0, 2e-5, describe(shape) + " modifiers " + std::to_string(which));
    }
  }
}

// A table of relative distances is a bias whose token stride is -1.
TEST_P(Attention, RelativeBias) {
  const Shape shape{150, 150, 2, 1, 16, 16};
  Problem p(shape, kernels);
  std::vector<float> tables(2 * 299);
  for (std::size_t i = 0; i < tables.size(); ++i) tables[i] = std::cos(0.1f * static_cast<float>(i));
  for (EntryRange& r : p.visible) r = {0, shape.entries};
  Attend a = p.call();
  a.bias = tables.data() + 149, a.bias_token_stride = -1, a.bias_head_stride = 299;
  expect_formula(p, a, 0, 2e-6, "relative");
}

// The bias is read between the first and the last visible entry only: the rest may not exist.
TEST_P(Attention, BiasIsReadOnlyWhereItIsSeen) {
  const Shape shape{90, 1, 1, 1, 16, 16};
  Problem p(shape, kernels);
  p.visible[0] = {67, 81};
  std::vector<float> bias(14, 0.5f);  // an address sanitizer sees the rest
  Attend a = p.call();
  a.bias = bias.data() - 67;
  expect_formula(p, a, 0, 2e-6, "short bias");
}

TEST_P(Attention, Predicates) {
  const Shape shape{300, 24, 3, 1, 16, 16};
  Problem p(shape, kernels);
  // a tree: an entry sees the first 200 and those whose number has its own as a multiple; and sparse blocks
  const auto tree = [&](index_t token, index_t block) {
    std::uint64_t mask = 0;
    for (index_t j = 0; j < kKeyBlock; ++j) {
      const index_t e = block * kKeyBlock + j;
      if (e < 200 || (e > 200 && p.query_entry[static_cast<std::size_t>(token)] % (e - 199) == 0)) mask |= std::uint64_t{1} << j;
    }
    return mask;
  };
  const auto sparse = [](index_t token, index_t block) { return (token + block) % 3 == 0 ? ~std::uint64_t{0} : 0; };
  const FunctionRef<std::uint64_t(index_t, index_t)> a_tree(tree), a_sparse(sparse);
  for (const auto* sees : {&a_tree, &a_sparse}) {
    Attend a = p.call();
    a.sees = sees;
    expect_formula(p, a, 0, 2e-6, "predicate");
  }
}

TEST_P(Attention, AdjustSeesTheTile) {
  const Shape shape{100, 10, 3, 1, 16, 16};
  Problem p(shape, kernels), biased(shape, kernels);
  std::vector<float> bias(10 * 3 * 100);
  for (std::size_t i = 0; i < bias.size(); ++i) bias[i] = std::sin(static_cast<float>(i));
  const auto adjust = [&](const ScoreTile& t) {
    EXPECT_EQ(t.key_dim, 16);
    for (int r = 0; r < t.rows; ++r) {
      EXPECT_EQ(t.row[r].entry, 90 + t.row[r].token);
      EXPECT_EQ(t.row[r].q, p.q.data() + (t.row[r].token * 3 + t.row[r].head) * 16);
      for (int j = 0; j < 64; ++j)
        if (t.entry + j <= t.row[r].entry)
          t(r, j) += bias[static_cast<std::size_t>((t.row[r].token * 3 + t.row[r].head) * 100 + t.entry + j)];
    }
  };
  const FunctionRef<void(const ScoreTile&)> ref(adjust);
  Attend a = p.call(), b = biased.call();
  a.adjust = &ref;
  b.bias = bias.data(), b.bias_token_stride = 300, b.bias_head_stride = 100;
  kernels.attend(a, p.scratch.data());
  kernels.attend(b, biased.scratch.data());
  EXPECT_EQ(p.out, biased.out);
}

TEST_P(Attention, LargeScoresDoNotOverflow) {
  for (const float spread : {30.0f, 1e10f}) {
    Problem p({150, 30, 2, 1, 16, 16}, kernels, 9, spread);
    Attend a = p.call();
    kernels.attend(a, p.scratch.data());
    for (const float y : p.out) ASSERT_TRUE(std::isfinite(y));
    if (spread < 100) expect_formula(p, a, 0, 5e-3 * spread, "large");
  }
}

// Whoever sees a NaN or an infinity has it; nobody else does, in the same block, in earlier ones or in the same tile.
TEST_P(Attention, BadEntriesStayWithThoseWhoSeeThem) {
  for (const float bad : {kNan, kInf, -kInf}) {
    for (const bool in_values : {false, true}) {
      Problem p({140, 140, 3, 1, 16, 16}, kernels), clean({140, 140, 3, 1, 16, 16}, kernels);
      (in_values ? p.v : p.k)[100 * 16 + 5] = bad;
      p.append(100, 101);
      kernels.attend(p.call(), p.scratch.data());
      kernels.attend(clean.call(), clean.scratch.data());
      const index_t row = 3 * 16;
      for (index_t i = 0; i < 100 * row; ++i) ASSERT_EQ(p.out[static_cast<std::size_t>(i)], clean.out[static_cast<std::size_t>(i)]);
      if (std::isnan(bad)) {
        for (index_t i = 100; i < 140; ++i) EXPECT_TRUE(std::isnan(p.out[static_cast<std::size_t>(i * row + 5)])) << i;
      } else if (in_values) {
        for (index_t i = 100; i < 140; ++i) EXPECT_EQ(p.out[static_cast<std::size_t>(i * row + 5)], bad) << i;
      }
    }
  }
}

TEST_P(Attention, MinusInfinityIsNotSeen) {
  Problem p({80, 2, 1, 1, 16, 16}, kernels);
  std::vector<float> bias(2 * 80, 0.0f);
  for (index_t e = 0; e < 80; ++e) bias[static_cast<std::size_t>(e)] = -kInf;        // token 0: all
  for (index_t e = 10; e < 70; ++e) bias[static_cast<std::size_t>(80 + e)] = -kInf;  // token 1: some
  Attend a = p.call();
  a.bias = bias.data(), a.bias_token_stride = 80;
  expect_formula(p, a, 0, 2e-6, "-inf");
  for (int j = 0; j < 16; ++j) EXPECT_EQ(p.out[static_cast<std::size_t>(j)], 0.0f);
}

TEST_P(Attention, AppendWritesOnlyItsSlots) {
  for (const Shape& shape : {Shape{64, 1, 1, 3, 12, 20}, Shape{64, 1, 1, 1, 64, 64}, Shape{64, 1, 1, 2, 17, 1}}) {
    for (const index_t n : {1, 2, 15, 16, 17, 40}) {
      Problem p(shape, kernels);
      AlignedBuffer<std::byte> page(p.layout.bytes());
      kernels.append(p.layout, page.data(), 20, n, p.k.data(), shape.kv_heads * shape.key_dim, p.v.data(),
                     shape.kv_heads * shape.value_dim);
      for (index_t h = 0; h < shape.kv_heads; ++h) {
        const auto* keys = reinterpret_cast<const float*>(page.data() + p.layout.key_offset(h));
        const auto* values = reinterpret_cast<const float*>(page.data() + p.layout.value_offset(h));
        for (index_t s = 0; s < 64; ++s) {
          const index_t i = s - 20;
          const bool filled = i >= 0 && i < n;
          for (index_t d = 0; d < shape.key_dim; ++d)
            ASSERT_EQ(keys[d * 64 + s], filled ? p.k[static_cast<std::size_t>((i * shape.kv_heads + h) * shape.key_dim + d)] : 0.0f);
          for (index_t d = 0; d < p.layout.value_stride(); ++d)
            ASSERT_EQ(values[s * p.layout.value_stride() + d],
                      filled && d < shape.value_dim ? p.v[static_cast<std::size_t>((i * shape.kv_heads + h) * shape.value_dim + d)] : 0.0f);
        }
      }
    }
  }
}

// ---- same bits ----

TEST_P(Attention, TokensAloneHaveTheBitsOfTheWhole) {
  for (const Shape& shape : {Shape{90, 90, 1, 1, 64, 64}, Shape{150, 90, 3, 1, 16, 24}, Shape{1200, 200, 8, 1, 16, 16}}) {
    for (const index_t window : {index_t{1} << 40, index_t{70}}) {
      Problem p(shape, kernels);
      for (EntryRange& r : p.visible) r.begin = std::max<index_t>(0, r.end - window);
      Attend a = p.call();
      const float sinks[8] = {1, 2, 3, 4, 5, 6, 7, 8};
      if (shape.heads == 3) a.soft_cap = 3.0f, a.sink = sinks;
      kernels.attend(a, p.scratch.data());
      const std::vector<float> whole = p.out;
      for (const index_t tokens : {1, 2, 3, 5, 7, 16, 64}) {
        std::fill(p.out.begin(), p.out.end(), 0.0f);
        for (index_t i = 0; i < shape.tokens; i += tokens)
          kernels.attend(Problem::part(a, i, std::min(i + tokens, shape.tokens)), p.scratch.data());
        ASSERT_EQ(std::memcmp(p.out.data(), whole.data(), whole.size() * 4), 0) << describe(shape) << " by " << tokens;
      }
      for (const index_t heads : {1, 2}) {  // fewer rows of each token in a tile
        std::fill(p.out.begin(), p.out.end(), 0.0f);
        for (index_t h = 0; h < shape.heads; h += heads) {
          Attend b = a;
          b.q += h * a.q_head_stride, b.out += h * a.out_head_stride, b.heads = std::min(heads, shape.heads - h);
          b.sink = a.sink ? a.sink + h : nullptr;
          kernels.attend(b, p.scratch.data());
        }
        ASSERT_EQ(std::memcmp(p.out.data(), whole.data(), whole.size() * 4), 0) << describe(shape) << " heads by " << heads;
      }
    }
  }
}

// The numbers of one entry as a type below f32 keeps them.
void round_as(DType type, std::span<float> x) {
  if (type == DType::q8_0) {
    float most = 0;
    for (const float v : x) most = std::max(most, std::fabs(v));
    const float scale = most / 127.0f, inverse = 127.0f / most;
    for (float& v : x) v = std::nearbyint(v * inverse) * scale;
  } else {
    for (float& v : x) v = type == DType::f16 ? to_float(to_f16(v)) : to_float(to_bf16(v));
  }
}

// Smaller types are f32 attention over rounded keys and values, bit for bit, however the entries came into the pages.
TEST_P(Attention, SmallerTypesAreF32OverRoundedEntries) {
  for (const DType type : {DType::f16, DType::bf16, DType::q8_0})
    for (const Shape& shape : kShapes) {
      Problem small(shape, kernels, 5, 1.0f, type), rounded(shape, kernels, 5);
      for (std::size_t i = 0; i < rounded.k.size(); i += static_cast<std::size_t>(shape.key_dim))
        round_as(type, std::span(rounded.k).subspan(i, static_cast<std::size_t>(shape.key_dim)));
      for (std::size_t i = 0; i < rounded.v.size(); i += static_cast<std::size_t>(shape.value_dim))
        round_as(type, std::span(rounded.v).subspan(i, static_cast<std::size_t>(shape.value_dim)));
      rounded.append(0, shape.entries);
      for (index_t g = 0; g < shape.kv_heads; ++g) {
        kernels.attend(small.call(g), small.scratch.data());
        kernels.attend(rounded.call(g), rounded.scratch.data());
      }
      ASSERT_EQ(std::memcmp(small.out.data(), rounded.out.data(), small.out.size() * 4), 0) << name_of(type) << " " << describe(shape);

      std::memset(small.memory.data(), 0, static_cast<std::size_t>(small.memory.size()));
      for (index_t i = 0; i < shape.entries; i += 3) small.append(i, std::min(i + 3, shape.entries));
      for (index_t g = 0; g < shape.kv_heads; ++g) kernels.attend(small.call(g), small.scratch.data());
      ASSERT_EQ(std::memcmp(small.out.data(), rounded.out.data(), small.out.size() * 4), 0) << name_of(type) << " by threes";
    }
}

TEST_P(Attention, BadEntriesOfSmallerTypesStayWithThoseWhoSeeThem) {
  for (const DType type : {DType::f16, DType::bf16, DType::q8_0}) {
    const Shape shape{100, 100, 1, 1, 16, 16};
    Problem clean(shape, kernels, 1, 1.0f, type), bad(shape, kernels, 1, 1.0f, type);
    bad.k[70 * 16 + 3] = kNan, bad.v[80 * 16 + 5] = kInf;
    bad.append(64, 100);
    kernels.attend(clean.call(), clean.scratch.data());
    kernels.attend(bad.call(), bad.scratch.data());
    EXPECT_EQ(std::memcmp(bad.out.data(), clean.out.data(), 70 * 16 * 4), 0) << name_of(type);
    EXPECT_TRUE(std::isnan(bad.out[75 * 16])) << name_of(type);
  }
}

// A decode sees only the entries that exist; a prefill has the later ones in the same blocks.
TEST_P(Attention, DecodeHasTheBitsOfPrefill) {
  const Shape shape{200, 200, 3, 1, 20, 16};
  Problem prefill(shape, kernels), decode(shape, kernels);
  kernels.attend(prefill.call(), prefill.scratch.data());
  std::memset(decode.memory.data(), 0, static_cast<std::size_t>(decode.memory.size()));
  for (index_t i = 0; i < shape.tokens; ++i) {
    decode.append(i, i + 1);
    kernels.attend(Problem::part(decode.call(), i, i + 1), decode.scratch.data());
  }
  EXPECT_EQ(std::memcmp(prefill.out.data(), decode.out.data(), decode.out.size() * 4), 0);
}

TEST_P(Attention, SegmentsOnThreadsHaveTheBitsOfOneCall) {
  for (const index_t window : {index_t{1} << 40, index_t{900}}) {
    const Shape shape{3500, 3, 3, 1, 16, 20};
    Problem p(shape, kernels);
    p.visible[1].begin = 2100;  // a row that misses whole segments
    for (EntryRange& r : p.visible) r.begin = std::max(r.begin, r.end - window);
    Attend a = p.call();
    const float sinks[3] = {0.5f, 1.0f, -1.0f};
    a.sink = sinks;
    kernels.attend(a, p.scratch.data());
    const std::vector<float> whole = p.out;
    std::fill(p.out.begin(), p.out.end(), 0.0f);
    EntryRange seen = p.visible[0];
    for (const EntryRange& r : p.visible) seen = {std::min(seen.begin, r.begin), std::max(seen.end, r.end)};
    const EntryRange segments = segments_of(seen);
    const index_t size = shape.tokens * shape.heads * partial_size(p.layout);
    AlignedBuffer<float> partials((segments.end - segments.begin) * size);
    for (index_t s = segments.end - 1; s >= segments.begin; --s)
      kernels.attend_segment(a, s, partials.data() + (s - segments.begin) * size, p.scratch.data());
    kernels.merge_segments(a, partials.data(), segments.end - segments.begin);
    EXPECT_EQ(std::memcmp(p.out.data(), whole.data(), whole.size() * 4), 0) << window;
  }
}

// A ring hands over its pages from the first one that is still there.
TEST_P(Attention, PagesMayBeginLater) {
  const Shape shape{1500, 4, 2, 1, 16, 16};
  Problem p(shape, kernels);
  for (EntryRange& r : p.visible) r.begin = r.end - 300;
  Attend a = p.call();
  kernels.attend(a, p.scratch.data());
  const std::vector<float> whole = p.out;
  const index_t first = p.visible[0].begin / kKeyBlock;
  std::vector<std::byte*> ring(p.pages.begin() + first, p.pages.end());
  a.pages = ring.data(), a.first_block = first;
  kernels.attend(a, p.scratch.data());
  EXPECT_EQ(p.out, whole);
}

// Pages that no row sees need not exist, between the ranges of a call's tokens either.
TEST_P(Attention, UnseenPagesMayBeMissing) {
  const Shape shape{2000, 2, 3, 1, 16, 16};
  Problem p(shape, kernels);
  p.visible = {{70, 90}, {1500, 1700}};
  kernels.attend(p.call(), p.scratch.data());
  const std::vector<float> whole = p.out;
  for (std::size_t b = 0; b < p.pages.size(); ++b)
    if (b != 1 && (b < 1500 / 64 || b > 1699 / 64)) p.pages[b] = nullptr;
  kernels.attend(p.call(), p.scratch.data());
  EXPECT_EQ(p.out, whole);
}

INSTANTIATE_TEST_SUITE_P(Targets, Attention, testing::ValuesIn(supported_targets()),
                         [](const auto& info) { return std::string(name_of(info.param)); });

}  // namespace
