// The register-tiled scans beside plain loops over the same states, as wide as large models have them: 64 heads of 64 columns, 128 keys.
// Every form is held to kernels/ref first; times are the best of many, in turns.
//
//   bench_scan [--target avx512] [--seconds 1] [--tokens 512]
//
// "token-outer": for each token all heads, states from L2 or beyond. "head-outer": for each head all tokens, its state from L1. Both go
// through a head's whole matrix for each token, in vectors of this target.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/kernels/peaks.hpp"
#include "headwise/core/error.hpp"
#include "headwise/core/rng.hpp"
#include "headwise/core/thread_pool.hpp"
#include "headwise/core/view.hpp"
#include "headwise/kernels/ref/scan.hpp"
#include "headwise/kernels/scan.hpp"

HEADWISE_BEGIN_SCALAR
#include "bench/kernels/plain_scan.inc.hpp"
HEADWISE_END_SCALAR
#if HEADWISE_X86
HEADWISE_BEGIN_AVX2
#include "bench/kernels/plain_scan.inc.hpp"
HEADWISE_END_TARGET
HEADWISE_BEGIN_AVX512
#include "bench/kernels/plain_scan.inc.hpp"
HEADWISE_END_TARGET
#endif

namespace {

using namespace hw;
using namespace hw::kernels;

constexpr index_t kHeads = 64, kKeys = 128, kValues = 64;

struct Problem {
  Problem(index_t tokens, Decay kind, bool delta, index_t groups = kHeads) : tokens(tokens), groups(groups), kind(kind) {
    Rng rng(7);
    const auto fill = [&](AlignedBuffer<float>& to, index_t n, float low, float high) {
      to = AlignedBuffer<float>(n);
      for (index_t i = 0; i < n; ++i) to.data()[i] = low + (high - low) * static_cast<float>(rng.uniform());
    };
    fill(q, tokens * groups * kKeys, -0.1f, 0.1f);
    fill(k, tokens * groups * kKeys, -0.1f, 0.1f);
    fill(v, tokens * kHeads * kValues, -1, 1);
    fill(decay, tokens * kHeads * kKeys, 0.9f, 1);
    fill(beta, tokens * kHeads, 0, delta ? 1.0f : 0.0f);
    fill(from, kHeads * kKeys * kValues, -1, 1);
    fill(to, kHeads * kKeys * kValues, 0, 0);
    fill(out, tokens * kHeads * kValues, 0, 0);
    rule = delta;
  }
  Scan head(index_t h) {
    return {.tokens = tokens,
            .keys = kKeys,
            .values = kValues,
            .q = q.data() + h * groups / kHeads * kKeys,
            .k = k.data() + h * groups / kHeads * kKeys,
            .v = v.data() + h * kValues,
            .q_stride = groups * kKeys,
            .k_stride = groups * kKeys,
            .v_stride = kHeads * kValues,
            .kind = kind,
            .decay = decay.data() + (kind == Decay::token ? h : h * kKeys),
            .decay_stride = kind == Decay::token ? kHeads : kHeads * kKeys,
            .beta = rule ? beta.data() + h : nullptr,
            .beta_stride = kHeads,
            .from = from.data() + h * kKeys * kValues,
            .to = to.data() + h * kKeys * kValues,
            .state_stride = kValues,
            .out = out.data() + h * kValues,
            .out_stride = kHeads * kValues};
  }
  void check(const char* what) {
    AlignedBuffer<float> found_out(out.size()), found_to(to.size());
    std::copy_n(out.data(), out.size(), found_out.data());
    std::copy_n(to.data(), to.size(), found_to.data());
    for (index_t h = 0; h < kHeads; h += 13) {
      ref::scan(head(h));
      for (index_t t = 0; t < tokens; ++t)
        for (index_t c = 0; c < kValues; ++c)
          close(what, out.data()[(t * kHeads + h) * kValues + c], found_out.data()[(t * kHeads + h) * kValues + c]);
      for (index_t i = 0; i < kKeys * kValues; ++i)
        close(what, to.data()[h * kKeys * kValues + i], found_to.data()[h * kKeys * kValues + i]);
    }
  }
  static void close(const char* what, float expected, float found) {
    if (!(std::fabs(expected - found) <= 1e-4f * (1 + std::fabs(expected)))) fail(what, concat(expected), concat(found));
  }

  index_t tokens, groups;  // heads share q and k in groups
  Decay kind;
  bool rule = false;
  AlignedBuffer<float> q, k, v, decay, beta, from, to, out;
};

using Step = void (*)(const Scan& s, index_t t);
Step plain_step(Target target) {
#if HEADWISE_X86
  if (target >= Target::avx512) return avx512::plain_scan_step;
  if (target == Target::avx2) return avx2::plain_scan_step;
#endif
  (void)target;
  return scalar::plain_scan_step;
}

void compare(const char* name, Target target, Decay kind, bool delta, index_t tokens, double seconds, index_t groups = kHeads) {
  Problem p(tokens, kind, delta, groups);
  const ScanKernels& kernels = scan_kernels(target);
  const Step step = plain_step(target);
  const auto copy = [&] { std::copy_n(p.from.data(), p.from.size(), p.to.data()); };
  const auto tiled = [&](index_t first, index_t last) {
    for (index_t h = first; h < last; ++h) kernels.scan(p.head(h));
  };
  ThreadPool pool(2);
  const std::function<void()> forms[] = {
      [&] { tiled(0, kHeads); },
      [&] {
        copy();
        for (index_t t = 0; t < tokens; ++t)
          for (index_t h = 0; h < kHeads; ++h) step(p.head(h), t);
      },
      [&] {
        copy();
        for (index_t h = 0; h < kHeads; ++h)
          for (index_t t = 0; t < tokens; ++t) step(p.head(h), t);
      },
      [&] { pool.run(2, [&](int part) { tiled(part * kHeads / 2, (part + 1) * kHeads / 2); }); },
  };
  double best[4] = {1e9, 1e9, 1e9, 1e9};
  for (const auto& form : forms) {
    form();
    p.check(name);
  }
  for (const double end = bench::now() + seconds; bench::now() < end;)
    for (int i = 0; i < 4; ++i) {
      const double begin = bench::now();
      forms[i]();
      best[i] = std::min(best[i], bench::now() - begin);
    }
  const double flops = static_cast<double>(tokens * kHeads * kKeys * kValues) * (delta ? 7.0 : 5.0);
  std::printf("| %-14s | %9.2f | %5.1f %% | %5.2f | %5.2f | %5.2f |\n", name, best[0] * 1e3,
              100 * flops / best[0] / bench::f32_peak(target), best[1] / best[0], best[2] / best[0], best[0] / best[3]);
}

// Decode: one token, states larger than the caches in turn, beside copying memory.
void decode(Target target, double seconds) {
  const ScanKernels& kernels = scan_kernels(target);
  std::vector<std::unique_ptr<Problem>> layers;
  for (int i = 0; i < 48; ++i) layers.push_back(std::make_unique<Problem>(1, Decay::token, false));  // 2 x 2 MiB each
  double best = 1e9, copied = 1e9;
  for (const double end = bench::now() + seconds; bench::now() < end;) {
    double begin = bench::now();
    for (auto& layer : layers)
      for (index_t h = 0; h < kHeads; ++h) kernels.scan(layer->head(h));
    best = std::min(best, bench::now() - begin);
    begin = bench::now();
    for (auto& layer : layers) std::copy_n(layer->from.data(), layer->from.size(), layer->to.data());
    copied = std::min(copied, bench::now() - begin);
  }
  std::printf("\ndecode of one token, 48 layers' states from memory: %.1f %% of the speed of copying them\n", 100 * copied / best);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    Target target = default_target();
    double seconds = 1;
    index_t tokens = 512;
    for (int i = 1; i + 1 < argc; i += 2) {
      const std::string key = argv[i];
      if (key == "--target")
        target = parse_target(argv[i + 1]);
      else if (key == "--seconds")
        seconds = std::stod(argv[i + 1]);
      else if (key == "--tokens")
        tokens = std::stol(argv[i + 1]);
      else
        fail("bench_scan", "--target, --seconds or --tokens", quoted(key));
    }
    std::printf("target %s, %lld tokens, %lld heads, %lld keys, %lld columns\n", std::string(name_of(target)).c_str(),
                static_cast<long long>(tokens), static_cast<long long>(kHeads), static_cast<long long>(kKeys),
                static_cast<long long>(kValues));
    std::printf(
        "| scan | ms, one thread | of f32 peak | token-outer takes | head-outer takes | two threads |\n|---|---|---|---|---|---|\n");
    compare("SSD", target, Decay::token, false, tokens, seconds, 1);
    compare("SSD, 64 groups", target, Decay::token, false, tokens, seconds);
    compare("GLA", target, Decay::key, false, tokens, seconds);
    compare("gated delta", target, Decay::token, true, tokens, seconds);
    compare("KDA", target, Decay::key, true, tokens, seconds);
    decode(target, seconds);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
