// The matrix kernels next to what the machine can do. For every storage type and shape: checks the result against kernels/ref, then
// times t = 1, 8, 64, 512 rows as the best of many repetitions, beside a loop of multiply-adds of the same minute (its peak) and a loop
// that reads memory. One thread.
//
//   bench_matmul [--types q4_1,f32] [--shapes 576x1536,4096x4096] [--rows 1,8,512] [--target avx512_vnni] [--seconds 0.3]
//
// t = 1 and 8 rotate through copies of the weights of 256 MiB in all, so that they come from memory; larger t use one copy.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "bench/kernels/peaks.hpp"
#include "headwise/core/error.hpp"
#include "headwise/core/view.hpp"
#include "headwise/kernels/ref/matmul.hpp"
#include "headwise/kernels/table.hpp"
#include "tests/kernels/weights.hpp"

namespace {

using namespace hw;
using namespace hw::kernels;

struct Options {
  std::vector<std::string> types{"f32", "f16", "bf16", "bf16xbf16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "q2_k", "q3_k", "q4_k", "q5_k", "q6_k", "mxfp4"};
  std::vector<std::string> shapes{"4096x4096", "576x1536"};
  std::vector<std::string> rows{"1", "8", "64", "512"};
  std::string target;
  double seconds = 0.3;
};

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> out;
  std::stringstream stream(list);
  for (std::string item; std::getline(stream, item, ',');) out.push_back(item);
  return out;
}

Options parse(int argc, char** argv) {
  Options out;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string key = argv[i], value = argv[i + 1];
    if (key == "--types") out.types = split(value);
    else if (key == "--shapes") out.shapes = split(value);
    else if (key == "--rows") out.rows = split(value);
    else if (key == "--target") out.target = value;
    else if (key == "--seconds") out.seconds = std::stod(value);
    else fail("bench_matmul", "--types, --shapes, --rows, --target or --seconds", quoted(key));
  }
  if (argc % 2 == 0) fail("bench_matmul", "a value after each option", quoted(std::string_view(argv[argc - 1])));
  return out;
}

DType type_named(const std::string& name) {
  for (const DType type : test::kWeightTypes)
    if (name_of(type) == name) return type;
  fail("bench_matmul", "a weight type", quoted(name));
}

// Shared: packed copies of one matrix of outputs that repeat every 64 rows of a file, so that making it is quick.
struct Weights {
  Weights(DType type, index_t n, index_t k, index_t copies) : file(type, 64, k), bytes(packed_bytes(type, n, k)), storage(bytes * copies) {
    std::vector<const std::byte*> rows;
    for (index_t i = 0; i < n; ++i) rows.push_back(file.row(i % 64));
    PackedMatrix w{type, n, k, storage.data()};
    pack_panels(type, rows, k, 0, w.panels(), storage.data());
    for (index_t i = 0; i < copies; ++i) {
      if (i) std::memcpy(storage.data() + i * bytes, storage.data(), static_cast<std::size_t>(bytes));
      w.data = storage.data() + i * bytes;
      matrices.push_back(w);
    }
  }
  test::FileMatrix file;
  index_t bytes;
  AlignedBuffer<std::byte> storage;
  std::vector<PackedMatrix> matrices;
};

double check(const Weights& weights, bool bf16, const std::vector<float>& x, const std::vector<float>& y, index_t t, index_t n, index_t k) {
  double worst = 0;
  for (const index_t row : {index_t{0}, t / 2, t - 1})
    for (index_t i = 0; i < n; i += std::max<index_t>(1, n / 13)) {
      const ref::Product want = ref::matmul_element(weights.file.type, weights.file.row(i % 64), std::span(x).subspan(static_cast<std::size_t>(row * k), static_cast<std::size_t>(k)), 0, bf16);
      worst = std::max(worst, std::fabs(y[static_cast<std::size_t>(row * n + i)] - want.value) / want.magnitude);
    }
  return worst;
}

double peak_of(Activations form, Target target) {
  if (form == Activations::int8) return bench::int8_peak(target);
  return form == Activations::bf16 && target == Target::avx512_bf16 ? bench::bf16_peak() : bench::f32_peak(target);
}

void measure(const Options& options, const Table& kernels, const std::string& name, index_t k, index_t n) {
  const bool bf16 = name == "bf16xbf16";  // bf16 weights and activations
  const DType type = bf16 ? DType::bf16 : type_named(name);
  const Activations form = activations_for(type, bf16);
  index_t copies = 1;
  for (const std::string& rows : options.rows)
    if (std::stoll(rows) <= 8) copies = std::max<index_t>(1, (index_t{256} << 20) / packed_bytes(type, n, k));
  const Weights weights(type, n, k, copies);
  for (const std::string& text : options.rows) {
    const index_t t = std::stoll(text);
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    std::vector<float> x(static_cast<std::size_t>(t * k)), y(static_cast<std::size_t>(t * n));
    for (float& v : x) v = normal(random);
    AlignedBuffer<std::byte> prepared(prepared_bytes(form, t, k)), scratch(kernels.matmul.scratch_bytes(type, t, k));
    if (form != Activations::f32) kernels.matmul.prepare(form, x.data(), k, 0, t, k, prepared.data());
    index_t next = 0;
    const auto run = [&] {
      const PackedMatrix& w = weights.matrices[static_cast<std::size_t>(t <= 8 ? next++ % copies : 0)];
      kernels.matmul.run({.weights = w, .activations = form, .x = x.data(), .x_stride = k, .prepared_x = prepared.data(), .t = t, .y = y.data(),
                          .y_stride = n, .panel_end = w.panels(), .scratch = scratch.data()});
    };
    run();
    const double error = check(weights, bf16, x, y, t, n, k);
    if (!(error < 2e-5)) fail("bench_matmul", concat(name_of(type), ": wrong result, relative error ", error));
    double best = 1e30, peak = 0;
    const auto start = bench::now();
    do {
      peak = std::max(peak, peak_of(form, kernels.target));
      for (int i = 0; i < 4; ++i) {
        const double before = bench::now();
        run();
        best = std::min(best, bench::now() - before);
      }
    } while (bench::now() - start < options.seconds);
    const double memory = bench::read_bandwidth();
    const double flops = 2.0 * static_cast<double>(t) * static_cast<double>(n) * static_cast<double>(k);
    std::printf("%-9s %5lld x %-5lld t %4lld  %9.1f us  %7.1f Gop/s %5.1f %% of peak  %6.1f GB/s %5.1f %% of memory\n", name.c_str(),
                static_cast<long long>(k), static_cast<long long>(n), static_cast<long long>(t), best * 1e6, flops / best * 1e-9,
                100 * flops / best / peak, static_cast<double>(weights.bytes) / best * 1e-9, 100 * static_cast<double>(weights.bytes) / best / memory);
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) try {
  const Options options = parse(argc, argv);
  const Table& kernels = options.target.empty() ? table() : table(parse_target(options.target));
  std::printf("target %s: f32 peak %.1f GFLOP/s, int8 peak %.1f GOP/s, memory read %.1f GB/s (one thread)\n", name_of(kernels.target).data(),
              bench::f32_peak(kernels.target) * 1e-9, bench::int8_peak(kernels.target) * 1e-9, bench::read_bandwidth() * 1e-9);
  for (const std::string& shape : options.shapes) {
    const std::size_t cross = shape.find('x');
    if (cross == std::string::npos) fail("bench_matmul", "a shape like 4096x4096 (k x n)", quoted(shape));
    for (const std::string& type : options.types)
      measure(options, kernels, type, std::stoll(shape.substr(0, cross)), std::stoll(shape.substr(cross + 1)));
  }
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
