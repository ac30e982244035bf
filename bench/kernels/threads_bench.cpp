// What threads cost and give: the barrier of a parallel region, while the workers still spin and after they went to sleep, and the matrix
// kernels at 512 rows by all threads beside one, whose results must have the same bits.
//
//   bench_threads [--threads N] [--types f32,q8_0]

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "bench/kernels/peaks.hpp"
#include "headwise/core/error.hpp"
#include "headwise/core/thread_pool.hpp"
#include "headwise/core/view.hpp"
#include "headwise/kernels/table.hpp"
#include "tests/kernels/weights.hpp"

namespace {

using namespace hw;
using namespace hw::kernels;

// Median seconds of a region without work, `pause` behind the one before.
double barrier(ThreadPool& pool, int rounds, std::chrono::microseconds pause) {
  std::vector<double> seconds;
  for (int i = 0; i < rounds; ++i) {
    if (pause.count() > 0) std::this_thread::sleep_for(pause);
    const double begin = bench::now();
    pool.run(pool.threads(), [](int) {});
    seconds.push_back(bench::now() - begin);
  }
  std::nth_element(seconds.begin(), seconds.begin() + rounds / 2, seconds.end());
  return seconds[static_cast<std::size_t>(rounds) / 2];
}

void measure(ThreadPool& pool, DType type) {
  constexpr index_t t = 512, k = 4096, n = 4096;
  const Table& kernels = table();
  const test::FileMatrix file(type, 64, k);
  std::vector<const std::byte*> rows;
  for (index_t i = 0; i < n; ++i) rows.push_back(file.row(i % 64));
  AlignedBuffer<std::byte> packed(packed_bytes(type, n, k));
  const PackedMatrix w{type, n, k, packed.data()};
  pack_panels(type, rows, k, 0, w.panels(), packed.data());
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> x(t * k), one(t * n), all(t * n);
  for (float& v : x) v = normal(random);
  const Activations form = activations_for(type);
  const index_t scratch_bytes = (kernels.matmul.scratch_bytes(type, t, k) + 63) / 64 * 64;
  AlignedBuffer<std::byte> prepared(prepared_bytes(form, t, k)), scratch(scratch_bytes * pool.threads());
  if (form != Activations::f32) kernels.matmul.prepare(form, x.data(), k, 0, t, k, prepared.data());
  const auto part = [&](std::vector<float>& y, int i, int parts) {
    kernels.matmul.run({.weights = w,
                        .activations = form,
                        .x = x.data(),
                        .x_stride = k,
                        .prepared_x = prepared.data(),
                        .t = t,
                        .y = y.data(),
                        .y_stride = n,
                        .panel_begin = w.panels() * i / parts,
                        .panel_end = w.panels() * (i + 1) / parts,
                        .scratch = scratch.data() + scratch_bytes * i});
  };
  double alone = 1e9, together = 1e9;
  for (int round = 0; round < 12; ++round) {
    double begin = bench::now();
    part(one, 0, 1);
    alone = std::min(alone, bench::now() - begin);
    begin = bench::now();
    pool.run(pool.threads(), [&](int i) { part(all, i, pool.threads()); });
    together = std::min(together, bench::now() - begin);
  }
  if (std::memcmp(one.data(), all.data(), one.size() * sizeof(float)) != 0) fail("bench_threads", "the same bits", "others");
  std::printf("%-6s 4096 x 4096, 512 rows: %d threads %.2f times as quick as one\n", name_of(type).data(), pool.threads(),
              alone / together);
}

}  // namespace

int main(int argc, char** argv) try {
  int threads = 0;
  std::string types = "f32,bf16,q8_0,q4_0,q4_k,q6_k";
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string key = argv[i];
    if (key == "--threads")
      threads = std::stoi(argv[i + 1]);
    else if (key == "--types")
      types = argv[i + 1];
    else
      fail("bench_threads", "--threads or --types", quoted(key));
  }
  ThreadPool pool(threads);
  std::printf("a region without work, %d threads: %.2f us one after the other, %.1f us after 5 ms of sleep\n", pool.threads(),
              barrier(pool, 20000, std::chrono::microseconds(0)) * 1e6, barrier(pool, 200, std::chrono::microseconds(5000)) * 1e6);
  std::stringstream list(types);
  for (std::string name; std::getline(list, name, ',');) {
    const auto type =
        std::find_if(std::begin(test::kWeightTypes), std::end(test::kWeightTypes), [&](DType t) { return name_of(t) == name; });
    if (type == std::end(test::kWeightTypes)) fail("bench_threads", "a weight type", quoted(name));
    measure(pool, *type);
  }
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
